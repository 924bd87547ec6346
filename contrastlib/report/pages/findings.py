"""The findings on the first page, for the directive ``findings``.

``book/findings.yaml`` has the questions, the claims that answer them, and the words. Which claim is shown
follows from a rule, and all numbers from the records of :mod:`contrastlib.report.pages.claims`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml
from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from contrastlib.report.claims.judging import Finding
from contrastlib.report.claims.populations import POPULATIONS, images_of
from contrastlib.report.claims.records import claims
from contrastlib.report.claims.verdict_tables import PAPERS, extent, overall, shown
from contrastlib.report.claims.verdicts import WORDS
from contrastlib.report.pages.claims import EXECUTED, executed_claims, finding
from contrastlib.report.pages.verdict_box import LATE, badge, plot
from contrastlib.report.results.provenance import REPOSITORY

FILE = REPOSITORY / "book" / "findings.yaml"
GROUPS = {
    "cifar10": lambda network: network.startswith("cifar10_"),
    "others": lambda network: not network.startswith("cifar10_"),
}
NAMED = re.compile(r"\{(\w+) ([\w-]+)(?: ([\w-]+))?\}")


@dataclass(frozen=True)
class Question:
    """A question that the first page answers.

    Attributes:
        question: The question.
        candidates: Main claims that answer it, each with what judges it, in words.
        verdict: The verdict for which title and text were written.
        title: The answer in a sentence.
        text: The answer with numbers, which are named in braces: see :func:`filled`.
    """

    question: str
    candidates: Mapping[str, str]
    verdict: str
    title: str
    text: str


def questions(path: Path = FILE) -> tuple[str, list[Question]]:
    """The rule by which findings are selected, and the questions."""
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    return content["rule"], [Question(**entry) for entry in content["findings"]]


def best_scale(record: Mapping) -> tuple[str, Finding]:
    """The scale nearest to the papers at which a claim has a verdict and effects, and the finding there.

    Raises:
        ValueError: There is no such scale.
    """
    for scale in POPULATIONS:
        found = finding(record, scale)
        if found and found.word in WORDS and found.effects:
            return scale, found
    raise ValueError(f"claim {record['id']} has no verdict with effects of networks, so it is no finding")


def chosen(question: Question, records: Mapping[str, Mapping]) -> Mapping:
    """The record of the candidate with the worst verdict, in the order of ``WORDS``.

    Of two with the same verdict, it is the one that the smaller share of its networks supports, then the one
    that the larger share is against.

    Args:
        question: The question.
        records: As from :func:`~contrastlib.report.pages.claims.executed_claims`.

    Returns:
        The record.

    Raises:
        ValueError: A candidate is no main claim.
    """
    minor = [name for name in question.candidates if not records[name]["main"]]
    if minor:
        raise ValueError(f"{', '.join(minor)}: a finding is a main claim of its page")

    def support(name: str) -> tuple[float, float, float]:
        _, found = best_scale(records[name])
        networks = len(found.effects)
        return -list(WORDS).index(found.word), found.supporting / networks, -found.opposing / networks

    return records[min(question.candidates, key=support)]


def filled(text: str, records: Mapping[str, Mapping]) -> str:
    """A text with its numbers in place of their names.

    - ``{range CLAIM}``: smallest and largest effect of a network; ``{range CLAIM GROUP}`` of a group.
    - ``{share CLAIM OTHER}``: smallest and largest share of a network's effect in that on another claim.
    - ``{bound CLAIM}``: the bound of the claim's criterion.
    - ``{variant CLAIM}``: verdicts on the variants of the claim.

    Each number is a link to the page that it comes from.

    Args:
        text: The text.
        records: As from :func:`~contrastlib.report.pages.claims.executed_claims`.

    Returns:
        The text.

    Raises:
        ValueError: A number is none of these, a claim has no verdict with effects, or a share is of a network
            that the other claim lacks, or of an effect of 0.
        KeyError: There is no such claim or group.

    >>> one = {"word": "supported", "effects": {"birds_vgg": 0.1, "birds_resnet": 0.3}, "variants": {}}
    >>> record = {"id": "a", "format": ".0%", "page": "03_maps", "findings": {"real": one}}
    >>> filled("from {range a} of them", {"a": record})
    'from [10% to 30%](executed/03_maps.ipynb) of them'
    """
    def number(match: re.Match) -> str:
        kind, name, other = match.groups()
        if kind == "bound":
            evidence = claims()[name].evidence
            return _link(f"{evidence.criterion.bound:{evidence.format}}", records[name])
        _, found = best_scale(records[name])
        if kind == "variant":
            said = "; ".join(f"{key}: {shown(each)}" for key, each in found.variants.items())
            return f"{said[0].upper()}{said[1:]}"
        values, form = dict(found.effects), records[name]["format"]
        if kind == "share":
            _, whole = best_scale(records[other])
            if impossible := [key for key in values if not whole.effects.get(key)]:
                state = "is 0" if impossible[0] in whole.effects else "is missing"
                raise ValueError(f"{match[0]}: the effect of {impossible[0]} on claim {other} {state}")
            values, form = {key: value / whole.effects[key] for key, value in values.items()}, ".0%"
        elif kind != "range":
            raise ValueError(f"{match[0]}: a number is a range, a share, a bound or a variant")
        elif other:
            values = {key: value for key, value in values.items() if GROUPS[other](key)}
        ends = dict.fromkeys(f"{value:{form}}" for value in (min(values.values()), max(values.values())))
        return _link(" to ".join(ends), records[name])

    return NAMED.sub(number, text)


def shown_finding(number: int, question: Question, records: Mapping[str, Mapping]) -> str:
    """A finding in Markdown: the answer, verdict, effect, interval, judge, population, plot and link.

    Args:
        number: Number of the finding on the page.
        question: The question.
        records: As from :func:`~contrastlib.report.pages.claims.executed_claims`.

    Returns:
        The finding.

    Raises:
        ValueError: The verdict is another one than that for which the title was written.
    """
    record = chosen(question, records)
    scale, found = best_scale(record)
    if found.word != question.verdict:
        raise ValueError(
            f"{question.question} The verdict on {record['id']} is {found.word!r}, and the title was written "
            f"for {question.verdict!r}: read title and text again, then change verdict in {FILE.name}"
        )
    form = record["format"]
    paper = ", ".join(filter(None, [PAPERS[record["paper"]], record["section"]]))
    _, *intervals = extent(found, form).partition(", ")
    effect = filled(f"{{range {record['id']}}}", records) + " by network" + "".join(intervals)
    others = overall(found, form) or "a bound decides, no interval"
    counts = found.said.removeprefix(found.word)
    late = f" {LATE}" if record["set_before"] is not True else ""
    return f"""::::{{div}} finding
:::{{div}} finding-words
**{number}. {question.title}**

{filled(question.text, records)}

{badge(found.word)} {images_of(scale, found.effects)}{counts}.{late}

- Claim: {record["text"]} [{paper}]{{.where}}
- Effect: {effect}.
- Other networks: {others}.
- Judge: {question.candidates[record["id"]]}. [How it was measured](executed/{record["page"]}.ipynb)
:::

:::{{div}} finding-plot
{plot(record, found)}
[{record["measure"][0].upper()}{record["measure"][1:]}]{{.where}}
:::
::::
"""


class FindingsDirective(SphinxDirective):
    """The findings, and the rule by which they are selected."""

    def run(self) -> list[nodes.Node]:
        """Parse the findings. Called by Sphinx."""
        self.env.note_dependency(str(FILE))
        records = executed_claims(Path(self.env.srcdir) / EXECUTED)
        rule, asked = questions()
        parts = [shown_finding(number, each, records) for number, each in enumerate(asked, 1)]
        return self.parse_text_to_nodes("\n".join([*parts, f"*How they were selected.* {rule}"]))


def _link(number: str, record: Mapping) -> str:
    """A number that links to the page of a claim."""
    return f"[{number}](executed/{record['page']}.ipynb)"
