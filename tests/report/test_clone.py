"""A notebook of one clone that runs with the code of another says so."""

import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from contrastlib.report import _clone


@pytest.fixture
def other(tmp_path):
    """The notebooks folder of another clone."""
    for folder in ("contrastlib/report", "notebooks"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "contrastlib" / "report" / "_clone.py").touch()
    return tmp_path / "notebooks"


def test_it_is_named(other):
    with pytest.warns(UserWarning, match="that of") as said:
        _clone.warn_of_another_clone(other)
    assert str(other.parent) in str(said[0].message) and str(_clone.CODE) in str(said[0].message)


@pytest.mark.parametrize("folder", [_clone.CODE, _clone.CODE / "notebooks"])
def test_its_own_clone_is_fine(folder):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _clone.warn_of_another_clone(folder)


def test_elsewhere_is_fine(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _clone.warn_of_another_clone(tmp_path)


@pytest.mark.slow
def test_a_kernel_says_so(other):
    code = "import contrastlib.report"
    environment = {"PYTHONPATH": str(_clone.CODE), "PATH": "", "HOME": str(Path.home())}
    said = subprocess.run(
        [sys.executable, "-c", code], cwd=other, env=environment, capture_output=True, text=True, check=True
    )
    assert f"the code that runs is that of {_clone.CODE}" in said.stderr
