"""In continuous integration a test is skipped for few reasons only."""

import os
import shutil
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
TESTS = """
import pytest

def test_without_a_reason():
    pytest.skip("it is late")

@pytest.mark.data("cifar10_test.zip")
def test_with_data():
    pass

@pytest.mark.skipif(True, reason="needs a GPU")
def test_on_a_gpu():
    pass
"""


@pytest.mark.parametrize(
    "environment, outcome",
    [
        ({"CI": ""}, "3 skipped"),
        ({"CI": "true"}, "1 failed, 2 skipped"),
        (
            {"CI": "true", "CONTRASTLIB_DATA": "nowhere"},
            "1 failed, 1 skipped, 1 error",
        ),  # the data should have been there
    ],
)
def test_skips(tmp_path, forked, environment, outcome):
    shutil.copy(Path(__file__).with_name("conftest.py"), tmp_path)
    (tmp_path / "test_some.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = data: needs files\n")
    options = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "CONTRASTLIB"))
    }
    status, said = forked(
        lambda: pytest.main(["-q", "-p", "no:cacheprovider", "test_some.py"]), tmp_path, options | environment
    )
    assert outcome in said and bool(status) == ("failed" in outcome), said
