"""What a notebook of the working copy keeps of its widgets when JupyterLab saves it."""

import copy

import nbformat
import pytest
from nbconvert import HTMLExporter

from contrastlib.report.notebooks.saved_widgets import STATE, VIEW, keep_static_images

OF_CORE = {"model_module": "@jupyter-widgets/controls", "model_module_version": "2.0.0"}
SAVED = {
    "1": {**OF_CORE, "model_name": "VBoxModel", "state": {"children": ["IPY_MODEL_2"]}},
    "2": {**OF_CORE, "model_name": "HTMLModel", "state": {"value": "drawn"}},
    "3": {**OF_CORE, "model_name": "HBoxModel", "state": {"children": ["IPY_MODEL_4"]}},
    "4": {**OF_CORE, "model_name": "IntTextModel", "state": {"layout": "IPY_MODEL_5"}},
    "5": {**OF_CORE, "model_name": "LayoutModel", "state": {}},
}
STATIC = {VIEW: {"model_id": "1", "version_major": 2}, "text/html": "<p>a static image</p>"}
LIVE = {VIEW: {"model_id": "3", "version_major": 2}, "text/plain": "IntText()"}


def saved(*outputs):
    """A notebook with such outputs and the state of all models, as JupyterLab hands it to its server."""
    cell = nbformat.v4.new_code_cell("show", id="a", execution_count=1)
    cell.outputs = [nbformat.v4.new_output("display_data", data) for data in copy.deepcopy(outputs)]
    state = {"state": copy.deepcopy(SAVED), "version_major": 2, "version_minor": 0}
    return {
        "type": "notebook",
        "content": nbformat.v4.new_notebook(cells=[cell], metadata={"widgets": {STATE: state}}),
    }


def test_nbconvert_shows_the_still():
    """Before the notebook is saved without the state, it does not."""
    model = saved(STATIC)
    assert "a static image" not in HTMLExporter().from_notebook_node(model["content"])[0]
    keep_static_images(model=model, path="a.ipynb", contents_manager=None)
    html = HTMLExporter().from_notebook_node(model["content"])[0]
    assert "a static image" in html and "jupyter-widgets" not in html
    assert model["content"].cells[0].outputs[0].data == STATIC


def test_other_widgets_keep_their_state():
    model = saved(STATIC, LIVE)
    keep_static_images(model=model)
    assert model["content"].metadata["widgets"][STATE]["state"] == {name: SAVED[name] for name in "345"}
    html = HTMLExporter().from_notebook_node(model["content"])[0]
    assert "a static image" in html and '"model_id": "3"' in html


@pytest.mark.parametrize(
    "model",
    [
        {"type": "file", "format": "text", "content": "text"},
        {"type": "directory"},
        {"type": "notebook", "content": nbformat.v4.new_notebook()},
    ],
    ids=lambda model: model["type"],
)
def test_what_has_no_widgets_stays(model):
    before = copy.deepcopy(model)
    keep_static_images(model=model)
    assert model == before
