"""What the search of the book finds first."""

import pytest
from built import HTML

from contrastlib import contrasts
from contrastlib.explainers import registry
from contrastlib.report.pages import glossary

QUERIES = {
    "install": "book/library.html",
    "cite": "book/cite.html",
    "glossary": "book/glossary.html",
    "license": "book/cite.html",
    "licence": "book/cite.html",
    "bibtex": "book/cite.html",
    "pdf": "book/cite.html",
    "contrastlib.explain": "book/reference/contrastlib.html",
    "class_maps()": "book/reference/explainers.html",
}
QUERIES |= {name: "book/glossary.html" for term in glossary.terms() for name in term.names}
QUERIES |= {"contrast": "book/contrasts.html"}
for record in registry.EXPLAINERS.values():
    QUERIES |= dict.fromkeys((record.name, record.title), "book/methods.html")
for record in contrasts.CONTRASTS.values():
    QUERIES |= dict.fromkeys((record.name, record.title), "book/contrasts.html")
SPELLINGS = {
    "Grad-CAM": "book/methods.html#gradcam",
    "guided backpropagation": "book/methods.html#guided-back-propagation",
    "input x gradient": "book/methods.html#input-gradient",
    "VAR": "book/methods.html#var-class-competition",
    "RFxG-group": "book/contrasts.html#rfxg-group",
    "Foils": "book/glossary.html#term-foil",
    "sign-perturbation": "book/glossary.html#term-sign-perturbation",
}
CODE = ["foil", "cotangent", "relevance", "cell", "memory", "download", "linear_approximation"]


@pytest.fixture(scope="module")
def first(browser):
    """Address of the first result of a query from the root of the book, found in one page."""
    page = browser.new_page()

    def address(query):
        page.goto(f"{(HTML / 'search.html').as_uri()}?q={query}")
        found = page.locator("#search-results li a").first
        found.wait_for()
        return found.evaluate("each => each.href").removeprefix(HTML.as_uri() + "/")

    yield address
    page.close()


@pytest.mark.parametrize("query", QUERIES)
def test_first_result(first, query):
    assert first(query).split("#")[0].split("?")[0] == QUERIES[query]


@pytest.mark.parametrize("query", SPELLINGS)
def test_other_spellings_lead_to_the_place(first, query):
    """Without hyphens, underscores, multiplication signs, spaces and case, and in the plural."""
    assert first(query) == SPELLINGS[query]


@pytest.mark.parametrize("query", CODE)
def test_functions_come_after_pages(first, query):
    assert not first(query).startswith("book/reference")
