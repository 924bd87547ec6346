"""The working copy of the notebooks that JupyterLab opens."""

import nbformat
import pytest

from contrastlib.__main__ import main
from contrastlib.assets.writing import CannotWrite
from contrastlib.report.lab import working_copy


@pytest.fixture
def stored(tmp_path):
    """A folder with one stored notebook."""
    folder = tmp_path / "stored"
    folder.mkdir()
    write(folder / "01_toy.ipynb", "1 + 1")
    return folder


def write(path, code):
    cells = [
        nbformat.v4.new_markdown_cell("# A toy\n\nText.", id="text"),
        nbformat.v4.new_code_cell(code, id="code"),
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)


def code(path):
    return nbformat.read(path, as_version=4).cells[1].source


def test_a_copy_follows_its_notebook(tmp_path, stored):
    """Also after it was run: outputs are no edit."""
    folder, copy = tmp_path / "lab", tmp_path / "lab/notebooks/01_toy.ipynb"
    assert working_copy.prepare(folder, stored) == []
    assert copy.read_bytes() == (stored / "01_toy.ipynb").read_bytes()
    ran = nbformat.read(copy, as_version=4)
    ran.cells[1].outputs = [nbformat.v4.new_output("stream", text="2")]
    nbformat.write(ran, copy)
    assert working_copy.prepare(folder, stored) == []
    assert nbformat.read(copy, as_version=4).cells[1].outputs
    write(stored / "01_toy.ipynb", "2 + 2")
    assert working_copy.prepare(folder, stored) == ["01_toy.ipynb follows its new version"]
    assert code(copy) == "2 + 2"


def test_an_edited_copy_stays(tmp_path, stored):
    """The new version lies beside it."""
    folder, copy = tmp_path / "lab", tmp_path / "lab/notebooks/01_toy.ipynb"
    working_copy.prepare(folder, stored)
    write(copy, "mine")
    assert working_copy.prepare(folder, stored) == []
    write(stored / "01_toy.ipynb", "2 + 2")
    [message] = working_copy.prepare(folder, stored)
    assert "was edited and stays as it is" in message
    assert (code(copy), code(copy.with_name("01_toy.new.ipynb"))) == ("mine", "2 + 2")


def test_the_start_notebook_follows_and_stays_like_the_others(tmp_path, stored):
    """A kernel that connects changes its metadata, which is no edit; words of a reader's own stay."""
    start = tmp_path / "lab/start.ipynb"
    working_copy.prepare(tmp_path / "lab", stored)
    connected = nbformat.read(start, as_version=4)
    connected.metadata["language_info"] = {"name": "python", "version": "3.99"}
    nbformat.write(connected, start)
    write(stored / "02_more.ipynb", "1")
    assert working_copy.prepare(tmp_path / "lab", stored) == ["start.ipynb follows its new version"]
    assert "(notebooks/02_more.ipynb)" in text_of(start)
    edited = nbformat.read(start, as_version=4)
    edited.cells[0].source = "mine"
    nbformat.write(edited, start)
    assert working_copy.prepare(tmp_path / "lab", stored) == []
    write(stored / "03_another.ipynb", "1")
    assert working_copy.prepare(tmp_path / "lab", stored) == [
        "start.ipynb was edited and stays as it is; its new version is start.new.ipynb"
    ]
    assert text_of(start) == "mine" and "(notebooks/03_another.ipynb)" in text_of(
        start.with_name("start.new.ipynb")
    )


def text_of(path):
    return nbformat.read(path, as_version=4).cells[0].source


def test_the_start_notebook_names_every_notebook(tmp_path):
    """With its title and a link that leads to the copy."""
    working_copy.prepare(tmp_path / "lab")
    text = nbformat.read(tmp_path / "lab/start.ipynb", as_version=4).cells[0].source
    copies = sorted((tmp_path / "lab/notebooks").glob("*.ipynb"))
    assert len(copies) > 10
    for copy in copies:
        assert f"| [{copy.stem}](notebooks/{copy.name}) |" in text
    assert all(f"](notebooks/{name}.ipynb)" in text for name in working_copy.BEGIN)


def test_settings_of_a_user_stay(tmp_path, stored):
    """JupyterLab's settings are written once."""
    working_copy.prepare(tmp_path / "lab", stored)
    setting = next((tmp_path / "lab/.jupyter/settings").rglob("notification.jupyterlab-settings"))
    assert '"fetchNews": "false"' in setting.read_text()
    setting.write_text("{}")
    working_copy.prepare(tmp_path / "lab", stored)
    assert setting.read_text() == "{}"


@pytest.mark.parametrize("content", ["", "[]", "{", '{"01_toy.ipynb": 3}', "[" * 5000])
def test_a_damaged_list_of_copies(tmp_path, stored, content):
    """A copy may have been edited, so it stays, and the notebook lies beside it."""
    folder = tmp_path / "lab"
    working_copy.prepare(folder, stored)
    write(folder / "notebooks" / "01_toy.ipynb", "mine")
    (folder / working_copy.COPIES).write_text(content)
    [message] = working_copy.prepare(folder, stored)
    assert (
        "was edited and stays as it is" in message and code(folder / "notebooks" / "01_toy.ipynb") == "mine"
    )


@pytest.mark.parametrize("content", ["", "[]", "{}", "no notebook"])
def test_a_copy_that_is_no_notebook_any_more_stays(tmp_path, stored, content):
    folder = tmp_path / "lab"
    working_copy.prepare(folder, stored)
    (folder / "notebooks" / "01_toy.ipynb").write_text(content)
    write(stored / "01_toy.ipynb", "2 + 2")
    [message] = working_copy.prepare(folder, stored)
    assert "stays as it is" in message and (folder / "notebooks" / "01_toy.ipynb").read_text() == content


def test_links_that_lead_nowhere_and_an_installation_without_notebooks(tmp_path, stored, monkeypatch, capsys):
    monkeypatch.setattr(working_copy, "REPOSITORY", tmp_path / "site-packages")
    for _ in range(2):
        working_copy.prepare(tmp_path / "lab", stored)
    with pytest.raises(
        ValueError, match="there are no notebooks in .*not of the installed package.*clone of the repository"
    ):
        working_copy.prepare(tmp_path / "other", tmp_path / "site-packages" / "notebooks")
    assert not (tmp_path / "other").exists()


def test_a_place_that_cannot_be_written_and_a_lab_that_is_not_installed(
    tmp_path, stored, monkeypatch, capsys
):
    (tmp_path / "lab").write_text("a file")
    with pytest.raises(CannotWrite, match="lab cannot be written: "):
        working_copy.prepare(tmp_path / "lab", stored)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr(working_copy, "prepare", lambda: pytest.fail("it began"))
    assert main(["lab"]) == 2
    assert (
        "contrastlib lab: jupyterlab is not installed: run `pip install jupyterlab`"
        in capsys.readouterr().err
    )
