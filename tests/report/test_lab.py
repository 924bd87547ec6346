"""The working copy of the notebooks that JupyterLab opens."""

import nbformat
import pytest

from contrastlib.report import lab


@pytest.fixture
def stored(tmp_path):
    """A folder with one stored notebook."""
    folder = tmp_path / "stored"
    folder.mkdir()
    write(folder / "01_toy.ipynb", "1 + 1")
    return folder


def write(path, code):
    cells = [nbformat.v4.new_markdown_cell("# A toy\n\nText.", id="text"), nbformat.v4.new_code_cell(code, id="code")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)


def code(path):
    return nbformat.read(path, as_version=4).cells[1].source


def test_a_copy_follows_its_notebook(tmp_path, stored):
    """Also after it was run: outputs are no edit."""
    folder, copy = tmp_path / "lab", tmp_path / "lab/notebooks/01_toy.ipynb"
    assert lab.prepare(folder, stored) == []
    assert copy.read_bytes() == (stored / "01_toy.ipynb").read_bytes()
    ran = nbformat.read(copy, as_version=4)
    ran.cells[1].outputs = [nbformat.v4.new_output("stream", text="2")]
    nbformat.write(ran, copy)
    assert lab.prepare(folder, stored) == []
    assert nbformat.read(copy, as_version=4).cells[1].outputs
    write(stored / "01_toy.ipynb", "2 + 2")
    assert lab.prepare(folder, stored) == ["01_toy.ipynb follows its new version"]
    assert code(copy) == "2 + 2"


def test_an_edited_copy_stays(tmp_path, stored):
    """The new version lies beside it."""
    folder, copy = tmp_path / "lab", tmp_path / "lab/notebooks/01_toy.ipynb"
    lab.prepare(folder, stored)
    write(copy, "mine")
    assert lab.prepare(folder, stored) == []
    write(stored / "01_toy.ipynb", "2 + 2")
    [message] = lab.prepare(folder, stored)
    assert "was edited and stays as it is" in message
    assert (code(copy), code(copy.with_name("01_toy.new.ipynb"))) == ("mine", "2 + 2")


def test_the_start_notebook_follows_and_stays_like_the_others(tmp_path, stored):
    """A kernel that connects changes its metadata, which is no edit; words of a reader's own stay."""
    start = tmp_path / "lab/start.ipynb"
    lab.prepare(tmp_path / "lab", stored)
    connected = nbformat.read(start, as_version=4)
    connected.metadata["language_info"] = {"name": "python", "version": "3.99"}
    nbformat.write(connected, start)
    write(stored / "02_more.ipynb", "1")
    assert lab.prepare(tmp_path / "lab", stored) == ["start.ipynb follows its new version"]
    assert "(notebooks/02_more.ipynb)" in text_of(start)
    edited = nbformat.read(start, as_version=4)
    edited.cells[0].source = "mine"
    nbformat.write(edited, start)
    assert lab.prepare(tmp_path / "lab", stored) == []
    write(stored / "03_another.ipynb", "1")
    assert lab.prepare(tmp_path / "lab", stored) == ["start.ipynb was edited and stays as it is; its new version is start.new.ipynb"]
    assert text_of(start) == "mine" and "(notebooks/03_another.ipynb)" in text_of(start.with_name("start.new.ipynb"))


def text_of(path):
    return nbformat.read(path, as_version=4).cells[0].source


def test_the_start_notebook_names_every_notebook(tmp_path):
    """With its title and a link that leads to the copy."""
    lab.prepare(tmp_path / "lab")
    text = nbformat.read(tmp_path / "lab/start.ipynb", as_version=4).cells[0].source
    copies = sorted((tmp_path / "lab/notebooks").glob("*.ipynb"))
    assert len(copies) > 10
    for copy in copies:
        assert f"| [{copy.stem}](notebooks/{copy.name}) |" in text
    assert all(f"](notebooks/{name}.ipynb)" in text for name in lab.BEGIN)


def test_settings_of_a_user_stay(tmp_path, stored):
    """JupyterLab's settings are written once."""
    lab.prepare(tmp_path / "lab", stored)
    setting = next((tmp_path / "lab/.jupyter/settings").rglob("notification.jupyterlab-settings"))
    assert '"fetchNews": "false"' in setting.read_text()
    setting.write_text("{}")
    lab.prepare(tmp_path / "lab", stored)
    assert setting.read_text() == "{}"
