"""Pages in print: folded parts, tables and figures are whole, no link leads to a folder of this machine."""

import re
import unicodedata

import pytest
from built import HTML
from pypdf import PdfReader

from contrastlib.report.release import pdf_book, printing

PAGE = """<!DOCTYPE html><html><head><title>{title} — The book</title></head><body><h1>{title}</h1>
<details><summary>More</summary><p>folded</p></details>
<p><a href="b.html#place">other page</a> <a href="#here">this page</a></p>
<p id="here" style="break-before: page">here</p></body></html>"""
WIDE = "book/executed/04_masking"


def text(path):
    return " ".join(re.sub(r"\s+", " ", page.extract_text()) for page in PdfReader(path).pages)


@pytest.fixture
def printed(browser, tmp_path):
    """PDFs of a book of two pages."""
    for name in "ab":
        (tmp_path / f"{name}.html").write_text(PAGE.format(title=name.upper()))
    page = browser.new_page(viewport={"width": printing.WIDTH, "height": 1000})
    paths = {name: tmp_path / f"{name}.pdf" for name in "ab"}
    for name, path in paths.items():
        printing.print_page(page, tmp_path / f"{name}.html", tmp_path, path)
    page.close()
    return paths


def test_what_is_folded_is_printed(printed):
    assert "folded" in text(printed["a"]) and "A — The book · 1 of 2" in text(printed["a"])


def test_links_lead_to_pages_of_the_book(printed, tmp_path):
    chapters = [printing.Chapter("a"), printing.Chapter("b", 1, "Part")]
    pdf_book.bind(printed, chapters, tmp_path / "book.pdf")
    book = PdfReader(tmp_path / "book.pdf")
    targets = [
        book.pages.index(link.get_object()["/Dest"][0].get_object())
        for page in book.pages
        for link in page.get("/Annots", [])
    ]
    assert targets == [2, 1, 3]  # the other page and the place on page a, and the place on page b
    assert str(tmp_path).encode() not in (tmp_path / "book.pdf").read_bytes()


def test_all_columns_and_rows_of_a_wide_table_are_printed(browser, visit, tmp_path):
    """Of each table the words and numbers in the first and the last cell of each row are in the PDF."""
    page, _ = visit(f"{WIDE}.html")
    cells = page.evaluate("""() => [...document.querySelectorAll(".bd-article table")].flatMap(table =>
        [...table.rows].flatMap(row =>
            [row.cells[0], row.cells[row.cells.length - 1]].map(cell => cell.textContent)))""")
    printing.print_page(
        browser.new_page(viewport={"width": printing.WIDTH, "height": 1000}),
        HTML / f"{WIDE}.html",
        HTML,
        tmp_path / "a.pdf",
    )
    said = re.sub(
        r"[\s\-\u00ad\u2010]", "", unicodedata.normalize("NFKC", text(tmp_path / "a.pdf"))
    )  # ligatures; lines break at hyphens
    words = {word for cell in cells for word in re.findall(r"[A-Za-z]{3,}\d?|[+-]?\d+\.\d+", cell)}
    assert len(words) > 100 and not {word for word in words if word.lstrip("-") not in said}
