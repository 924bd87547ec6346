"""Metadata of the version: one source, and nothing that differs from it."""

import json
import re
import shutil

import pytest
import yaml

import contrastlib
from contrastlib.report.release import metadata
from contrastlib.report.release.readme import with_findings
from contrastlib.report.results.provenance import REPOSITORY

PERSON = {
    "given-names": "Ann",
    "family-names": "Lee",
    "affiliation": "A",
    "orcid": "https://orcid.org/0000-0000-0000-0001",
}
SOURCES = (
    "CITATION.cff",
    "CHANGELOG.md",
    "pyproject.toml",
    "book/claims/04_masking.yaml",
    "README.md",
)


@pytest.fixture
def root(tmp_path):
    """A repository with one page of claims."""
    for name in SOURCES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REPOSITORY / name, tmp_path / name)
    (tmp_path / "notebooks").symlink_to(REPOSITORY / "notebooks")
    return tmp_path


def edited(root, **fields):
    record = yaml.safe_load((root / "CITATION.cff").read_text()) | fields
    (root / "CITATION.cff").write_text(yaml.safe_dump(record, sort_keys=False))


def test_the_files_of_the_repository_are_up_to_date():
    for name, text in metadata.metadata().items():
        assert (REPOSITORY / name).read_text(encoding="utf-8") == text, f"{name}: run `make metadata`"


def test_the_version_stands_in_one_place():
    project = (REPOSITORY / "pyproject.toml").read_text()
    assert 'dynamic = ["version"]' in project and 'version = {attr = "contrastlib.__version__"}' in project
    assert yaml.safe_load((REPOSITORY / "CITATION.cff").read_text())["version"] == contrastlib.__version__


def test_one_place_is_left_to_the_owner():
    lines = (REPOSITORY / "CITATION.cff").read_text().splitlines()
    (number,) = [index for index, line in enumerate(lines) if "FOR THE OWNER" in line]
    assert lines[number - 1] == "authors:"


def test_a_person_in_that_place_is_in_all_files(root):
    edited(root, authors=[PERSON], doi="10.1234/5")
    assert metadata.write_metadata(root) == ["codemeta.json", ".zenodo.json", "codecheck.yml"]
    assert metadata.write_metadata(root) == []
    author = json.loads((root / "codemeta.json").read_text())["author"][0]
    assert author == {
        "@type": "Person",
        "@id": PERSON["orcid"],
        "givenName": "Ann",
        "familyName": "Lee",
        "affiliation": {"@type": "Organization", "name": "A"},
    }
    creator = json.loads((root / ".zenodo.json").read_text())["creators"][0]
    assert creator == {"name": "Lee, Ann", "affiliation": "A", "orcid": "0000-0000-0000-0001"}
    paper = yaml.safe_load((root / "codecheck.yml").read_text())["paper"]
    assert (
        paper["authors"] == [{"name": "Lee, Ann", "ORCID": "0000-0000-0000-0001"}]
        and paper["reference"] == "10.1234/5"
    )


def test_the_date_of_a_release(root):
    changelog = (root / "CHANGELOG.md").read_text().replace("(unreleased)", "(2026-12-24)", 1)
    (root / "CHANGELOG.md").write_text(changelog)
    assert "CITATION.cff" in metadata.write_metadata(root)
    assert (
        f"version: {contrastlib.__version__}\ndate-released: 2026-12-24\n"
        in (root / "CITATION.cff").read_text()
    )
    assert json.loads((root / "codemeta.json").read_text())["datePublished"] == "2026-12-24"
    assert json.loads((root / ".zenodo.json").read_text())["publication_date"] == "2026-12-24"


@pytest.mark.parametrize("changelog", ["# Changelog\n", "## 9.9.9 (unreleased)\n"])
def test_a_changelog_of_another_version_is_refused(changelog):
    with pytest.raises(ValueError, match="write a heading such as '## 0"):
        metadata.release_date(changelog)


def test_the_manifest_has_every_page_with_claims():
    manifest = yaml.safe_load((REPOSITORY / "codecheck.yml").read_text())["manifest"]
    pages = {path.stem for path in (REPOSITORY / "book" / "claims").glob("*.yaml")}
    assert [each["file"] for each in manifest] == [
        "_build/html/claims.json",
        *(f"{metadata.PAGES}/{page}.html" for page in sorted(pages)),
    ]


def test_the_findings_in_the_readme_are_those_of_the_stored_notebooks(root):
    readme = root / "README.md"
    readme.write_text(readme.read_text().replace("A contrast changes the answer", "Nothing changes"))
    assert "README.md" in metadata.write_metadata(root)
    assert readme.read_text() == (REPOSITORY / "README.md").read_text()
    linked = re.findall(r"\]\((notebooks/\w+\.ipynb)\)", readme.read_text())
    assert linked and all((REPOSITORY / name).is_file() for name in linked)


def test_a_readme_without_their_place_is_refused():
    with pytest.raises(ValueError, match="no place for the findings"):
        with_findings("# A report", {})
