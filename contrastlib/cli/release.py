"""``python -m contrastlib release``: write the metadata of the version, and what is archived with it."""

from __future__ import annotations

import argparse
from pathlib import Path

FOLDER = Path("_build") / "release"
"""Folder of the results, in the repository."""


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the command ``release`` with its actions."""
    parser = subparsers.add_parser(
        "release",
        help="write the metadata of the version, and what is archived with it",
        description="Write the metadata of the version, or make one of the files that are archived with it "
        f"in {FOLDER.as_posix()}. All but the metadata need the built book: use the targets of make, which "
        "build it first.",
    )
    actions = parser.add_subparsers(required=True, metavar="ACTION", title="actions")
    for function, text in ACTIONS.items():
        action = actions.add_parser(function.__name__, help=text, description=f"{text[0].upper()}{text[1:]}.")
        action.set_defaults(func=function)


def metadata(arguments: argparse.Namespace) -> None:
    """Write version and date into CITATION.cff, and the files that are made of it."""
    from contrastlib.report.release.metadata import write_metadata

    changed = write_metadata()
    print(f"written: {', '.join(changed)}" if changed else "up to date")


ACTIONS = {
    metadata: "write version and date into CITATION.cff, and codemeta.json, .zenodo.json and codecheck.yml",
}
