"""The sections of methods lead to notebooks of this repository."""

from pathlib import Path

from contrastlib.explainers import EXPLAINERS
from contrastlib.report.pages.one_by_one import PAGES

ROOT = Path(__file__).parents[3]


def test_methods_and_notebooks_exist():
    assert PAGES.keys() <= EXPLAINERS.keys()
    assert set(PAGES.values()) <= {path.stem for path in (ROOT / "notebooks").glob("*.ipynb")}
