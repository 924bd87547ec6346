"""Corrections in the book: the page of corrections, the letters to the authors, and ``corrections.json``.

All are made from the records of :mod:`contrastlib.report.claims.correction_records` and from the effects in
the outputs of the executed notebooks, so that a page and the notebook it links to show the same numbers. In a
page written in Markdown::

    ```{corrections}
    ```
    ```{corrections} summary
    ```
    ```{corrections} command
    ```
    ```{letter} wang2022
    ```
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from textwrap import indent

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from contrastlib.report.claims.correction_records import STATUSES, Correction, Paper, corrections, papers
from contrastlib.report.claims.corrections import executed_effects, paragraph
from contrastlib.report.claims.populations import POPULATIONS
from contrastlib.report.claims.verdict_tables import PAPERS, shown
from contrastlib.report.claims.verdicts import WORDS
from contrastlib.report.markdown import markdown_table
from contrastlib.report.pages.claims import EXECUTED, SCALES, executed_claims, finding

Effects = Mapping[str, Sequence[str]]
OPENING = """:::{{note}}
This letter has not been sent. It is printed here so that it can be corrected first. Replies would be printed
below it, unabridged.
:::

Dear {authors},

we have recomputed what we could of your paper, *{title}*. Thank you for a paper that can be checked. Below is
what we found, what it means, and whether published numbers depend on it. Each entry links to the printed
form, the proof, the measured effect and the lines of code in question, and names who saw it first. “A second
reading of our page” is a check of our corrections after their first version. Please tell us where we are
wrong, and where we are unfair.

