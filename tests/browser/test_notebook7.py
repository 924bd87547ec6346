"""Notebook 7 as its users have it: two notebooks read there as stored, run whole, and their widgets move."""

import sys

import lab_notebook as lab
import nbformat
import pytest
from lab_server import served

from contrastlib.report.lab import working_copy
from contrastlib.report.notebooks import execution as notebooks
from contrastlib.report.notebooks import kernel_provisioner

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def notebook7(browser, tmp_path_factory):
    """``page = notebook7(path)``: a notebook of a working copy, on a page of its own."""
    folder, server = tmp_path_factory.mktemp("copy"), tmp_path_factory.mktemp("server")
    working_copy.prepare(folder)
    command = [
        sys.executable,
        "-m",
        "notebook",
        f"--ServerApp.root_dir={folder}",
        "--allow-root",
        "--expose-app-in-browser",
    ]
    # with the settings of `make lab`, by which cells out of sight are in the page too
    environment = (
        notebooks.QUICK_ENVIRONMENT
        | working_copy.environment(folder)
        | {
            "CONTRASTLIB_DATA": str(server / "no-data"),
            "JUPYTER_DEFAULT_PROVISIONER_NAME": kernel_provisioner.NAME,
        }
    )
    pages = []
    with served(command, server, environment) as address:

        def visit(path):
            page = browser.new_page(viewport={"width": 1300, "height": 1000})
            pages.append(page)
            page.set_default_timeout(120_000)
            page.folder = folder
            page.goto(f"{address}notebooks/{path}")
            page.wait_for_function("() => window.jupyterapp?.shell?.currentWidget?.context?.isReady")
            page.wait_for_function(lab.READY, arg=len(nbformat.read(folder / path, as_version=4).cells))
            return page

        yield visit
        for page in pages:
            page.close()


@pytest.mark.parametrize("name", ["01_theory", "08_fullgrad"])
def test_reads_and_reruns(notebook7, name):
    path = f"notebooks/{name}.ipynb"
    before = lab.stored(path)
    page = notebook7(path)
    lab.expect_readable(page, before.cells)
    cells = lab.run_all(page, path)
    lab.expect_readable(page, cells)
    assert lab.checked(cells) == lab.checked(before.cells)
    assert lab.move_widgets(page, cells) == lab.count_of_widgets(before)
