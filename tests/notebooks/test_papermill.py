"""Plain papermill, from a folder that is not the repository's: what a notebook reads is found even so."""

import nbformat
import papermill
import pytest
from jupyter_client.provisioning import KernelProvisionerFactory

from contrastlib.report.notebooks import execution, kernel_provisioner

PARAMETERS = {"12_your_picture": {"network": "birds_vgg", "classes": 3}, "13_cost": {}}


def texts(path):
    """The sentences that an executed notebook computed."""
    outputs = [
        output for cell in nbformat.read(path, as_version=4).cells for output in cell.get("outputs", [])
    ]
    assert "error" not in [output.output_type for output in outputs]
    return [output.data["text/markdown"] for output in outputs if "text/markdown" in output.get("data", {})]


@pytest.mark.parametrize("folder", [None, execution.NOTEBOOKS], ids=["from elsewhere", "with --cwd"])
@pytest.mark.parametrize("name", PARAMETERS)
def test_from_another_folder(tmp_path, monkeypatch, name, folder):
    source = execution.NOTEBOOKS / f"{name}.ipynb"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        KernelProvisionerFactory.instance(), "default_provisioner_name", kernel_provisioner.NAME
    )
    with execution.kernel_environment({"OMP_NUM_THREADS": "1"}):
        papermill.execute_notebook(source, "out.ipynb", PARAMETERS[name], cwd=folder, progress_bar=False)
    found = texts(tmp_path / "out.ipynb")
    if PARAMETERS[name]:
        assert len(found) == 1 and found[0].startswith("The most probable class is *")
    else:
        assert found == texts(source)
    assert [path.name for path in tmp_path.iterdir()] == ["out.ipynb"]
