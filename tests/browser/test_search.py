"""What the search of the book finds first."""

import pytest
from built import HTML

from contrastlib import contrasts
from contrastlib.explainers import registry

QUERIES = {
    "install": "book/library.html",
    "cite": "book/cite.html",
    "glossary": "book/glossary.html",
    "license": "book/cite.html",
}
QUERIES |= {record.title: "book/methods.html" for record in registry.EXPLAINERS.values()}
QUERIES |= {record.title: "book/contrasts.html" for record in contrasts.CONTRASTS.values()}


@pytest.fixture(scope="module")
def first(browser):
    """Address of the first result of a query, with the search of the book in one page."""
    page = browser.new_page()

    def address(query):
        page.goto(f"{(HTML / 'search.html').as_uri()}?q={query}")
        found = page.locator("#search-results li a").first
        found.wait_for()
        return (
            found.evaluate("each => each.href").removeprefix(HTML.as_uri() + "/").split("#")[0].split("?")[0]
        )

    yield address
    page.close()


@pytest.mark.parametrize("query", QUERIES)
def test_first_result(first, query):
    assert first(query) == QUERIES[query]
