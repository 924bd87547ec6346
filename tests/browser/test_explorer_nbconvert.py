"""A notebook with a live explorer by `jupyter nbconvert --to html`: interactive without any other host."""

import nbformat
import pytest
from explorer_page import assert_agrees
from ipywidgets.embed import dependency_state
from nbconvert import HTMLExporter
from traitlets.config import Config

from contrastlib.explorer import Explorer, bird

STATE = "application/vnd.jupyter.widget-state+json"
# as on the command line: --ClearMetadataPreprocessor.enabled=True
CLEARED = Config({"ClearMetadataPreprocessor": {"enabled": True}})


@pytest.fixture(scope="module")
def explorer():
    return Explorer([bird(31), bird(4)], ["birds_vgg"], methods=["gradcam"], classes=6, name="tried")


def notebook(explorer, state_saved):
    """As JupyterLab saves it after the cell was run."""
    data, metadata = explorer._repr_mimebundle_()
    cell = nbformat.v4.new_code_cell("explorer", execution_count=1)
    cell.outputs = [nbformat.v4.new_output("execute_result", data, metadata=metadata, execution_count=1)]
    widgets = {STATE: {"state": dependency_state([explorer]), "version_major": 2, "version_minor": 0}}
    return nbformat.v4.new_notebook(cells=[cell], metadata={"widgets": widgets} if state_saved else {})


@pytest.mark.parametrize("state_saved, config", [(False, Config()), (False, CLEARED), (True, CLEARED)])
def test_interactive_without_another_host(browser, explorer, tmp_path, state_saved, config):
    html, _ = HTMLExporter(config=config).from_notebook_node(notebook(explorer, state_saved))
    assert "widget-view+json" not in html
    file = tmp_path / "notebook.html"
    file.write_text(html, encoding="utf-8")
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.route(
        "**/*",
        lambda route: (
            route.continue_() if route.request.url.startswith(("file:", "data:", "blob:")) else route.abort()
        ),
    )
    page.goto(file.as_uri())
    page.wait_for_selector("#tried[data-ready]")
    page.locator("select[name=contrast]").first.select_option("maximum")
    assert assert_agrees(page, explorer)["panes"][0]["contrast"] == "maximum"
    page.close()


def test_with_the_saved_state_nbconvert_takes_the_widget(explorer):
    """Why the state must be cleared: its view loads scripts from another host."""
    html, _ = HTMLExporter().from_notebook_node(notebook(explorer, state_saved=True))
    assert 'class="contrast-explorer"' not in html and "widget-view+json" in html
