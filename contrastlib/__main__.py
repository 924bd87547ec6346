"""The command line: ``python -m contrastlib COMMAND``; each command is a module of :mod:`contrastlib.commands`."""

import argparse
import importlib
import pkgutil
import sys

from contrastlib import commands


def main(argv=None) -> int:
    """Run one command and return its exit status."""
    parser = argparse.ArgumentParser(prog="contrastlib", description="Class-contrastive explanations and their report.")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for module in pkgutil.iter_modules(commands.__path__):
        importlib.import_module(f"contrastlib.commands.{module.name}").add_parser(subparsers)
    arguments = parser.parse_args(argv)
    return arguments.func(arguments) or 0


if __name__ == "__main__":
    sys.exit(main())
