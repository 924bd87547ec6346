"""How the papers are cited on pages, and how to cite the report and each of its pages, in BibTeX."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

import yaml
from docutils import nodes
from sphinx.util.docutils import SphinxDirective
from sphinxcontrib.bibtex.style.referencing import BracketStyle, PersonStyle
from sphinxcontrib.bibtex.style.referencing.author_year import AuthorYearReferenceStyle

from contrastlib.report.results.provenance import REPOSITORY

ENTRY = """@misc{{{key},
  title   = {{{title}}},
  author  = {{{authors}}},
  year    = {{{year}}},
  note    = {{Version {version}{page}}}{url}
}}"""


@dataclass
class AuthorAndYear(AuthorYearReferenceStyle):
    """Citations of papers as the notebooks write them: Wang & Wang (2022), Gu et al. (2018)."""

    person: PersonStyle = field(default_factory=partial(PersonStyle, sep2=" & ", other=" et al."))
    bracket_textual: BracketStyle = field(default_factory=partial(BracketStyle, "(", ")"))
    bracket_parenthetical: BracketStyle = field(default_factory=partial(BracketStyle, "(", ")"))


class Citation(SphinxDirective):
    """The entry of the whole report."""

    def run(self) -> list[nodes.Node]:
        """Return the entry as a block of code. Called by Sphinx."""
        text = entry(year=self.config.copyright, url=self.config.html_baseurl)
        return [nodes.literal_block(text, text, language="bibtex")]


def entry(page: str = "", title: str = "", year: str = "", url: str = "") -> str:
    """BibTeX entry of the report, or of a page of it, from ``CITATION.cff``.

    Args:
        page: Name of the page, such as ``book/claims``. Empty for the whole report.
        title: Title of the page.
        year: Year of publication.
        url: Address of the published book, if it is known.

    Returns:
        The entry.

    >>> print(entry("book/claims", "Claims", "2026", "https://example.org/"))
    @misc{contrastlib-claims,
      title   = {Claims. In: Why not other classes? A living ...},
      author  = {{The contrastlib authors}},
      year    = {2026},
      note    = {Version ..., page book/claims.html},
      url     = {https://example.org/book/claims.html}
    }
    """
    record = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text(encoding="utf-8"))
    stop = "" if title.endswith(("?", "!")) else "."
    where = f"{url.rstrip('/')}/{page}.html" if page else url
    return ENTRY.format(
        key="-".join(["contrastlib", *([page.rpartition("/")[2]] if page else [])]),
        title=f"{title}{stop} In: {record['title']}" if page else record["title"],
        authors=" and ".join(map(_author, record["authors"])),
        year=year,
        version=record["version"],
        page=f", page {page}.html" if page else "",
        url=f",\n  url     = {{{where}}}" if url else "",
    )


def _author(author: Mapping) -> str:
    """An author in BibTeX, where braces keep the name of a group whole.

    >>> _author({"name": "The authors"}), _author({"given-names": "Ann", "family-names": "Lee"})
    ('{The authors}', 'Lee, Ann')
    """
    return full_name(author) if "family-names" in author else f"{{{author['name']}}}"


def full_name(author: Mapping) -> str:
    """Name of an author of ``CITATION.cff``, the family name of a person first.

    >>> full_name({"given-names": "Ann", "family-names": "Lee"}), full_name({"name": "The authors"})
    ('Lee, Ann', 'The authors')
    """
    return author.get("name") or f"{author['family-names']}, {author['given-names']}"


def cite_this_page(page: str, source: str, year: str, url: str) -> str:
    """Folded section in Markdown with the entry of a page, whose title is the first heading of its source.

    Args:
        page: Path of the page without its ending.
        source: Markdown of the page.
        year: Year of the edition.
        url: Address of the book, or empty text.

    Returns:
        The section.

    >>> print(cite_this_page("book/claims", "# Claims", "2026", ""))
    <details class="cite"><summary>Cite this page</summary>
    <BLANKLINE>
    ```bibtex
    @misc{contrastlib-claims,
    ...
    """
    heading = re.search(r"^# (.+)$", source, re.MULTILINE)
    title = re.sub(r"[`*{}$]", "", heading[1]) if heading else page
    own = entry(page, title, year, url)
    return f'<details class="cite"><summary>Cite this page</summary>\n\n```bibtex\n{own}\n```\n\n</details>\n'
