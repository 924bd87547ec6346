"""How pages are cited."""

import re

from pybtex.database import parse_string

from contrastlib.report.pages import citation
from contrastlib.report.pages.sphinx_ext import add_section


class App:
    class config:
        copyright, html_baseurl, rerun_repository = "2026", "", ""


def test_entries_are_valid():
    whole = parse_string(citation.entry(year="2026", url="https://example.org/a"), "bibtex").entries[
        "contrastlib"
    ]
    assert (
        whole.fields["url"] == "https://example.org/a"
        and str(whole.persons["author"][0]) == "{The contrastlib authors}"
    )
    page = parse_string(citation.entry("book/claims", "Claims", "2026"), "bibtex").entries[
        "contrastlib-claims"
    ]
    assert page.fields["title"].startswith("Claims. In: ") and "page book/claims.html" in page.fields["note"]
    assert "url" not in page.fields


def test_every_page_ends_with_its_entry():
    source = ["# The `title` of $x$\n\nText."]
    add_section(App, "book/claims", source)
    assert re.search(
        r"(?s)<summary>Cite this page</summary>.*title   = \{The title of x. In: Why not", source[0]
    )
