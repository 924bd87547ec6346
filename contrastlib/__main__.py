"""The command line: ``python -m contrastlib COMMAND``. Each module of :mod:`contrastlib.cli` is a command."""

from __future__ import annotations

import argparse
import importlib
import os
import pkgutil
import sys
from collections.abc import Sequence

from contrastlib import cli


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: The arguments of the command line. If None, they are those of the process.

    Returns:
        The exit status.
    """
    description = "Class-contrastive explanations and their report."
    parser = argparse.ArgumentParser(prog="contrastlib", description=description)
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for module in pkgutil.iter_modules(cli.__path__):
        importlib.import_module(f"contrastlib.cli.{module.name}").add_parser(subparsers)
    arguments = parser.parse_args(argv)
    try:
        status = arguments.func(arguments) or 0
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has closed the pipe, as in `... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return status


if __name__ == "__main__":
    sys.exit(main())
