"""The licences of what the book serves lie beside it."""

from types import SimpleNamespace

import pytest
import yaml

from contrastlib.report.pages import licences
from contrastlib.report.results.provenance import REPOSITORY

SERVED = {  # packages whose scripts, styles or fonts are on the pages
    "Sphinx",
    "sphinx-book-theme",
    "pydata-sphinx-theme",
    "sphinx-copybutton",
    "sphinx-togglebutton",
    "sphinx_design",
    "myst-nb",
    "jupyter-book",
}


@pytest.fixture
def app(tmp_path):
    """The book's application, as far as licences are concerned, with its own folder."""
    extensions = yaml.safe_load((REPOSITORY / "_config.yml").read_text())["sphinx"]["config"]["extensions"]
    extensions = dict.fromkeys([*extensions, "sphinx.builders.html", "pydata_sphinx_theme", "own_module"])
    return SimpleNamespace(
        outdir=tmp_path,
        builder=SimpleNamespace(format="html"),
        extensions=extensions,
        config=SimpleNamespace(html_theme="sphinx_book_theme"),
    )


def test_the_licences_of_themes_and_extensions_are_in_the_book(app, tmp_path):
    licences.write_licences(app, None)
    written = {path.stem: path.read_text() for path in (tmp_path / "_static" / "licences").iterdir()}
    assert written.keys() >= {*SERVED, "contrastlib"}
    assert written["contrastlib"] == (REPOSITORY / "LICENSE").read_text()
    assert "BSD" in written["Sphinx"] and all("opyright" in text for text in written.values())


def test_nothing_is_copied_after_a_failure_or_for_another_format(app, tmp_path):
    licences.write_licences(app, ValueError("no"))
    app.builder.format = "latex"
    licences.write_licences(app, None)
    assert list(tmp_path.iterdir()) == []
