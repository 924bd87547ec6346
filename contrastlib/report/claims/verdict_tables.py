"""Display of the claims of a notebook: their text, their criteria and their verdicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from contrastlib import assets
from contrastlib.report.claims.judging import Finding, as_records, judge, scales_of
from contrastlib.report.claims.multiplicity import corrected
from contrastlib.report.claims.records import Claim, claims
from contrastlib.report.claims.verdicts import WORDS, sign_of
from contrastlib.report.markdown import markdown_table

KEY = "contrastlib_claims"
"""Key of the records in the metadata of an output."""
PAPERS = {
    "wang2022": "Wang & Wang 2022",
    "eriksson2025": "Eriksson et al. 2025",
    "gu2018": "Gu et al. 2018",
    "zhang2025": "Zhang et al. 2025",
    "williamson2025": "Williamson et al. 2025",
    "walter2026": "Walter et al. 2026",
    "ours": "ours",
}
LEGEND = (
    " ".join(f"{each.sign} *{word}*: {each.meaning}." for word, each in WORDS.items())
    + " The verdict is about the networks that were run. In brackets: how many of them alone are for the "
    "claim, and how many are against it. Then come the smallest and largest effect of a network, the mean of "
    "its cells, and the range of all 95 % intervals. The same words over families of networks are about "
    "other networks: they rest on the mean over families with its interval. A family has the mean of its "
    "networks. An interval over few families is wide, and may leave the range of the measure. Both are "
    "corrected for the number of claims of the page (Holm). † The criterion was set, or changed, after "
    "results had been seen."
)
PHOTOGRAPHS = (
    "Photographs are stored as JPEG. Those of ImageNet are very probably training images of these networks."
)


class VerdictTable:
    """Verdicts on the claims of one notebook, as Markdown. The metadata of the output contains the values.

    Attributes:
        findings: Claim -> scale -> finding.
    """

    def __init__(self, findings: Mapping[Claim, Mapping[str, Finding]], scales: list[str]) -> None:
        self.findings, self.scales = dict(findings), list(scales)

    def __repr__(self) -> str:
        """One line for each claim with the verdicts alone, which do not depend on the machine."""
        return "\n".join(
            f"{claim.id}: " + ", ".join(f"{scale} {finding.word}" for scale, finding in found.items())
            for claim, found in self.findings.items()
        )

    def markdown(self) -> str:
        """The table, followed by a folded section with the criterion of each claim."""
        head = ["", "claim", *self.scales]
        rows = [
            self._row(number, claim, found) for number, (claim, found) in enumerate(self.findings.items(), 1)
        ]
        return (
            f"{markdown_table(head, rows)}\n\n"
            "<details><summary>How each claim is judged, and what would refute it</summary>\n\n"
            f"{how_judged(list(self.findings))}\n\n{LEGEND}\n\n{weights(self._networks())}\n\n</details>\n"
        )

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> tuple[dict, dict]:
        records = {claim.id: as_records(claim, found) for claim, found in self.findings.items()}
        return {"text/plain": repr(self), "text/markdown": self.markdown()}, {KEY: records}

    def _networks(self) -> list[str]:
        """Networks of all findings, each once."""
        found = [finding for each in self.findings.values() for finding in each.values()]
        return list(dict.fromkeys(network for finding in found for network in finding.effects))

    def _row(self, number: int, claim: Claim, found: Mapping[str, Finding]) -> list[str]:
        verdicts = [_cell(claim, found[scale]) if scale in found else "not run" for scale in self.scales]
        return [str(number), stated(claim), *verdicts]


def verdict_table(
    page: str, tables: Mapping[str, Mapping[str, pd.DataFrame]], **parameters: Any
) -> VerdictTable:
    """Judge all claims of a notebook.

    Args:
        page: Name of the notebook, such as "04_masking".
        tables: Study -> scale -> table, for all studies that the claims of the page name.
        **parameters: Parameters of the notebook; see :func:`contrastlib.report.claims.judging.judge`.

    Returns:
        The verdicts.

    Raises:
        ValueError: The table of a study that a claim needs is missing.
    """
    findings = {}
    for claim in claims(page).values():
        if claim.evidence and claim.evidence.study not in tables:
            raise ValueError(
                f"claim {claim.id} rests on {claim.evidence.study}; tables were given of {', '.join(tables)}"
            )
        findings[filled_in(claim, parameters)] = judge(
            claim, tables[claim.evidence.study] if claim.evidence else {}, **parameters
        )
    return VerdictTable(corrected(findings), scales_of(tables))


def filled_in(claim: Claim, parameters: Mapping) -> Claim:
    """Replace names of parameters in braces in the population and measure of a claim by their values."""
    changed = {}
    for name in ("population", "measure"):
        text = getattr(claim, name)
        for key, value in parameters.items():
            text = text.replace(f"{{{key}}}", str(value))
        changed[name] = text
    return replace(claim, **changed)


def shown(finding: Finding) -> str:
    """A verdict with its sign, and those of its variants.

    >>> variants = {"each method counted": Finding("undecided", networks=2, supporting=1)}
    >>> shown(Finding("refuted", networks=1, opposing=1, variants=variants))
    '✗ refuted; each method counted: ? undecided (1 of 2 networks for it)'
    """
    variants = "".join(f"; {name}: {shown(variant)}" for name, variant in finding.variants.items())
    return f"{sign_of(finding.word)} {finding.said}{variants}"


def _cell(claim: Claim, finding: Finding) -> str:
    """A verdict, its effects and its variants, each on a line."""
    lines = [shown(replace(finding, variants={}))]
    if finding.effects:
        form = claim.evidence.format
        lines += filter(None, [extent(finding, form), before_holm(finding), overall(finding, form)])
    lines += [f"<small>{name}: {shown(variant)}</small>" for name, variant in finding.variants.items()]
    return "<br>".join(lines)


def overall(finding: Finding, form: str) -> str:
    """What is said of other networks, and the mean over families with its interval.

    >>> found = Finding("supported", overall=(0.25, 0.125, 0.5), families=3, general="supported")
    >>> overall(found, "+.2f").replace("\N{NO-BREAK SPACE}", " ")
    'over 3 families of networks: supported, +0.25 [+0.12, +0.50]'
    """
    if not finding.overall:
        return ""
    mean, *ends = finding.overall
    effect = f"{mean:{form}} {_between(ends, form)}"
    parts = [finding.generalisation, effect] if finding.general else [effect, finding.generalisation]
    return ", ".join(filter(None, parts))


def extent(finding: Finding, form: str) -> str:
    """Smallest and largest mean effect of a network, and the range of the intervals of all networks.

    Empty if the only network's effect is shown already.

    >>> intervals = {"birds_vgg": (0.125, 0.375), "birds_resnet": (0.25, 0.75)}
    >>> found = Finding("supported", {"birds_vgg": 0.25, "birds_resnet": 0.5}, intervals)
    >>> extent(found, ".1f").replace("\N{NO-BREAK SPACE}", " ")
    '0.2 to 0.5 by network, all intervals within [0.1, 0.8]'
    >>> extent(Finding("supported", {"birds_vgg": 0.25}), ".0%")
    '25%'
    """
    values = finding.effects.values()
    if len(values) < 2:
        return "" if finding.overall else "".join(f"{value:{form}}" for value in values)
    effects = " to ".join(dict.fromkeys(f"{value:{form}}" for value in (min(values), max(values))))
    ends = [end for interval in finding.intervals.values() for end in interval]
    intervals = f", all intervals within {_between([min(ends), max(ends)], form)}" if ends else ""
    return f"{effects} by network{intervals}"


def _between(ends: Sequence[float], form: str) -> str:
    """Ends of an interval, which stay on one line."""
    return "[" + ",\N{NO-BREAK SPACE}".join(f"{end:{form}}" for end in ends) + "]"


def before_holm(finding: Finding) -> str:
    """The verdict without Holm's correction, if it is another one.

    >>> before_holm(Finding("undecided", uncorrected="supported"))
    'without the correction for the number of claims: ✓ supported'
    """
    if not finding.uncorrected:
        return ""
    return f"without the correction for the number of claims: {shown(Finding(finding.uncorrected))}"


def effects(claim: Claim, found: Mapping[str, Finding]) -> str:
    """Smallest and largest mean effect of the networks at each scale."""
    if claim.evidence is None:
        return ""
    parts = [
        f"{scale} {spread(finding.effects, claim.evidence.format)}"
        for scale, finding in found.items()
        if finding.effects
    ]
    return "; ".join(parts)


def spread(values: Mapping[str, float], form: str) -> str:
    """Smallest and largest of some values, with the titles of their networks.

    >>> spread({"birds_vgg": 0.25, "birds_resnet": 0.5}, ".0%")
    '25% (small VGG) to 50% (small ResNet)'
    >>> spread({"birds_vgg": 0.25}, "+.2f")
    '+0.25 (small VGG)'
    """
    ends = list(dict.fromkeys([min(values, key=values.get), max(values, key=values.get)]))
    return " to ".join(f"{values[name]:{form}} ({title(name)})" for name in ends)


def title(network: str) -> str:
    """Title of a network of the registry. Other names remain."""
    record = assets.described(network)
    return record.title if record else network


def weights(networks: Sequence[str]) -> str:
    """State of the weights of networks, and of the photographs that they see, in Markdown.

    >>> print(weights(["mobilenet_v2", "birds_vgg"]))
    State of the weights:
    <BLANKLINE>
    - MobileNet V2: quantised to 8 bits in training, here turned back into real numbers
    - small VGG: trained by this project
    <BLANKLINE>
    Photographs are stored as JPEG. Those of ImageNet are very probably training images of these networks.
    """
    states: dict[str, list[str]] = {}
    records = [record for name in networks if (record := assets.network(name))]
    for record in records:
        states.setdefault(_state(record), []).append(record.title)
    if not states:
        return ""
    lines = [f"- {', '.join(titles)}: {state}" for state, titles in states.items()]
    photographs = ["", PHOTOGRAPHS] if any(record.files for record in records) else []
    return "\n".join(["State of the weights:", "", *lines, *photographs])


def stated(claim: Claim) -> str:
    """The claim with its section and paper, and a dagger if its criterion was set late."""
    where = ", ".join(filter(None, [PAPERS[claim.paper], claim.section]))
    return f"{claim.text} <small>({where})</small>{' †' * (claim.set_before is not True)}"


def how_judged(page: Sequence[Claim]) -> str:
    """Measure, population, criterion and refutation of claims in Markdown.

    Claims that share all of these are listed together.
    """
    shared: dict[str, list[str]] = {}
    for number, claim in enumerate(page, 1):
        shared.setdefault(_rule(claim), []).append(str(number))
    lines = [f"- **{', '.join(numbers)}**: {rule}" for rule, numbers in shared.items()]
    return "\n".join(
        lines + [f"- **{number}**: {claim.note}" for number, claim in enumerate(page, 1) if claim.note]
    )


def _rule(claim: Claim) -> str:
    if claim.evidence is None:
        return "not tested."
    late = "" if claim.set_before is True else f" Set after results were seen: {claim.set_before}."
    population = f" Population: {claim.population}." if claim.population else ""
    return (
        f"measured is the {claim.measure}.{population} The claim is that "
        f"{claim.evidence.criterion.sentence()}. Smallest effect of interest: {claim.smallest_effect}.{late}"
    )


def _state(record: assets.Network) -> str:
    return "trained by this project" if record.training else record.state or "as published"
