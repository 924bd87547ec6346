"""The command ``release``."""

import zipfile

import pytest

from contrastlib import __version__
from contrastlib.__main__ import main
from contrastlib.cli import release


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder without a built book."""
    monkeypatch.setattr(release, "HTML", tmp_path / "html")
    monkeypatch.setattr(release, "FOLDER", tmp_path / "release")
    return tmp_path


@pytest.mark.parametrize(
    "changed, said",
    [([], "up to date"), (["codemeta.json", "codecheck.yml"], "written: codemeta.json, codecheck.yml")],
)
def test_it_says_which_metadata_changed(monkeypatch, capsys, changed, said):
    monkeypatch.setattr("contrastlib.report.release.metadata.write_metadata", lambda: changed)
    assert main(["release", "metadata"]) == 0
    assert capsys.readouterr().out == f"{said}\n"


@pytest.mark.parametrize("words", [["crate"], ["pdf"], ["pdf", "book/claims"], ["zip"], ["paper"]])
def test_without_a_built_book(folder, capsys, words):
    assert main(["release", *words]) != 0
    assert "run `make book`" in capsys.readouterr().err
    assert not list(folder.rglob("*.*"))


def test_the_zip_is_named_after_the_version(folder, capsys):
    (folder / "html").mkdir()
    (folder / "html" / "index.html").write_text("a")
    assert main(["release", "zip"]) == 0
    name = f"contrastlib-{__version__}-book"
    assert zipfile.ZipFile(folder / "release" / f"{name}.zip").namelist() == [f"{name}/index.html"]
    assert f"1 files in {folder / 'release' / name}.zip" in capsys.readouterr().out


def test_an_action_is_needed(capsys):
    with pytest.raises(SystemExit):
        main(["release"])
    assert "required: ACTION" in capsys.readouterr().err
