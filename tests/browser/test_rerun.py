"""What every page says of how it is made, and the stills of figures with controls."""

import os

import pytest
from built import pages

NOTEBOOKS = [page for page in pages() if page.startswith("book/executed/")]
every_notebook = pytest.mark.parametrize("address", NOTEBOOKS or ["book/executed/01_theory.html"])
HOSTS = ("mybinder", "colab", "jupyterhub", "deepnote", "jupyterlite")


@every_notebook
def test_notebook_names_its_command(visit, address):
    """The last section, with the papermill command; it can be copied."""
    page, _ = visit(address)
    section = page.locator("section#rerun-this-page")
    assert section.evaluate("e => e.closest('.bd-article').textContent.trim().endsWith(e.textContent.trim())")
    name = address.split("/")[-1].removesuffix(".html")
    expected = f".venv/bin/papermill notebooks/{name}.ipynb /tmp/{name}.ipynb \\\n  --cwd notebooks"
    assert section.locator("pre").first.inner_text().strip().startswith(expected)
    assert section.locator("button.copybtn").count() == section.locator("pre").count()


@pytest.mark.parametrize("address", [page for page in pages() if page.startswith("book/") and page not in NOTEBOOKS])
def test_prose_names_make_book(visit, address):
    page, _ = visit(address)
    assert "make book" in page.locator(".bd-article").inner_text()


@pytest.mark.skipif(bool(os.environ.get("REPOSITORY")), reason="the book was built for a repository")
@pytest.mark.parametrize("address", pages() or ["book/index.html"])
def test_no_dead_buttons(visit, address):
    """Without the address of a repository: no button that would need one, no link to where notebooks run."""
    page, _ = visit(address)
    assert page.locator(".fa-rocket, [class*=fa-git], [class*=launch-buttons], [class*=source-]").count() == 0
    links = page.eval_on_selector_all("a[href]", "all => all.map(a => a.href)")
    assert not [link for link in links if any(host in link for host in HOSTS)]


@pytest.mark.parametrize("address", [page for page in NOTEBOOKS if "02" <= page.split("/")[-1][:2] <= "10"])
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
