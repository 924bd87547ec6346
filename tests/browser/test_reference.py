"""The reference in a browser: what is folded opens for links and for print."""

import pytest

ADDRESS = "book/reference/explainers_2.html"
MEMBER = "contrastlib.explainers.fullgrad.fullgrad"
FOLDED = f"dt[id='{MEMBER}'] + dd > details.member-fold"


@pytest.fixture
def page(visit):
    """A page of the reference."""
    page, problems = visit(ADDRESS)
    yield page
    assert not problems


def test_folded_at_first(page):
    """Signature and first paragraph of each member are seen, arguments and examples are not."""
    assert page.locator("dl.py > dt:visible").count() == page.locator("dl.py > dt").count() > 10
    assert page.locator(f"dt[id='{MEMBER}'] + dd > p").first.is_visible()
    assert page.locator("dl.py dl.field-list:visible, dl.py .doctest:visible").count() == 0
    assert (
        page.locator(FOLDED).locator("summary").inner_text() == "Details, arguments, result, errors, example"
    )


def test_a_link_into_a_fold_opens_it(page):
    page.evaluate(
        """fold => {
          document.querySelector(`${fold} .doctest`).id = "inside";
          location.hash = "inside";
        }""",
        FOLDED,
    )
    page.wait_for_selector("#inside", state="visible")
    assert page.locator("details.member-fold[open]").count() == 1


def test_print_shows_all(page):
    page.evaluate("() => dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details.member-fold:not([open])").count() == 0
