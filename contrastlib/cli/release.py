"""``python -m contrastlib release``: write the metadata of the version, and what is archived with it."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from contrastlib.cli import arguments as types

ROOT = Path(__file__).resolve().parents[2]
HTML = ROOT / "_build" / "html"
FOLDER = ROOT / "_build" / "release"


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the command ``release`` with its actions."""
    parser = subparsers.add_parser(
        "release",
        help="write the metadata of the version, and what is archived with it",
        description="Write the metadata of the version, or make in _build/release what is archived with it. "
        "All but the metadata need the built book, which the targets of make build first.",
    )
    actions = parser.add_subparsers(required=True, metavar="ACTION", title="actions")
    for name, (function, text) in ACTIONS.items():
        action = actions.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        action.set_defaults(func=function)
        if name == "pdf":
            action.add_argument(
                "pages",
                type=types.name,
                nargs="*",
                help=("names such as book/claims; all, and the book as a whole, when none is given"),
            )


def metadata(arguments: argparse.Namespace) -> None:
    """Write version and date into CITATION.cff, and the files that are made of it."""
    from contrastlib.report.release.metadata import write_metadata

    changed = write_metadata()
    print(f"written: {', '.join(changed)}" if changed else "up to date")


def crate(arguments: argparse.Namespace) -> None:
    """Write the results with their provenance as an RO-Crate, and as a zip of it."""
    from contrastlib.report.release.archive import pack
    from contrastlib.report.release.crate import write_crate
    from contrastlib.report.release.kept_tables import kept_tables

    folder = FOLDER / _named("results")
    write_crate(folder, HTML / "claims.json", kept_tables())
    print(f"{pack(folder, folder.with_name(f'{folder.name}.zip'))} files in {folder} and its zip")


def pdf(arguments: argparse.Namespace) -> None:
    """Print pages, or all pages and the book as a whole."""
    from contrastlib.report.release import pdf_book, printing

    chapters = printing.chapters(ROOT / "_toc.yml")
    names = arguments.pages or [chapter.name for chapter in chapters]
    printed = printing.print_pages(names, HTML, FOLDER / "pages")
    if not arguments.pages:
        target = FOLDER / f"{_named('book')}.pdf"
        pdf_book.bind(printed, chapters, target)
        print(target)
    for path in printed.values():
        pdf_book.loosen(path, printing.published_address(ROOT / "_config.yml"))
    print(f"{len(printed)} pages in {FOLDER / 'pages'}")


def offline(arguments: argparse.Namespace) -> None:
    """Write the built book as a zip, which is read without a network."""
    from contrastlib.report.release.archive import pack

    target = FOLDER / f"{_named('book')}.zip"
    print(f"{pack(HTML, target)} files in {target}")


def paper(arguments: argparse.Namespace) -> None:
    """Write the skeleton of a manuscript, and compile it.

    Raises:
        FileNotFoundError: The book has not been built, or there is no LaTeX.
        ValueError: LaTeX reports an error.
    """
    from contrastlib.report.pages.claims import EXECUTED
    from contrastlib.report.release.kept_tables import kept_tables
    from contrastlib.report.release.latex import compile_latex
    from contrastlib.report.release.manuscript import write_manuscript

    claims = HTML / "claims.json"
    if not claims.exists():
        raise FileNotFoundError(f"there is no {claims}: run `make book`")
    records = json.loads(claims.read_text(encoding="utf-8"))
    source = write_manuscript(FOLDER / "paper", records, ROOT / EXECUTED, kept_tables())
    print(compile_latex(source))


ACTIONS = {
    "metadata": (metadata, "write version and date into CITATION.cff, and the files that are made of it"),
    "crate": (crate, "write the results with their provenance as an RO-Crate, and as a zip"),
    "pdf": (pdf, "print the book and each of its pages to PDF"),
    "zip": (offline, "write the built book as a zip, which is read without a network"),
    "paper": (paper, "write the skeleton of a manuscript in LaTeX, and compile it"),
}
"""Name of an action -> its function and its help."""


def _named(what: str) -> str:
    from contrastlib import __version__

    return f"contrastlib-{__version__}-{what}"
