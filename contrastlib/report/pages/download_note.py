"""First line of each notebook: what it needs to run, how to get that, and where its page is.

Whoever has the file alone, downloaded from a page, finds the rest by this line. The stored notebooks have it
without addresses. The files that pages offer for download have those that are known.
"""

from __future__ import annotations

import re
from pathlib import Path

import nbformat

NOTE = (
    "*This notebook needs its repository, Python 3.11 or later, git and make: {get}, then `make lab` in that "
    "folder. Its page: {page}.*"
)
ANY = re.compile(re.escape(NOTE).replace(r"\{get\}", ".*").replace(r"\{page\}", ".*") + r"\n\n")


def note(name: str, repository: str = "", book: str = "") -> str:
    """The line in Markdown.

    Args:
        name: Name of the notebook, such as ``03_maps``.
        repository: Address of the repository, if it is known.
        book: Address of the published book, if it is known.

    Returns:
        The line, without its end.

    >>> note("03_maps")
    '*This notebook needs ...: clone it, then ... `_build/html/book/executed/03_maps.html`, by `make book`.*'
    >>> note("03_maps", "https://example.org/a", "https://example.org/b/")
    '*This ...: `git clone https://example.org/a`, ...: <https://example.org/b/book/executed/03_maps.html>.*'
    """
    page = f"book/executed/{name}.html"
    return NOTE.format(
        get=f"`git clone {repository}`" if repository else "clone it",
        page=f"<{book.rstrip('/')}/{page}>" if book else f"`_build/html/{page}`, by `make book`",
    )


def without_note(text: str) -> str:
    r"""A Markdown cell without the line, for the page itself.

    >>> without_note(note("03_maps") + "\n\n# Maps")
    '# Maps'
    >>> without_note("# Maps")
    '# Maps'
    """
    return ANY.sub("", text, count=1)


def complete_note(path: Path, repository: str = "", book: str = "") -> None:
    """Write the addresses that are known into the line of a notebook.

    Args:
        path: Path of the notebook, named as the stored one.
        repository: As for :func:`note`.
        book: As for :func:`note`.
    """
    notebook = nbformat.read(path, as_version=4)
    first = notebook.cells[0]
    first.source = f"{note(path.stem, repository, book)}\n\n{without_note(first.source)}"
    nbformat.write(notebook, path)
