"""A small repository of its own for each test: notebooks, a package called contrastlib, data."""

import json
import os
import shutil
import sys
import textwrap

import nbformat
import pytest
from jupyter_client.provisioning import KernelProvisionerFactory
from processes import processes

from contrastlib.report.notebooks import execution, staleness
from contrastlib.report.results import provenance

# the command of contrastlib in a small repository, with two processors and kernels that need no torch
COMMAND = """
    import os, sys
    from pathlib import Path
    from contrastlib.__main__ import main
    from contrastlib.report.notebooks import kernel_provisioner, staleness
    from contrastlib.report.notebooks import execution as notebooks

    if __name__ == "__main__":
        root = Path(sys.argv[1])
        kernel_provisioner.PRELOADED = ("ipykernel.kernelapp",)
        notebooks.REPOSITORY = staleness.REPOSITORY = root
        notebooks.NOTEBOOKS, notebooks.PROFILES = root / "notebooks", root / "notebooks" / "profiles"
        notebooks.EXECUTED = root / "book" / "executed"
        staleness.CACHE = root / "data" / "results" / "cache"
        os.cpu_count = lambda: 2
        sys.exit(main(sys.argv[2:]))
"""
KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}


class Repository:
    def __init__(self, root):
        self.root = root
        self.data = root / "elsewhere"
        for folder in ("notebooks/profiles", "contrastlib", "data/results", "elsewhere"):
            (root / folder).mkdir(parents=True)
        self.write("contrastlib/__init__.py", "")
        self.write("notebooks/profiles/quick.yaml", "{}")
        shutil.copy(execution.NOTEBOOKS / "matplotlibrc", root / "notebooks")

    def write(self, path, text):
        (self.root / path).write_text(text)

    def notebook(self, name, *cells, parameters="n = 1"):
        """A notebook with a parameters cell and these code cells."""
        code = [nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]})]
        code += [nbformat.v4.new_code_cell(cell) for cell in cells]
        for index, cell in enumerate(code):
            cell.id = f"cell-{index}"
        notebook = nbformat.v4.new_notebook(cells=code, metadata={"kernelspec": KERNEL})
        nbformat.write(notebook, self.root / "notebooks" / f"{name}.ipynb")

    def outputs(self, path):
        """Texts that the cells of an executed notebook printed or returned."""
        cells = json.loads((self.root / path).read_text())["cells"]
        outputs = [output for cell in cells for output in cell.get("outputs", [])]
        return ["".join(o.get("text") or o.get("data", {}).get("text/plain", "")) for o in outputs]


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """Such a repository; contrastlib's own machinery works in it."""
    made = Repository(tmp_path)
    for module in (execution, staleness):
        monkeypatch.setattr(module, "REPOSITORY", tmp_path)
    monkeypatch.setattr(staleness, "CACHE", tmp_path / "data" / "results" / "cache")
    monkeypatch.setattr(execution, "NOTEBOOKS", tmp_path / "notebooks")
    monkeypatch.setattr(execution, "PROFILES", tmp_path / "notebooks" / "profiles")
    monkeypatch.setattr(execution, "EXECUTED", tmp_path / "book" / "executed")
    monkeypatch.setattr(execution, "PAGES", tmp_path / "_build" / "html" / "book" / "executed")
    monkeypatch.setenv("CONTRASTLIB_DATA", str(made.data))
    # these cells need no torch
    monkeypatch.setattr(KernelProvisionerFactory.instance(), "default_provisioner_name", "local-provisioner")
    return made


@pytest.fixture
def start(repository):
    """``start(*words)``: ``python -m contrastlib run`` in the small repository, until the end of the test.

    Its processes find the modules of tests/report. ``start`` returns the process, with what it prints.
    """
    program = repository.root / "program" / "program.py"  # not beside the small repository's own contrastlib
    program.parent.mkdir()
    program.write_text(textwrap.dedent(COMMAND))
    paths = os.pathsep.join([str(provenance.REPOSITORY), str(provenance.REPOSITORY / "tests" / "report")])
    with processes() as start:
        yield lambda *words: start(
            [sys.executable, program, repository.root, "run", *words], env=os.environ | {"PYTHONPATH": paths}
        )