:::::{{dropdown}} All tests of it in one command, in a clone of this report
```bash
make install
{command}
```
:::::"""


def row(correction: Correction, effects: Effects, verdicts: Sequence[str], folder: str) -> str:
    """A correction as a section that a reader opens, in Markdown.

    Args:
        correction: The record.
        effects: Page -> texts, as from :func:`~contrastlib.report.claims.corrections.executed_effects`.
        verdicts: Items of :func:`verdicts_of`.
        folder: Folder of the executed notebooks, relative to the page.

    Returns:
        The section.
    """
    classes = f"correction paper-{correction.paper} status-{slug(correction.status)}"
    where = ", ".join(filter(None, [PAPERS[correction.paper], correction.section, correction.equation]))
    parts = [f"**Where.** {where}"]
    parts += [paragraph(name, text) for name, text in _texts(correction, effects, verdicts)]
    title = f"{correction.number}. {correction.title} [{where}]{{.where}} [{correction.status}]{{.status}}"
    body = linked("\n\n".join(parts), folder)
    options = f":name: {correction.anchor}\n:class-container: {classes}"
    return f"::::::{{dropdown}} {title}\n{options}\n\n{body}\n::::::\n"


def summary(every: Mapping[int, Correction]) -> str:
    """Table in Markdown with the number of corrections of each paper by status."""
    counts = Counter((each.paper, each.status) for each in every.values())
    keys = [key for key in PAPERS if any(paper == key for paper, _ in counts)]
    rows = [[PAPERS[key], *(str(counts[key, status]) for status in STATUSES)] for key in keys]
    return markdown_table(["paper", *STATUSES], rows)


def command(tests: Iterable[str]) -> str:
    r"""The command that runs some tests, each once.

    >>> print(command(["tests/b.py::two", "tests/a.py::one", "tests/b.py::two"]))
    .venv/bin/python -m pytest \
      tests/a.py::one \
      tests/b.py::two
    """
    return " \\\n  ".join([".venv/bin/python -m pytest", *sorted(set(tests))])


def letter(paper: Paper, records: Mapping[str, Mapping]) -> str:
    """Letter to the authors of a paper in Markdown.

    Args:
        paper: The paper. Corrections of another paper that concern it are named too.
        records: As from :func:`contrastlib.report.pages.claims.executed_claims`.

    Returns:
        The letter: what held, what was found by status, how to check it, and what is asked.
    """
    every = [each for each in corrections().values() if paper.key in (each.paper, *each.also)]
    tests = command(test for each in every for test in each.tests)
    opening = OPENING.format(authors=paper.authors, title=paper.title, command=tests)
    parts = [opening, held(paper.key, records)]
    for status, meaning in STATUSES.items():
        found = [each for each in every if each.status == status]
        if found:
            parts.append(f"**{status.capitalize()}.** {meaning}")
            parts += _items(found, paper.key)
    parts.append(f"**What we have not read.** {paper.not_read}")
    parts.append("**What we ask.**\n\n" + "\n".join(f"1. {ask}" for ask in paper.asks))
    parts.append("The authors of this report")
    return linked("\n\n".join(parts), "../executed")


def held(paper: str, records: Mapping[str, Mapping]) -> str:
    """What held of a paper: its main claims that were tested, and those that are supported.

    A claim has the verdict of the scale that is nearest to the papers, of those that have one.

    Args:
        paper: Key of the paper.
        records: As from :func:`contrastlib.report.pages.claims.executed_claims`.

    Returns:
        A paragraph in Markdown, followed by a list of the supported claims with links to their pages.

    >>> record = {"id": "a", "main": True, "paper": "gu2018", "text": "It holds.", "page": "10_lrp"}
    >>> other = record | {"id": "b", "findings": {"real": {"word": "no boxes"}, "quick": {"word": "refuted"}}}
    >>> record["findings"] = {"real": {"word": "supported"}, "quick": {"word": "undecided"}}
    >>> print(held("gu2018", {"a": record, "b": other}))  # doctest: +ELLIPSIS
    **What held.** Of the 2 main claims ... 1 is supported. The verdicts on the others: refuted 1. All ...
    <BLANKLINE>
    - It holds. ([page](10_lrp.ipynb))
    """
    verdicts: dict[str, list[Mapping]] = {word: [] for word in WORDS}
    for record in records.values():
        if record["paper"] == paper and record["main"]:
            kept = (record["findings"].get(scale, {}).get("word") for scale in POPULATIONS)
            if word := next((each for each in kept if each in WORDS), None):
                verdicts[word].append(record)
    tested = sum(map(len, verdicts.values()))
    supported = verdicts.pop("supported")
    others = ", ".join(f"{word} {len(found)}" for word, found in verdicts.items() if found)
    verb = "is" if len(supported) == 1 else "are"
    main = f"Of the {tested} main claims of the paper that we could test, {len(supported)} {verb} supported."
    sentences = [
        f"**What held.** {main}",
        f"The verdicts on the others: {others}." if others else "",
        "All claims are [on a page of their own](../claims.md).",
    ]
    items = [f"- {record['text']} ([page]({record['page']}.ipynb))" for record in supported]
    return " ".join(filter(None, sentences)) + "\n\n" + "\n".join(items)


def verdicts_of(correction: Correction, records: Mapping[str, Mapping]) -> list[str]:
    """Verdicts on the claims of a correction as items of a list in Markdown.

    Args:
        correction: The record.
        records: As from :func:`contrastlib.report.pages.claims.executed_claims`.

    Returns:
        A text for each claim.

    Raises:
        ValueError: The correction names a claim that does not exist.
    """
    items = []
    for name in correction.claims:
        if name not in records:
            raise ValueError(f"erratum {correction.number}: no claim has the id {name!r}")
        record = records[name]
        words = [f"{scale} {shown(found)}" for scale in SCALES if (found := finding(record, scale))]
        items.append(f"{record['text']} {'; '.join(words)} ([page]({record['page']}.ipynb))")
    return items


def linked(text: str, folder: str) -> str:
    """Text with its links to notebooks relative to another page.

    >>> linked("[three](06_three_classes.ipynb), [one](05_corrections.ipynb#erratum-1)", "executed")
    '[three](executed/06_three_classes.ipynb), [one](#erratum-1)'
    """
    text = re.sub(r"\]\(\d\d_\w+\.ipynb#([\w-]+)\)", r"](#\1)", text)
    return re.sub(r"\]\((\d\d_\w+\.ipynb)\)", rf"]({folder}/\1)", text)


def slug(status: str) -> str:
    """A status as the name of a class.

    >>> slug("error in an equation")
    'error-in-an-equation'
    """
    return status.replace(" ", "-")


class CorrectionsDirective(SphinxDirective):
    """All corrections as sections that open, their number by status ("summary"), or all tests ("command")."""

    optional_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Parse the sections. Called by Sphinx."""
        if self.arguments == ["summary"]:
            return self.parse_text_to_nodes(summary(corrections()))
        if self.arguments == ["command"]:
            files = {test.partition("::")[0] for each in corrections().values() for test in each.tests}
            return self.parse_text_to_nodes(f"```bash\nmake install\n{command(files)}\n```")
        if self.arguments:
            raise self.error(f"{{corrections}} takes nothing, summary or command, not {self.arguments[0]!r}")
        folder = Path(self.env.srcdir) / EXECUTED
        measured, records = executed_effects(folder), executed_claims(folder)
        rows = [
            row(each, measured[number], verdicts_of(each, records), "executed")
            for number, each in corrections().items()
        ]
        box = nodes.container(classes=["corrections"])
        box += self.parse_text_to_nodes("\n".join(rows))
        return [box]


