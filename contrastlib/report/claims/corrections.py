"""Corrections in notebooks: their display, and the effects that notebooks measure.

A notebook displays a record (:mod:`contrastlib.report.claims.correction_records`) with :func:`entry` and
shows what it measures as an :class:`Effect`, whose number and text stay in the metadata of the output. From
both the book makes the page of corrections, the letters to the authors and ``corrections.json``
(:mod:`contrastlib.report.pages.corrections`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

from IPython.display import Markdown

from contrastlib.report.claims.correction_records import Correction, correction, corrections

KEY = "contrastlib_effects"
"""Key of the effects in the metadata of an output."""
LIST = "05_corrections.ipynb"
"""Notebook that lists all corrections."""
SHOWN = {"Printed": "printed", "Corrected": "corrected", "Why": "derivation"}
FOLLOWS = {
    "Published numbers": "published",
    "Consequence": "consequence",
    "Not measured": "unmeasured",
    "First seen by": "credit",
    "Not read": "not_read",
}
"""Names of the paragraphs of an entry in a notebook, and of those that the list adds, and their fields."""


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
        f'<span id="{each.anchor}"></span>\n\n{_section(each, SHOWN | FOLLOWS)}' for each in every
    )
    head = f"<details open><summary>All {len(every)} entries</summary>"
    return Markdown(f"{head}\n\n{sections}\n\n</details>\n")


def _section(found: Correction, names: Mapping[str, str], *more: str) -> str:
    """A section that opens, with the paragraphs of these names that are not empty, and more of them."""
    head = f"{found.number}. {in_html(found.title)} ({found.status})"
    parts = [paragraph(name, text) for name, field in names.items() if (text := getattr(found, field))]
    return "\n\n".join([f"<details><summary>{head}</summary>", *parts, *more, "</details>"])


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
