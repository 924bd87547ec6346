"""Box at the top of a page of results: the verdicts on its claims, for the directive ``verdict-box``.

In a page written in Markdown::

    ```{verdict-box} 04_masking
    ```

The box shows the main claims of the page, and folded below them the others, the criteria of all, and a
forest plot for each. It reads the findings from the outputs of the executed notebook, see
:mod:`contrastlib.report.pages.claims`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from contrastlib.report.claims.judging import Finding
from contrastlib.report.claims.populations import POPULATIONS, images_of, images_of_all, number_of_images
from contrastlib.report.claims.records import claims
from contrastlib.report.claims.verdict_tables import (
    LEGEND,
    PAPERS,
    before_holm,
    extent,
    how_judged,
    overall,
    shown,
    title,
    weights,
)
from contrastlib.report.claims.verdicts import WORDS
from contrastlib.report.figures.forest import forest
from contrastlib.report.pages.claims import EXECUTED, claims_in, finding
from contrastlib.report.pages.parts import for_the_book

LATE = "[Criterion set after results were seen.]{.late}"


class VerdictBox(SphinxDirective):
    """The verdicts on the claims of a page. The argument is the name of its notebook."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Parse the box. Called by Sphinx."""
        name = self.arguments[0]
        path = Path(self.env.srcdir) / EXECUTED / f"{name}.ipynb"
        self.env.note_dependency(str(path))
        found = claims_in(json.loads(path.read_text(encoding="utf-8")))
        return self.parse_text_to_nodes(box([found[claim] for claim in claims(name)]))


def box(records: list[Mapping]) -> str:
    """The box in Markdown.

    Args:
        records: Records of the claims of a page, as from
            :func:`contrastlib.report.pages.claims.executed_claims`, in the order of the page.

    Returns:
        The box, which counts the verdicts, shows the main claims, and folds the others and all criteria.
    """
    numbered = list(enumerate(records, 1))
    main = [each for each in numbered if each[1]["main"]] or numbered
    others = [each for each in numbered if each not in main]
    every = claims()
    judged = how_judged(
        [
            replace(every[each["id"]], population=each["population"], measure=each["measure"])
            for each in records
        ]
    )
    folded = f"How each claim is judged{f', and {len(others)} more claims' if others else ''}"
    shared = {record["population"] for _, record in main} if len(main) > 1 else set()
    common = _population(*shared) if len(shared) == 1 else ""
    parts = [
        ":::::{div} verdict-box",
        f"{counts(records)} [All claims](../claims.md). {common}",
        *(item(number, record, not common) for number, record in main),
        f"::::{{dropdown}} {folded}",
        *(item(number, record) for number, record in others),
        judged,
        LEGEND,
        weights(_networks(records)),
        *filter(None, (plots(number, record) for number, record in numbered)),
        "::::\n:::::",
    ]
    return for_the_book("\n\n".join(parts) + "\n")


def counts(records: Iterable[Mapping]) -> str:
    """How many claims have which verdict at each scale, in a sentence.

    >>> counts([{"findings": {"quick": {"word": "supported"}, "real": {"word": "no boxes"}}}])
    '**1 claim.** Drawn birds: ✓ 1 supported.'
    """
    records = list(records)
    sentences = [f"**{len(records)} claim{'s' * (len(records) > 1)}.**"]
    for scale in POPULATIONS:
        words = Counter(record["findings"].get(scale, {}).get("word") for record in records)
        found = [f"{each.sign} {words[word]} {word}" for word, each in WORDS.items() if words[word]]
        sentences += [f"{images_of_all(scale, records)}: {', '.join(found)}."] * bool(found)
    return " ".join(sentences)


def item(number: int, record: Mapping, with_population: bool = True) -> str:
    """A claim with its verdicts, effects and population, and a flag if its criterion was set late.

    Args:
        number: Number of the claim on the page.
        record: Record of the claim.
        with_population: Whether the population is named.

    Returns:
        The claim in Markdown.
    """
    where = ", ".join(filter(None, [PAPERS[record["paper"]], record["section"]]))
    late = f" {LATE}" if record["set_before"] is not True else ""
    lines = [f":::{{div}} verdict-item\n**{number}.** {record['text']} [{where}]{{.where}}{late}"]
    for scale in POPULATIONS:
        found = finding(record, scale)
        if found:
            lines.append(_line(scale, found, record.get("format", "")))
    if with_population and record["population"]:
        lines.append(_population(record["population"]))
    return "\n\n".join([*lines, ":::"])


def plots(number: int, record: Mapping) -> str:
    """A forest plot of the effects on a claim at each scale, in Markdown. Empty if it was not judged."""
    parts = [
        f"{images_of(scale, found.effects)}{number_of_images(found.images, found.networks)}\n"
        f"{plot(record, found)}"
        for scale in POPULATIONS
        if (found := finding(record, scale)) and found.effects
    ]
    if not parts:
        return ""
    pictures = "\n\n".join(parts)
    return f":::{{div}} verdict-plots\n**{number}.** {_measure(record)}\n\n{pictures}\n:::"


def plot(record: Mapping, found: Finding) -> str:
    """The forest plot of a finding, in Markdown."""
    effects = {title(name): value for name, value in found.effects.items()}
    intervals = {title(name): ends for name, ends in found.intervals.items()}
    picture = forest(
        effects,
        intervals,
        record["format"],
        record["measure"],
        found.overall,
        record["bound"],
        record["smallest"],
    )
    return f"```{{raw}} html\n{picture}\n```"


def badge(word: str) -> str:
    """A verdict with its sign, in the colour of what it says of the claim, in Markdown.

    >>> badge("undecided")
    '[? undecided]{.verdict-badge .open}'
    """
    return f"[{WORDS[word].sign} {word}]{{.verdict-badge .{WORDS[word].colour}}}"


def _networks(records: Iterable[Mapping]) -> list[str]:
    """Networks of all findings, each once."""
    found = [each for record in records for each in record["findings"].values()]
    return list(dict.fromkeys(network for each in found for network in each.get("effects", ())))


def _measure(record: Mapping) -> str:
    return f"{record['measure'][0].upper()}{record['measure'][1:]}."


def _population(text: str) -> str:
    return f"[{text[0].upper()}{text[1:]}.]{{.population}}" if text else ""


def _line(scale: str, found: Finding, form: str) -> str:
    images = images_of(scale, found.effects)
    if found.word not in WORDS:
        return f"[– {images}]{{.untested}}: {found.word}."
    counts = found.said.removeprefix(found.word)
    effects = [each for each in (extent(found, form), overall(found, form)) if each]
    effects[:1] = [f"Effect {first}" for first in effects[:1]]
    more = "".join(f" {each[0].upper()}{each[1:]}." for each in effects)
    text = f"{badge(found.word)} {images}{counts}.{more}"
    notes = [before_holm(found), *(f"{name}: {shown(variant)}" for name, variant in found.variants.items())]
    variants = "; ".join(filter(None, notes))
    return f"{text} [{variants[0].upper()}{variants[1:]}.]{{.variants}}" if variants else text
