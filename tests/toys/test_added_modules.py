"""A new explainer needs two files, and so does a new contrast: its module and its test."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import offered
import pytest

ROOT = Path(__file__).parents[2]
COPIED = ("contrastlib", "tests")
FILES = {
    "contrastlib/explainers/toy_explainer.py": offered.EXPLAINER,
    "contrastlib/contrasts/toy_contrast.py": offered.CONTRAST,
    "tests/explainers/test_toy_explainer.py": """
import offered


def test_toy(capsys):
    offered.check_explainer("contrastlib.explainers.toy_explainer", capsys)
""",
    "tests/test_toy_contrast.py": """
import offered


def test_toy(capsys):
    offered.check_contrast(capsys)
""",
}
OTHERS = (
    "contrastlib/explainers/registry.py",
    "contrastlib/explorer/live/content.py",
    "contrastlib/explorer/maps.py",
    "contrastlib/explorer/ranking.py",
    "contrastlib/report/pages/families.py",
    "tests/test_architecture.py::test_a_package_names_its_modules",
    "tests/test_architecture.py::test_the_contracts_hold",
    "tests/evaluation/test_later_methods.py::test_the_methods_are_those_of_one_class",
    "tests/explorer/test_added_contrast.py",
    "tests/explorer/test_maps.py::test_a_thousand_classes_need_no_more_passes",
    "tests/explorer/test_masked.py::test_effects_are_those_of_the_evaluation_of_explain",
    "tests/fuzz/test_contrasts.py::test_every_contrast_of_one_class_has_a_reference",
    "tests/report/pages/test_contrast_table.py::test_a_row_for_each",
    "tests/report/pages/test_families.py",
    "tests/report/studies/test_versions.py::test_the_versions_of_all_studies_are_accepted",
    "tests/test_contrasts.py::test_the_table_of_names",
    "tests/test_contrasts.py::test_which_contrast_a_record_scales",
    "tests/test_families.py::test_outcomes_are_those_of_the_page[contrastlib-birds_resnet]",
)
"""Tests that know all explainers or all contrasts."""


@pytest.mark.slow
def test_two_files_each(tmp_path):
    """In a copy of the library and of its tests, the tests pass with two files more for each."""
    for path in ROOT.iterdir():
        if path.name in COPIED:
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(path, tmp_path / path.name, ignore=ignored)
        elif path.name != ".git":
            (tmp_path / path.name).symlink_to(path)
    for file, text in FILES.items():
        (tmp_path / file).write_text(text.lstrip(), encoding="utf-8")
    own = [file for file in FILES if file.startswith("tests")]
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-m",
        "not slow",
        *own,
        *OTHERS,
    ]
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
