"""Corrections of the papers, as records, and the effects that notebooks measure.

``book/corrections/PAPER.yaml`` has the corrections of one paper. :class:`Correction` documents the fields of
a record, :class:`Paper` those of a file. A notebook displays a record with :func:`entry` and shows what it
measures as an :class:`Effect`, whose number and text stay in the metadata of the output. From both the book
makes the page of corrections, the letters to the authors and ``corrections.json``
(:mod:`contrastlib.report.corrections_page`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from functools import lru_cache
from pathlib import Path

import yaml
from IPython.display import Markdown

from contrastlib.report.provenance import REPOSITORY

FOLDER = REPOSITORY / "book" / "corrections"
KEY = "contrastlib_effects"
"""Key of the effects in the metadata of an output."""
STATUSES = {
    "error in an equation": "An equation or definition as printed does not give what the paper uses or says.",
    "error in a statement": "A sentence, caption or header says something that does not hold.",
    "code and text differ": "The public code, or what was run, does something else than the text says.",
    "ambiguity": "The text can be read in two ways, and they give different results.",
    "our reading": "No error. A limit or a remark that a reader of the paper should know.",
    "holds": "We suspected an error. There is none.",
    "not checked": "Reported by others. We could not check it.",
}
LIST = "05_corrections.ipynb"
"""Notebook that lists all corrections."""
SHOWN = {"Printed": "printed", "Corrected": "corrected", "Why": "derivation"}
FOLLOWS = {
    "Published numbers": "published", "Consequence": "consequence", "Not measured": "unmeasured",
    "First seen by": "credit", "Not read": "not_read",
}
"""Names of the paragraphs of an entry in a notebook, and of those that the list adds, and their fields."""
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


def paragraph(name: str, text: str) -> str:
    r"""A named paragraph in Markdown. A formula, list or code begins a line of its own.

    >>> paragraph("Why", "Because."), paragraph("Printed", "$$x$$")
    ('**Why.** Because.', '**Printed.**\n\n$$x$$')
    """
    own_line = text.startswith(("$$", "- ", "```"))
    return f"**{name}.**" + ("\n\n" if own_line else " ") + text.strip()


def in_html(title: str) -> str:
    """A title with its formulas, which are letters with an index, as HTML: Markdown is not read inside tags.

    >>> in_html("Integrated gradients of $p_t$"), in_html("The $z$ rule")
    ('Integrated gradients of <i>p<sub>t</sub></i>', 'The <i>z</i> rule')
    """
    title = re.sub(r"\$(\w)_(\w)\$", r"<i>\1<sub>\2</sub></i>", title)
    return re.sub(r"\$(\w)\$", r"<i>\1</i>", title)


def entry(number: int) -> Markdown:
    """The correction with a number, for display in a notebook: a section that opens, in Markdown.

    Its links to corrections lead to the notebook that lists all of them.
    """
    found = correction(number)
    text = _section(found, SHOWN, f"[The whole entry](#{found.anchor})") + "\n"
    return Markdown(text.replace("](#erratum-", f"]({LIST}#erratum-"))


def listed() -> Markdown:
    """All corrections, for display in a notebook: a list that opens each, with the target of links above it.

    The list itself is open, because JupyterLab cannot scroll to what is inside a closed one.
    """
    every = corrections().values()
    sections = "\n\n".join(
        f'<span id="{each.anchor}"></span>\n\n{_section(each, SHOWN | FOLLOWS)}' for each in every)
    head = f"<details open><summary>All {len(every)} entries</summary>"
    return Markdown(f"{head}\n\n{sections}\n\n</details>\n")


def _section(found: Correction, names: Mapping[str, str], *more: str) -> str:
    """A section that opens, with the paragraphs of these names that are not empty, and more of them."""
    head = f"{found.number}. {in_html(found.title)} ({found.status})"
    parts = [paragraph(name, text) for name, field in names.items() if (text := getattr(found, field))]
    return "\n\n".join([f"<details><summary>{head}</summary>", *parts, *more, "</details>"])


def of_claims() -> dict[str, list[int]]:
    """Numbers of the corrections that name a claim, by the identifiers of the claims."""
    found: dict[str, list[int]] = {}
    for number, each in corrections().items():
        for name in each.claims:
            found.setdefault(name, []).append(number)
    return found


class Effect:
    """Measured effect of an error, as Markdown. The metadata of the output contains number and text.

    Attributes:
        number: Number of the correction.
        text: Sentence with the measured numbers.

    Raises:
        ValueError: No correction has that number, or the text is empty.
    """

    def __init__(self, number: int, text: str) -> None:
        correction(number)
        if not text.strip():
            raise ValueError(f"the effect of erratum {number} is empty: write what was measured")
        self.number, self.text = number, text

    def __repr__(self) -> str:
        return self.text

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> tuple[dict, dict]:
        shown = {"text/plain": self.text, "text/markdown": f"**Effect.** {self.text}"}
        return shown, {KEY: {str(self.number): self.text}}


def effects_in(notebook: Mapping) -> dict[int, list[str]]:
    """Effects of an executed notebook by the numbers of their corrections.

    >>> outputs = [{"metadata": {KEY: {"6": text}}} for text in ("0.001", "0.002")]
    >>> effects_in({"cells": [{"outputs": outputs}, {}]})
    {6: ['0.001', '0.002']}
    """
    found: dict[int, list[str]] = {}
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            for number, text in output.get("metadata", {}).get(KEY, {}).items():
                found.setdefault(int(number), []).append(text)
    return found


def executed_effects(folder: Path) -> dict[int, dict[str, list[str]]]:
    """Effects of the executed notebooks.

    Args:
        folder: Folder of the executed notebooks.

    Returns:
        Number -> page -> texts.

    Raises:
        ValueError: A notebook has no effect of a correction that names it as its page.
    """
    found: dict[int, dict[str, list[str]]] = {number: {} for number in corrections()}
    for path in sorted(folder.glob("*.ipynb")):
        for number, texts in effects_in(json.loads(path.read_text(encoding="utf-8"))).items():
            found[number][path.stem] = texts
    missing = [each for each in corrections().values() if each.page and each.page not in found[each.number]]
    if missing:
        raise ValueError(
            f"{len(missing)} corrections have no measured effect yet, among them erratum {missing[0].number} "
            f"in {missing[0].page}: show it there as an Effect, and run `make book`"
        )
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
