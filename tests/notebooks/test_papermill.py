"""Plain papermill, from a folder that is not the repository's: what a notebook reads is found all the same."""

import os
import subprocess
import sys

import nbformat
import pytest

from contrastlib.report import notebooks

PARAMETERS = {"12_your_picture": {"network": "birds_vgg", "classes": 3}, "13_cost": {}}


def texts(path):
    """The sentences that an executed notebook computed."""
    outputs = [output for cell in nbformat.read(path, as_version=4).cells for output in cell.get("outputs", [])]
    assert "error" not in [output.output_type for output in outputs]
    return [output.data["text/markdown"] for output in outputs if "text/markdown" in output.get("data", {})]


@pytest.mark.parametrize("options", [[], ["--cwd", str(notebooks.NOTEBOOKS)]], ids=["from elsewhere", "with --cwd"])
@pytest.mark.parametrize("name", PARAMETERS)
def test_from_another_folder(tmp_path, name, options):
    source = notebooks.NOTEBOOKS / f"{name}.ipynb"
    given = [part for key, value in PARAMETERS[name].items() for part in ("-p", key, str(value))]
    command = [sys.executable, "-m", "papermill", str(source), "out.ipynb", *given, *options, "--no-progress-bar"]
    environment = os.environ | {"PYTHONPATH": str(notebooks.CODE), "OMP_NUM_THREADS": "1"}
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True)
    found = texts(tmp_path / "out.ipynb")
    if PARAMETERS[name]:
        assert len(found) == 1 and found[0].startswith("The most probable class is *")
    else:
        assert found == texts(source)
    assert [path.name for path in tmp_path.iterdir()] == ["out.ipynb"]