class LetterDirective(SphinxDirective):
    """The letter to the authors of a paper, which the argument names."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Parse the letter. Called by Sphinx."""
        if self.arguments[0] not in papers():
            raise self.error(f"{{letter}} takes one of {', '.join(papers())}, not {self.arguments[0]!r}")
        records = executed_claims(Path(self.env.srcdir) / EXECUTED)
        return self.parse_text_to_nodes(letter(papers()[self.arguments[0]], records))


def write_corrections(app: Sphinx, error: Exception | None) -> None:
    """Write ``corrections.json`` to the folder of the pages of the book."""
    of_the_book = (Path(app.srcdir) / "book" / "corrections").exists()
    if error is None and app.builder.format == "html" and of_the_book:
        measured = executed_effects(Path(app.srcdir) / EXECUTED)
        records = [asdict(each) | {"effects": measured[number]} for number, each in corrections().items()]
        text = json.dumps(records, indent=1, ensure_ascii=False)
        (Path(app.outdir) / "corrections.json").write_text(text + "\n", encoding="utf-8")


def _texts(correction: Correction, effects: Effects, verdicts: Sequence[str]) -> list[tuple[str, str]]:
    """Names and texts of the paragraphs of a row. Empty texts are left out."""
    effect = "\n\n".join(
        f"{text} ([measured here]({page}.ipynb))" for page, texts in effects.items() for text in texts
    )
    code = "\n".join(
        f"- [{place.repository} {place.commit[:7]}, {place.file}, line {place.line}]({place.address}): "
        f"{place.shows}"
        for place in correction.code
    )
    check = f"```bash\n{command(correction.tests)}\n```"
    texts = [
        ("Printed", correction.printed),
        (_corrected(correction), correction.corrected),
        ("Why", correction.derivation),
        ("Published numbers", correction.published),
        ("Measured effect", "\n\n".join([effect, *(f"- {item}" for item in verdicts)]).strip()),
        ("Not measured", correction.unmeasured),
        ("Consequence", correction.consequence),
        ("Code", code),
        ("First seen by", correction.credit),
        ("Not read", correction.not_read),
        ("Check it", check if correction.tests else ""),
    ]
    return [(name, text) for name, text in texts if text]


def _corrected(correction: Correction) -> str:
    """Name of the paragraph with the corrected form."""
    return "Corrected" if correction.status != "holds" else "What holds"


def _items(found: Sequence[Correction], reader: str) -> list[str]:
    """Entries of a letter as a list, and as a folded one those that change no published number."""
    folded = [each for each in found if each.published_numbers == "not affected"]
    shown = [each for each in found if each not in folded]
    parts = ["\n".join(_item(each, reader) for each in shown)] if shown else []
    if folded:
        items = "\n".join(_item(each, reader) for each in folded)
        numbers = ", ".join(str(each.number) for each in folded)
        title = f"{'Erratum' if len(folded) == 1 else 'Errata'} {numbers}: no published number is affected"
        parts.append(f":::::{{dropdown}} {title}\n{items}\n:::::")
    return parts


def _item(correction: Correction, paper: str) -> str:
    """Item of a letter: place, corrected form, consequence, and whether published numbers depend on it."""
    named = PAPERS[correction.paper] if correction.paper != paper else ""
    where = ", ".join(filter(None, [named, correction.section, correction.equation]))
    link = f"[{correction.number}. {correction.title}](#{correction.anchor})"
    texts = {
        _corrected(correction): correction.corrected,
        "Consequence": correction.consequence,
        "Published numbers": correction.published,
        "First seen by": correction.credit,
        "Not read": correction.not_read,
    }
    found = "\n\n".join(paragraph(name, text) for name, text in texts.items() if text)
    return f"- {link}: {where}.\n\n{indent(found, '  ')}\n"
