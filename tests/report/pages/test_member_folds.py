"""The reference: the first paragraph of a member is seen, the rest is folded in HTML, and nowhere else."""

import re

import pytest

CONFIGURATION = """
import sys
from pathlib import Path

from contrastlib.report.pages.member_folds import MemberFold, close_fold, fold_members, open_fold

sys.path.insert(0, str(Path(__file__).parent))
extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon"]
napoleon_use_ivar = True


def setup(app):
    app.add_node(MemberFold, html=(open_fold, close_fold))
    app.connect("doctree-resolved", fold_members)
"""
MODULE = '''
class Box:
    """A box.

    It has a lid.

    Attributes:
        lid: What is on top.
    """

    def open(self, width: int) -> int:
        """Open it.

        Args:
            width: How wide.

        Returns:
            The width.

        >>> 1 + 1
        2
        """

    def close(self) -> None:
        """Close it."""
'''
PAGE = "Boxes\n=====\n\n.. automodule:: module_of_boxes\n   :members:\n"


@pytest.fixture
def pages(tmp_path):
    """Folder of a page of the reference and of another page."""
    (tmp_path / "module_of_boxes.py").write_text(MODULE)
    (tmp_path / "conf.py").write_text(CONFIGURATION)
    (tmp_path / "index.rst").write_text("Title\n=====\n\n.. toctree::\n\n   book/reference/boxes\n")
    (tmp_path / "book/reference").mkdir(parents=True)
    (tmp_path / "book/reference/boxes.rst").write_text(PAGE)
    return tmp_path


@pytest.mark.slow
def test_what_is_folded(pages, sphinx_build):
    sphinx_build(pages, pages / "html")
    html = (pages / "html/book/reference/boxes.html").read_text(encoding="utf-8")
    assert re.findall("<summary>(.*?)</summary>", html) == [
        "Details, attributes",
        "Arguments, result, example",
    ]
    folded = " ".join(re.findall("(?s)<details.*?</details>", html))
    assert all(
        words in folded for words in ("It has a lid", "What is on top", "How wide", "The width", "&gt;")
    )
    assert not re.search('A box|Open it|Close it|<dt class="sig', folded)
    assert html.count("Close it") == 1


@pytest.mark.slow
def test_what_is_folded_is_found(pages, sphinx_build):
    """The words of what is folded are in the index of the search, those of the bars are not."""
    sphinx_build(pages, pages / "html")
    terms = re.search(r'"terms": (\{.*?\})', (pages / "html/searchindex.js").read_text(encoding="utf-8"))[1]
    assert '"lid"' in terms and '"argument"' not in terms


@pytest.mark.slow
def test_other_forms_show_all(pages, sphinx_build):
    sphinx_build("-b", "text", pages, pages / "text")
    text = (pages / "text/book/reference/boxes.txt").read_text(encoding="utf-8")
    assert all(words in text for words in ("A box", "It has a lid", "How wide", "The width", "1 + 1"))
