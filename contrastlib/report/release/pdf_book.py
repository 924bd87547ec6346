"""The book in one PDF, with bookmarks and links between its pages, and single pages without dead links."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from contrastlib.assets.writing import replacing
from contrastlib.report.release.printing import MARKER, Chapter

if TYPE_CHECKING:
    from pypdf import PdfReader, PdfWriter
    from pypdf.generic import PdfObject

logging.getLogger("pypdf").setLevel(logging.ERROR)  # it warns of each PDF of Chromium


def bind(printed: Mapping[str, Path], chapters: Sequence[Chapter], path: Path, **metadata: str) -> None:
    """Write one PDF of all pages, with a bookmark for each part and page.

    Args:
        printed: Name of a page -> path of its PDF, as from
            :func:`~contrastlib.report.release.printing.print_pages`.
        chapters: The pages in their order.
        path: Path of the PDF.
        **metadata: Entries of the PDF, such as Title and Author.
    """
    from pypdf import PdfReader, PdfWriter  # of the extra report

    writer, first, above = PdfWriter(), {}, []
    for chapter in chapters:
        reader = PdfReader(printed[chapter.name])
        _name_sheets(reader)
        number = first[chapter.name] = len(writer.pages)
        writer.append(reader, import_outline=False)
        above = above[: chapter.level]
        if chapter.part:
            above = [writer.add_outline_item(title=chapter.part, page_number=number, bold=True)]
        parent = above[-1] if above else None
        above.append(writer.add_outline_item(title=_title(reader), page_number=number, parent=parent))
    pages = {f"{name}.html": number for name, number in first.items()}
    _relink(writer, lambda destination: _inside(writer, pages[destination]) if destination in pages else None)
    _write(writer, path, metadata)


def loosen(path: Path, address: str = "", **metadata: str) -> None:
    """Let the links of a page to other pages lead to the published book, or remove them.

    Args:
        path: Path of the PDF of the page.
        address: Address of the published book. If empty, the links are removed, and their words stay.
        **metadata: As for :func:`bind`.
    """
    from pypdf import PdfWriter

    writer = PdfWriter(clone_from=path)
    _relink(writer, lambda destination: _outside(f"{address.rstrip('/')}/{destination}") if address else None)
    _write(writer, path, metadata)


def _title(reader: PdfReader) -> str:
    """Title of a page without that of the book."""
    return reader.metadata.title.rpartition(" — ")[0] or reader.metadata.title


def _name_sheets(reader: PdfReader) -> None:
    """Let links within a page lead to a sheet instead of a name, which other pages have too."""
    from pypdf.generic import NameObject

    destinations = reader.named_destinations
    for page in reader.pages:
        for reference in page.get("/Annots", ()):
            link = reference.get_object()
            if destination := destinations.get(str(link.get("/Dest"))):
                link[NameObject("/Dest")] = destination.dest_array


def _relink(writer: PdfWriter, target: Callable[[str], Mapping[str, PdfObject] | None]) -> None:
    """Replace the marked links. ``target`` returns the entries of the link to a file, None to remove it."""
    from pypdf.generic import ArrayObject, NameObject

    for page in writer.pages:
        kept = ArrayObject()
        for reference in page.get("/Annots", ()):
            link = reference.get_object()
            address = str(link.get("/A", {}).get("/URI", ""))
            if address.startswith(MARKER):
                entries = target(address.removeprefix(MARKER).partition("#")[0])
                if entries is None:
                    continue
                del link["/A"]
                link.update({NameObject(key): value for key, value in entries.items()})
            kept.append(reference)
        if "/Annots" in page:
            page[NameObject("/Annots")] = kept


def _inside(writer: PdfWriter, number: int) -> dict[str, PdfObject]:
    """Entries of a link to a sheet of the same PDF."""
    from pypdf.generic import ArrayObject, NameObject

    return {"/Dest": ArrayObject([writer.pages[number].indirect_reference, NameObject("/Fit")])}


def _outside(address: str) -> dict[str, PdfObject]:
    """Entries of a link to an address."""
    from pypdf.generic import DictionaryObject, NameObject, TextStringObject

    action = {NameObject("/S"): NameObject("/URI"), NameObject("/URI"): TextStringObject(address)}
    return {"/A": DictionaryObject(action)}


def _write(writer: PdfWriter, path: Path, metadata: Mapping[str, str]) -> None:
    writer.add_metadata({f"/{key}": value for key, value in metadata.items()})
    with replacing(path) as unfinished:
        writer.write(unfinished)
