"""Corrections of the papers, as records.

``book/corrections/PAPER.yaml`` has the corrections of one paper. :class:`Correction` documents the fields of
a record, :class:`Paper` those of a file. :mod:`contrastlib.report.claims.corrections` displays them in
notebooks, and :mod:`contrastlib.report.pages.corrections` in the book.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from functools import lru_cache
from pathlib import Path

import yaml

from contrastlib.report.results.provenance import REPOSITORY

FOLDER = REPOSITORY / "book" / "corrections"
STATUSES = {
    "error in an equation": "An equation or definition as printed does not give what the paper uses or says.",
    "error in a statement": "A sentence, caption or header says something that does not hold.",
    "code and text differ": "The public code, or what was run, does something else than the text says.",
    "ambiguity": "The text can be read in two ways, and they give different results.",
    "our reading": "No error. A limit or a remark that a reader of the paper should know.",
    "holds": "We suspected an error. There is none.",
    "not checked": "Reported by others. We could not check it.",
}
PUBLISHED = ("affected", "not affected", "not known")


@dataclass(frozen=True)
class Code:
    """A place in public code.

    Attributes:
        repository: Owner and name on GitHub.
        commit: Hash of the commit, of 7 digits or more.
        file: Path in the repository.
        line: Number of the line.
        shows: What the line shows, as Markdown.
    """

    repository: str
    commit: str
    file: str
    line: int
    shows: str

    @property
    def address(self) -> str:
        """Address of the line.

        >>> Code("owner/name", "0481589", "utils.py", 76, "the layer").address
        'https://github.com/owner/name/blob/0481589/utils.py#L76'
        """
        return f"https://github.com/{self.repository}/blob/{self.commit}/{self.file}#L{self.line}"


@dataclass(frozen=True)
class Correction:
    r"""A place of a paper that is in error, or that we suspected to be, with all that is known about it.

    Texts are Markdown with formulas in LaTeX. Links to notebooks have the form ``05_corrections.ipynb``, and
    links to corrections the form ``#erratum-1``.

    Attributes:
        number: Number over all papers. It stays when other corrections come or go.
        id: Unique identifier, in words joined by hyphens.
        title: Heading.
        paper: Key of the bibliography, which is the name of the file.
        section: Section of the paper, or its table or figure.
        equation: Equation of the paper. Empty if it has no number, or no equation is meant.
        status: One of ``STATUSES``.
        printed: The form in print or in code: an equation, or the few words in question.
        corrected: The corrected form. Of a correct form, under which conditions it holds.
        derivation: Proof of the corrected form, and counterexample of the printed one.
        published_numbers: One of ``PUBLISHED``: whether numbers that the paper publishes depend on the error.
        published_why: Reason for that.
        consequence: What it means for the conclusions of the paper, and for who builds on it.
        credit: Who saw it first.
        code: Places in public code.
        not_read: Parts of the paper that may answer the question and that are not at hand.
        tests: Identifiers of the tests that prove the corrected form and disprove the printed one.
        page: Notebook that measures the effect. Empty if it is not measured.
        unmeasured: Why no effect is measured, or why there is no test.
        claims: Identifiers of the claims whose verdicts belong to the effect.
        also: Keys of other papers that it concerns. The letters to their authors name it too.
    """

    number: int
    id: str
    title: str
    paper: str
    section: str
    status: str
    printed: str
    corrected: str
    derivation: str
    published_numbers: str
    published_why: str
    consequence: str
    credit: str
    equation: str = ""
    code: tuple[Code, ...] = ()
    not_read: str = ""
    tests: tuple[str, ...] = ()
    page: str = ""
    unmeasured: str = ""
    claims: tuple[str, ...] = ()
    also: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.status not in STATUSES:
            raise ValueError(f"status is {self.status!r}, not one of {', '.join(STATUSES)}")
        if self.published_numbers not in PUBLISHED:
            raise ValueError(
                f"published_numbers is {self.published_numbers!r}, not one of {', '.join(PUBLISHED)}"
            )
        if not (self.page or self.unmeasured):
            raise ValueError("name the page that measures the effect, or say in unmeasured why none does")
        if not (self.tests or self.unmeasured):
            raise ValueError("name the tests that prove it, or say in unmeasured why there is none")

    @property
    def anchor(self) -> str:
        """Target of links to this correction."""
        return f"erratum-{self.number}"

    @property
    def published(self) -> str:
        """Whether it affects published numbers, and why."""
        return f"{self.published_numbers.capitalize()}. {self.published_why}"


@dataclass(frozen=True)
class Paper:
    """The corrections of one paper, and what a letter to its authors says.

    Attributes:
        key: Key of the bibliography, which is the name of the file.
        authors: Names for the address of the letter.
        title: Title of the paper.
        not_read: Parts of the paper that are not at hand.
        asks: Questions to the authors, as Markdown.
        corrections: The records.
    """

    key: str
    authors: str
    title: str
    not_read: str
    asks: tuple[str, ...]
    corrections: tuple[Correction, ...]

    @property
    def tests(self) -> str:
        """File of the tests of its corrections."""
        return f"tests/corrections/test_{self.key}.py"


@lru_cache
def papers(folder: Path = FOLDER) -> dict[str, Paper]:
    """Papers with their corrections, by the keys of the bibliography.

    Args:
        folder: Folder of the files.

    Returns:
        Key -> paper, the latest first.

    Raises:
        ValueError: A record is incomplete, has an unknown field or value, or repeats a number or identifier.
            The message names file and record.
    """
    paths = sorted(folder.glob("*.yaml"), key=lambda path: path.stem[-4:], reverse=True)
    found = {path.stem: _read(path) for path in paths}
    for name in ("number", "id"):
        seen: dict = {}
        for paper in found.values():
            for each in paper.corrections:
                value = getattr(each, name)
                if value in seen:
                    raise ValueError(
                        f"{paper.key}.yaml and {seen[value]}.yaml: two corrections have the {name} {value!r}"
                    )
                seen[value] = paper.key
    for each in (each for paper in found.values() for each in paper.corrections):
        if unknown := set(each.also) - set(found):
            raise ValueError(f"correction {each.number}: also names {unknown.pop()!r}, which has no file")
    return found


def corrections(folder: Path = FOLDER) -> dict[int, Correction]:
    """All corrections by their numbers, in order.

    Args:
        folder: Folder of the files.

    Returns:
        Number -> correction.
    """
    every = [each for paper in papers(folder).values() for each in paper.corrections]
    return {each.number: each for each in sorted(every, key=lambda each: each.number)}


def correction(number: int) -> Correction:
    """The correction with a number.

    Raises:
        ValueError: There is none.
    """
    every = corrections()
    if number not in every:
        raise ValueError(f"no correction has the number {number!r}; there are {min(every)} to {max(every)}")
    return every[number]


def of_claims() -> dict[str, list[int]]:
    """Numbers of the corrections that name a claim, by the identifiers of the claims."""
    found: dict[str, list[int]] = {}
    for number, each in corrections().items():
        for name in each.claims:
            found.setdefault(name, []).append(number)
    return found


def _read(path: Path) -> Paper:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    entries = content.pop("corrections", [])
    found = tuple(_correction(path, entry) for entry in entries)
    _check(path.name, content, Paper, known={"key", "corrections"})
    return Paper(key=path.stem, corrections=found, **{**content, "asks": tuple(content["asks"])})


def _correction(path: Path, entry: dict) -> Correction:
    name = f"{path.name}, correction {entry.get('number', entry.get('title'))!r}"
    _check(name, entry, Correction, known={"paper"})
    code = entry.pop("code", [])
    for place in code:
        _check(f"{name}, code", place, Code)
    lists = {key: tuple(entry.pop(key, ())) for key in ("tests", "claims", "also")}
    try:
        return Correction(paper=path.stem, code=tuple(Code(**place) for place in code), **lists, **entry)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _check(name: str, entry: Mapping, record: type, known: set[str] = frozenset()) -> None:
    """Check that an entry has the fields of a record, apart from those known without it."""
    own = [each for each in fields(record) if each.name not in known]
    unknown = set(entry) - {each.name for each in own}
    missing = {each.name for each in own if each.default is MISSING} - set(entry)
    if unknown or missing:
        raise ValueError(
            f"{name}: " + (f"unknown {sorted(unknown)}" if unknown else f"{sorted(missing)} missing")
        )
