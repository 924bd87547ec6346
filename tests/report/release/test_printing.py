"""Which pages are printed."""

import re

import pytest

from contrastlib.report.release import printing
from contrastlib.report.results.provenance import REPOSITORY


def test_every_page_of_the_contents_in_its_order():
    text = (REPOSITORY / "_toc.yml").read_text()
    found = printing.chapters(REPOSITORY / "_toc.yml")
    assert [each.name for each in found] == re.findall(r"(?:root|file): (\S+)", text)
    assert [each.part for each in found if each.part] == re.findall(r"caption: (.+)", text)
    assert [each.name for each in found if each.level == 0] == ["book/index"]
    names = [printing.file_name(each.name) for each in found]
    assert len(set(names)) == len(names)


def test_a_page_that_is_not_built_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no page book/claims: run `make book`"):
        printing.print_pages(["book/claims"], tmp_path, tmp_path / "pdf")


def test_without_a_browser(tmp_path, monkeypatch):
    (tmp_path / "a.html").touch()
    monkeypatch.setattr("contrastlib.report.release.chromium.CHROMIUM", None)
    with pytest.raises(FileNotFoundError, match="install it, such as Debian's package chromium"):
        printing.print_pages(["a"], tmp_path, tmp_path / "pdf")


def test_the_published_address(tmp_path):
    (tmp_path / "_config.yml").write_text("html: {baseurl: 'https://example.org/'}")
    assert printing.published_address(tmp_path / "_config.yml") == "https://example.org/"
    assert printing.published_address(REPOSITORY / "_config.yml") == ""
