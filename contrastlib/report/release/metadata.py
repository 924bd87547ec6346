"""Metadata of a release in the formats that archives and indexes read, all made from ``CITATION.cff``.

``CITATION.cff`` has title, authors and abstract, and is edited by hand. Its version and date are written from
``contrastlib.__version__`` and ``CHANGELOG.md``. The findings in brief in ``README.md`` are written from the
stored notebooks. Three files are generated from ``CITATION.cff``:

- ``codemeta.json``: CodeMeta 3.0, https://w3id.org/codemeta/3.0
- ``.zenodo.json``: what Zenodo reads from a repository
- ``codecheck.yml``: the manifest of CODECHECK 1.0, https://codecheck.org.uk/spec/config/1.0/
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

import yaml

from contrastlib import __version__
from contrastlib.assets.writing import write
from contrastlib.report.pages.citation import full_name
from contrastlib.report.pages.claims import executed_claims
from contrastlib.report.pages.titles import titles
from contrastlib.report.release.readme import with_findings
from contrastlib.report.results.provenance import REPOSITORY

HEADING = re.compile(r"^## (\S+) \((unreleased|\d{4}-\d\d-\d\d)\)$", re.MULTILINE)
"""Heading of a version in ``CHANGELOG.md``."""
PAGES = "_build/html/book/executed"


def write_metadata(root: Path = REPOSITORY) -> list[str]:
    """Write the metadata of the version.

    Args:
        root: Folder of the repository.

    Returns:
        Names of the files that changed.

    Raises:
        ValueError: As for :func:`metadata`.
    """
    texts = metadata(root)
    changed = [
        name
        for name, text in texts.items()
        if not (root / name).exists() or (root / name).read_text(encoding="utf-8") != text
    ]
    for name in changed:
        write(root / name, texts[name].encode())
    return changed


def metadata(root: Path = REPOSITORY) -> dict[str, str]:
    """Name of each file of metadata -> its content.

    Args:
        root: Folder of the repository.

    Raises:
        ValueError: As for :func:`release_date`, for
            :func:`~contrastlib.report.pages.claims.executed_claims`, and for
            :func:`~contrastlib.report.release.readme.with_findings`.
    """
    readme = (root / "README.md").read_text(encoding="utf-8")
    date = release_date((root / "CHANGELOG.md").read_text(encoding="utf-8"))
    citation = versioned((root / "CITATION.cff").read_text(encoding="utf-8"), __version__, date)
    record = yaml.safe_load(citation)
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {
        "CITATION.cff": citation,
        "codemeta.json": _json(codemeta(record, project)),
        ".zenodo.json": _json(zenodo(record)),
        "codecheck.yml": yaml.safe_dump(
            codecheck(record, titles(root)), sort_keys=False, allow_unicode=True, width=110
        ),
        "README.md": with_findings(readme, executed_claims(root / "notebooks")),
    }


def release_date(changelog: str, version: str = __version__) -> str:
    r"""Date of a version, from the first heading of the changelog. Empty before its release.

    Args:
        changelog: Content of ``CHANGELOG.md``.
        version: The version.

    Raises:
        ValueError: The first heading is of another version, or there is none.

    >>> release_date("# Changelog\n\n## 1.2.0 (2026-12-01)\n", "1.2.0")
    '2026-12-01'
    >>> release_date("## 1.2.0 (unreleased)", "1.2.0")
    ''
    """
    found = HEADING.search(changelog)
    if found is None or found[1] != version:
        raise ValueError(
            f"the first version of CHANGELOG.md is {found[1] if found else 'missing'}, and "
            f"contrastlib.__version__ is {version}: write a heading such as '## {version} (unreleased)'"
        )
    return found[2].removeprefix("unreleased")


def versioned(citation: str, version: str, date: str) -> str:
    r"""``CITATION.cff`` with version and date. All else, comments too, remains.

    Args:
        citation: Text of the file.
        version: The version.
        date: Date of the release in the form 2026-12-01. Empty if it is not released.

    Returns:
        Text of the new file.

    >>> versioned("version: 0\nlicense: MIT", "1.2.0", "2026-12-01")
    'version: 1.2.0\ndate-released: 2026-12-01\nlicense: MIT'
    >>> versioned("version: 0\ndate-released: 2026-12-01\n", "1.2.0", "")
    'version: 1.2.0\n'
    """
    undated = re.sub(r"^date-released: .*\n", "", citation, flags=re.MULTILINE)
    lines = f"version: {version}" + f"\ndate-released: {date}" * bool(date)
    return re.sub(r"^version: .*$", lines, undated, flags=re.MULTILINE)


def codemeta(record: Mapping, project: Mapping) -> dict:
    """The record of CodeMeta.

    Args:
        record: Content of ``CITATION.cff``.
        project: Table ``project`` of ``pyproject.toml``.
    """
    return _given(
        {
            "@context": "https://w3id.org/codemeta/3.0",
            "@type": "SoftwareSourceCode",
            "identifier": record.get("doi", project["name"]),
            "name": record["title"],
            "description": record["abstract"].strip(),
            "version": record["version"],
            "datePublished": str(record.get("date-released", "")),
            "license": f"https://spdx.org/licenses/{record['license']}",
            "author": [schema_author(each) for each in record["authors"]],
            "keywords": record["keywords"],
            "codeRepository": record.get("repository-code"),
            "url": record.get("url"),
            "programmingLanguage": "Python",
            "runtimePlatform": f"Python {project['requires-python']}",
            "softwareRequirements": project["dependencies"],
            "readme": "README.md",
            "releaseNotes": "CHANGELOG.md",
            "referencePublication": [
                {"@type": "ScholarlyArticle", "name": each["title"], "url": each["url"]}
                for each in record["references"]
            ],
        }
    )


def schema_author(author: Mapping) -> dict:
    """An author of ``CITATION.cff`` in the terms of schema.org.

    >>> schema_author({"given-names": "Ann", "family-names": "Lee", "affiliation": "A"})["familyName"]
    'Lee'
    >>> schema_author({"name": "The authors"})
    {'@type': 'Organization', 'name': 'The authors'}
    """
    if "name" in author:
        return {"@type": "Organization", "name": author["name"]}
    affiliation = author.get("affiliation")
    return _given(
        {
            "@type": "Person",
            "@id": author.get("orcid"),
            "givenName": author["given-names"],
            "familyName": author["family-names"],
            "affiliation": {"@type": "Organization", "name": affiliation} if affiliation else None,
        }
    )


def zenodo(record: Mapping) -> dict:
    """The record of Zenodo.

    Args:
        record: Content of ``CITATION.cff``.
    """
    return _given(
        {
            "title": record["title"],
            "upload_type": "software",
            "description": record["abstract"].strip(),
            "creators": [
                _given(
                    {
                        "name": full_name(each),
                        "affiliation": each.get("affiliation"),
                        "orcid": each.get("orcid", "").removeprefix("https://orcid.org/"),
                    }
                )
                for each in record["authors"]
            ],
            "version": record["version"],
            "publication_date": str(record.get("date-released", "")),
            "license": record["license"].lower(),
            "access_right": "open",
            "language": "eng",
            "keywords": record["keywords"],
            "related_identifiers": [
                {"identifier": each["url"], "relation": "references", "scheme": "url"}
                for each in record["references"]
            ],
        }
    )


def codecheck(record: Mapping, pages: Mapping[str, str]) -> dict:
    """The manifest of CODECHECK: the outputs that ``make book`` reproduces. The checker adds the rest.

    Args:
        record: Content of ``CITATION.cff``.
        pages: As from ``contrastlib.report.pages.titles.titles``.
    """
    outputs = {"_build/html/claims.json": "Every claim with its verdicts, effects and intervals"}
    outputs |= {
        f"{PAGES}/{name}.html": f"Figures and tables of the page {title}" for name, title in pages.items()
    }
    return _given(
        {
            "version": "https://codecheck.org.uk/spec/config/1.0/",
            "source": record.get("repository-code"),
            "paper": _given(
                {
                    "title": record["title"],
                    "authors": [
                        _given({"name": full_name(each), "ORCID": each.get("orcid", "").rpartition("/")[2]})
                        for each in record["authors"]
                    ],
                    "reference": record.get("doi") or record.get("url"),
                }
            ),
            "manifest": [{"file": file, "comment": comment} for file, comment in outputs.items()],
        }
    )


def _given(record: Mapping) -> dict:
    """The fields that have a value."""
    return {key: value for key, value in record.items() if value}


def _json(record: Mapping) -> str:
    return json.dumps(record, indent=2, ensure_ascii=False) + "\n"
