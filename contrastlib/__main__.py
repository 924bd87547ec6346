"""The command line: ``python -m contrastlib COMMAND``; each command is a module of :mod:`contrastlib.cli`."""

import argparse
import importlib
import os
import pkgutil
import sys

from contrastlib import cli


def main(argv=None) -> int:
    """Run one command and return its exit status."""
    parser = argparse.ArgumentParser(prog="contrastlib", description="Class-contrastive explanations and their report.")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for module in pkgutil.iter_modules(cli.__path__):
        importlib.import_module(f"contrastlib.cli.{module.name}").add_parser(subparsers)
    arguments = parser.parse_args(argv)
    try:
        status = arguments.func(arguments) or 0
        sys.stdout.flush()
    except BrokenPipeError:  # whoever reads has had enough, as in `... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return status


if __name__ == "__main__":
    sys.exit(main())
