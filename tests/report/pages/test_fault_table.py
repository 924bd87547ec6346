"""The page on faults: its rows name tests that exist."""

import ast
from pathlib import Path

import pytest
import yaml

from contrastlib.report.pages import fault_table
from contrastlib.report.results.provenance import REPOSITORY

GROUPS = yaml.safe_load(fault_table.FAULTS.read_text(encoding="utf-8"))
ROWS = [row for each in GROUPS for row in each["faults"]]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["test"].rpartition("::")[2])
def test_each_fault_is_tried_by_a_test(row):
    file, _, name = row["test"].partition("::")
    tree = ast.parse((REPOSITORY / file).read_text(encoding="utf-8"))
    assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    assert row.keys() == {"fault", "happens", "test"} and all(
        row[key].endswith(".") for key in ("fault", "happens")
    )
    assert not any("|" in text for text in row.values()), "a bar would end the cell"


def test_no_test_stands_for_two_faults():
    tests = [row["test"] for row in ROWS]
    assert len(tests) == len(set(tests)) > 20


@pytest.mark.slow
def test_the_page_shows_every_fault(sphinx_build, tmp_path):
    page = (REPOSITORY / "book" / "faults.md").read_text(encoding="utf-8")
    (tmp_path / "conf.py").write_text('extensions = ["myst_nb", "contrastlib.report.pages.sphinx_ext"]')
    (tmp_path / "index.md").write_text(page)
    sphinx_build(tmp_path, tmp_path / "html")
    html = Path(tmp_path / "html" / "index.html").read_text(encoding="utf-8")
    assert html.count("<tr") == len(ROWS) + len(GROUPS)
    assert all(f"{each['group']}<" in html for each in GROUPS) and all(row["test"] in html for row in ROWS)
    assert (tmp_path / "html" / "_static" / "licences" / "Sphinx.txt").exists()
