"""What every page says of how it is made, and the stills of figures with controls."""

import os
from pathlib import Path

import pytest
from built import pages

HOSTS = ("https://mybinder.org", "https://colab.research.google.com")
BUTTONS = ".fa-rocket, .fa-github, .fa-gitlab, [class*=launch-], [class*=repository-button]"


@pytest.mark.parametrize("address", pages() or ["book/index.html"])
def test_rerun(visit, address):
    """How the page is made, to be copied; no button that needs the address of a repository where there is none."""
    page, _ = visit(address)
    section, name = page.locator("section#rerun-this-page"), Path(address).stem
    if address.startswith("book/executed/"):
        assert section.evaluate("e => e.closest('.bd-article').textContent.trim().endsWith(e.textContent.trim())")
        expected = f".venv/bin/papermill notebooks/{name}.ipynb /tmp/{name}.ipynb \\\n  --cwd notebooks"
        assert section.locator("pre").first.inner_text().strip().startswith(expected)
        assert section.locator("button.copybtn").count() == section.locator("pre").count()
    elif address.startswith("book/"):
        assert "make book" in page.locator(".bd-article").inner_text()
    if not os.environ.get("REPOSITORY"):
        assert page.locator(BUTTONS).count() == 0
        links = page.eval_on_selector_all("a[href]", "all => all.map(a => a.href)")
        assert not [link for link in links if link.startswith(HOSTS)]


@pytest.mark.parametrize("address", [page for page in pages() if "02" <= Path(page).name[:2] <= "10"])
def test_still(visit, address):
    """A picture with a text, a sentence that says what moves where, and nothing that looks as if it moved here."""
    page, problems = visit(address)
    stills = page.locator("figure.controls")
    assert stills.count()
    for still in stills.all():
        assert still.locator("img").evaluate("image => image.naturalWidth") > 200
        assert len(still.locator("img").get_attribute("alt")) > 40
        assert "A still. The controls (" in still.inner_text() and "make lab" in still.inner_text()
        assert still.locator("input, select, button").count() == 0
    assert page.locator(".jupyter-widgets, .widget-subarea").count() == 0
    assert not problems
