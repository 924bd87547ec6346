"""The records of the corrections: each names tests that exist, and each test here belongs to a record."""

import ast
from pathlib import Path

import pytest

from contrastlib.report.claims.correction_records import corrections, papers
from contrastlib.report.claims.records import claims

ROOT = Path(__file__).parents[2]


def found_in(file):
    """Identifiers of the tests of a file."""
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return {
        f"{file}::{node.name}"
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


@pytest.mark.parametrize("number", corrections())
def test_a_record_names_tests_that_exist(number):
    named = corrections()[number].tests
    assert set(named) <= {test for name in named for test in found_in(name.partition("::")[0])}
    assert len(set(named)) == len(named)


@pytest.mark.parametrize("paper", papers())
def test_each_test_of_a_paper_belongs_to_a_record(paper):
    named = {test for each in papers()[paper].corrections for test in each.tests}
    assert found_in(papers()[paper].tests) <= named


def test_the_only_record_without_a_test_is_a_label_in_a_picture_that_is_not_at_hand():
    assert [number for number, each in corrections().items() if not each.tests] == [11]


def test_records_name_notebooks_and_claims_that_exist():
    for each in corrections().values():
        assert not each.page or (ROOT / "notebooks" / f"{each.page}.ipynb").exists()
        assert set(each.claims) <= set(claims())


def test_the_old_numbers_are_all_there():
    assert set(range(1, 27)) <= set(corrections())
