"""The book as a zip."""

import zipfile

import pytest

from contrastlib.report.release.archive import pack


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "html"
    (folder / "book").mkdir(parents=True)
    for name in ("index.html", "book/a.html", "book/a.own.html"):
        (folder / name).write_text(name)
    return folder


def test_it_unpacks_to_one_folder_with_all_pages_of_the_book(folder, tmp_path):
    assert pack(folder, tmp_path / "book.zip") == 2
    with zipfile.ZipFile(tmp_path / "book.zip") as archive:
        assert archive.namelist() == ["book/book/a.html", "book/index.html"]
        archive.extractall(tmp_path / "read")
    assert (tmp_path / "read/book/book/a.html").read_text() == "book/a.html"


def test_the_same_files_make_the_same_bytes(folder, tmp_path):
    pack(folder, tmp_path / "one.zip")
    first = (tmp_path / "one.zip").read_bytes()
    (folder / "index.html").touch()
    pack(folder, tmp_path / "one.zip")
    assert (tmp_path / "one.zip").read_bytes() == first


def test_a_book_that_is_not_built(tmp_path):
    with pytest.raises(FileNotFoundError, match="run `make book`"):
        pack(tmp_path / "none", tmp_path / "book.zip")
