"""The findings on the first page, for the directives ``findings`` and ``in-brief``.

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
from contrastlib.report.claims.populations import POPULATIONS, images_of, number_of_images
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


@dataclass(frozen=True)
class Sentence:
    """A sentence of the summary.

    Attributes:
        verdicts: Claims that it rests on, each with the verdict for which it was written.
        text: The sentence, with numbers as in a question.
    """

    verdicts: Mapping[str, str]
    text: str


def in_brief(path: Path = FILE) -> list[Sentence]:
    """The sentences of the summary."""
    return [Sentence(**entry) for entry in yaml.safe_load(path.read_text(encoding="utf-8"))["in brief"]]


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
    - ``{size CLAIM}``: the same without their sign, which has to be the same for all networks.
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
        ValueError: A number is none of these, a claim has no verdict with effects, a share is of a network
            that the other claim lacks, or of an effect of 0, or a size is of effects with both signs.
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
        elif kind == "size":
            if min(values.values()) < 0 < max(values.values()):
                raise ValueError(f"{match[0]}: the effects have both signs")
            values, form = {key: abs(value) for key, value in values.items()}, form.replace("+", "")
        elif kind != "range":
            raise ValueError(f"{match[0]}: a number is a range, a size, a share, a bound or a variant")
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
    _check_verdict(record, question.verdict, f"{question.question} {question.title}")
    form = record["format"]
    paper = ", ".join(filter(None, [PAPERS[record["paper"]], record["section"]]))
    _, *intervals = extent(found, form).partition(", ")
    effect = filled(f"{{range {record['id']}}}", records) + " by network" + "".join(intervals)
    others = overall(found, form) or "a bound decides, no interval"
    counts = found.said.removeprefix(found.word)
    images = images_of(scale, found.effects) + number_of_images(found.images, found.networks)
    late = f" {LATE}" if record["set_before"] is not True else ""
    return f"""::::{{div}} finding
:::{{div}} finding-words
**{number}. {question.title}**

{filled(question.text, records)}

{badge(found.word)} {images}{counts}.{late}

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


def shown_in_brief(sentence: Sentence, records: Mapping[str, Mapping]) -> str:
    """A sentence of the summary in Markdown, as an item of a list.

    Args:
        sentence: The sentence.
        records: As from :func:`~contrastlib.report.pages.claims.executed_claims`.

    Returns:
        The item.

    Raises:
        ValueError: A verdict is another one than that for which the sentence was written.
    """
    for name, verdict in sentence.verdicts.items():
        _check_verdict(records[name], verdict, sentence.text)
    return f"- {filled(sentence.text, records)}"


def _check_verdict(record: Mapping, verdict: str, text: str) -> None:
    """Raise a ValueError unless a claim has the verdict for which a text was written."""
    _, found = best_scale(record)
    if found.word != verdict:
        raise ValueError(
            f"the verdict on {record['id']} is {found.word!r}, and this text was written for {verdict!r}: "
            f"{text} Read it again, then change text and verdict in {FILE.name}"
        )


class InBrief(SphinxDirective):
    """The summary, with a link to the page of each number."""

    def run(self) -> list[nodes.Node]:
        """Parse the sentences. Called by Sphinx."""
        self.env.note_dependency(str(FILE))
        records = executed_claims(Path(self.env.srcdir) / EXECUTED)
        return self.parse_text_to_nodes("\n".join(shown_in_brief(each, records) for each in in_brief()))


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
