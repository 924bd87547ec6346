"""PDFs of pages become one, with bookmarks and links between them."""

import pytest
from pypdf import PdfReader, PdfWriter
from pypdf.annotations import Link

from contrastlib.report.release.pdf_book import bind, loosen
from contrastlib.report.release.printing import MARKER, Chapter

CHAPTERS = [Chapter("book/index"), Chapter("book/a", 1, "Part"), Chapter("book/b", 2), Chapter("book/c", 1)]


@pytest.fixture
def printed(tmp_path):
    """PDFs of two sheets each, with links to page b, to a page that is not printed, and to another host."""
    paths = {}
    for chapter in CHAPTERS:
        writer = PdfWriter()
        for _ in range(2):
            writer.add_blank_page(100, 100)
        for address in (f"{MARKER}book/b.html#place", f"{MARKER}none.html", "https://example.org/"):
            writer.add_annotation(0, Link(rect=(0, 0, 9, 9), url=address))
        writer.add_metadata({"/Title": f"{chapter.name[5:]} — The book"})
        paths[chapter.name] = tmp_path / f"{chapter.name[5:]}.pdf"
        writer.write(paths[chapter.name])
    return paths


def links(page):
    found = [each.get_object() for each in page.get("/Annots", [])]
    return [each["/A"]["/URI"] if "/A" in each else each["/Dest"] for each in found]


def test_one_pdf_with_bookmarks(printed, tmp_path):
    bind(printed, CHAPTERS, tmp_path / "book.pdf", Title="The book")
    book = PdfReader(tmp_path / "book.pdf")
    assert len(book.pages) == 8 and book.metadata.title == "The book"

    def titles(items):
        return [
            titles(each) if isinstance(each, list) else (each.title, book.get_destination_page_number(each))
            for each in items
        ]

    assert titles(book.outline) == [("index", 0), ("Part", 2), [("a", 2), [("b", 4)], ("c", 6)]]


def test_links_between_pages(printed, tmp_path):
    """They lead to the sheet on which the page begins; one to a page that is not there is removed."""
    bind(printed, CHAPTERS, tmp_path / "book.pdf")
    book = PdfReader(tmp_path / "book.pdf")
    for number in range(0, 8, 2):
        inside, outside = links(book.pages[number])
        assert outside == "https://example.org/" and inside[0].get_object() == book.pages[4]
    assert MARKER.encode() not in (tmp_path / "book.pdf").read_bytes()


@pytest.mark.parametrize(
    "address, expected",
    [
        ("", ["https://example.org/"]),
        (
            "https://example.org/b/",
            ["https://example.org/b/book/b.html", "https://example.org/b/none.html", "https://example.org/"],
        ),
    ],
)
def test_links_of_a_single_page(printed, address, expected):
    loosen(printed["book/a"], address)
    assert links(PdfReader(printed["book/a"]).pages[0]) == expected
