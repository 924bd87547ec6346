"""What is folded on the pages of notebooks."""

import json

import pytest

from contrastlib.report.notebooks import execution
from contrastlib.report.pages.folds import CLOSING, HEADING, WITHOUT_BAR, folds, with_folded_code, with_folds

STORED = {path.stem: json.loads(path.read_text(encoding="utf-8"))["cells"] for path in execution.find([])}


def text(cell):
    return "".join(cell["source"])


def test_folds_are_of_notebooks():
    assert set(folds()) <= set(STORED)


@pytest.mark.parametrize("name", folds())
def test_no_heading_is_in_a_fold(name):
    """The list of contents leads to headings. A fold ends before the next one begins."""
    inside, count = False, 0
    for cell in with_folds(STORED[name], folds()[name]):
        opens, closes = text(cell).startswith('<details class="fold">'), text(cell) == CLOSING
        assert not (opens and inside) and not (closes and not inside)
        assert not (inside and cell["cell_type"] == "markdown" and HEADING.match(text(cell))), text(cell)
        inside, count = opens or (inside and not closes), count + opens
    assert count == len(folds()[name]) and not inside


@pytest.mark.parametrize("own", [{"none": "A bar"}, {"b to a": "A bar"}, {"a to none": "A bar"}])
def test_a_fold_without_cells(own):
    cells = [{"id": name, "cell_type": "code", "metadata": {}, "source": ""} for name in "ab"]
    with pytest.raises(ValueError, match=r"book/folds\.yaml: no cell (none|a) where a fold begins or ends"):
        list(with_folds(cells, own))


@pytest.mark.parametrize("name", STORED)
def test_only_code_to_try_is_open(name):
    cells = list(with_folded_code(STORED[name]))
    opened = [
        cell
        for cell in cells
        if cell["cell_type"] == "code" and not WITHOUT_BAR & set(cell["metadata"].get("tags", []))
    ]
    assert len(opened) <= 1 and all("contrastlib" in text(cell) or "explain" in text(cell) for cell in opened)
    assert all(text(cell) == text(stored) for cell, stored in zip(cells, STORED[name], strict=True))
