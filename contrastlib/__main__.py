"""The command line: ``python -m contrastlib COMMAND``. Each module of :mod:`contrastlib.cli` is a command."""

from __future__ import annotations

import argparse
import importlib
import os
import pkgutil
import sys
from collections.abc import Sequence

from contrastlib import cli
from contrastlib.cli import failures
from contrastlib.cli.arguments import with_negative_values


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Whatever goes wrong is told in one line; CONTRASTLIB_DEBUG=1 shows the traceback too.

    Args:
        argv: The arguments of the command line. If None, they are those of the process.

    Returns:
        The exit status: 0, or 1 if the work failed, 2 if the command cannot be run as it was given, and 130
        after Ctrl-C.
    """
    arguments = argparse.Namespace(command="")
    try:
        if hasattr(sys.stdout, "reconfigure"):  # names of files and classes that the terminal cannot show
            sys.stdout.reconfigure(errors="backslashreplace")
        _parser().parse_args(with_negative_values(sys.argv[1:] if argv is None else argv), arguments)
        status = arguments.func(arguments) or 0
        if sys.stdout:
            sys.stdout.flush()
    except BrokenPipeError:  # the reader has closed the pipe, as in `... | head`
        _discard_output()
        return failures.FAILED
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 (the one place where all is told)
        status = failures.report(arguments.command or "", error)
        try:
            sys.stdout.flush()
        except OSError:  # it was this that failed, and it would fail again when Python ends
            _discard_output()
    return status


def _parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    description = "Class-contrastive explanations and their report."
    parser = argparse.ArgumentParser(
        prog="contrastlib",
        description=description,
        epilog=(f"{failures.DEBUG}=1 in the environment shows the traceback of an error."),
    )
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for found in pkgutil.iter_modules(cli.__path__):
        module = importlib.import_module(f"contrastlib.cli.{found.name}")
        if hasattr(module, "add_parser"):
            module.add_parser(subparsers)
    return parser


def _discard_output() -> None:
    """Send what is still to be printed nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())
