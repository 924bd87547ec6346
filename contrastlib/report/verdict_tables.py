"""Display of the claims of a notebook: their text, their criteria and their verdicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from contrastlib import assets
from contrastlib.report.claims import Claim, Finding, as_records, claims, judge, scales_of

KEY = "contrastlib_claims"
"""Key of the records in the metadata of an output."""
SIGNS = {
    "supported": "✓", "mostly supported": "✓", "mixed": "≈", "undecided": "?", "refuted": "✗",
}
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
    "✓ *supported*: every cell supports the claim; *mostly supported*: more than half do, and none opposes "
    "it. ? *undecided*: half or fewer do, and none opposes it. ≈ *mixed*: some oppose it. ✗ *refuted*: more "
    "than half oppose it, or, where a bound decides, none keeps it. In brackets: how many cells support the "
    "claim, of how many; *against*: how many oppose it with their whole interval. Below stand the effect of "
    "the cell in the middle with its 95 % interval, and the smallest and largest mean effect of a network. "
    "† The criterion was set, or changed, after results had been seen."
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
        table = "\n".join("| " + " | ".join(line) + " |" for line in [head, ["---"] * len(head), *rows])
        return (
            f"{table}\n\n<details><summary>How each claim is judged, and what would refute it</summary>\n\n"
            f"{how_judged(list(self.findings))}\n\n{LEGEND}\n\n</details>\n"
        )

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> tuple[dict, dict]:
        records = {claim.id: as_records(claim, found) for claim, found in self.findings.items()}
        return {"text/plain": repr(self), "text/markdown": self.markdown()}, {KEY: records}

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
        **parameters: Parameters of the notebook; see :func:`contrastlib.report.claims.judge`.

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
    return VerdictTable(findings, scales_of(tables))


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

    >>> variants = {"each method counted": Finding("mixed", 1, 1, 3, True)}
    >>> shown(Finding("refuted", 0, 2, 2, True, variants=variants))
    '✗ refuted (0 of 2, 2 against); each method counted: ≈ mixed (1 of 3, 1 against)'
    """
    sign = SIGNS.get(finding.word, "–")
    variants = "".join(f"; {name}: {shown(variant)}" for name, variant in finding.variants.items())
    return f"{sign} {finding.counted}{variants}"


def _cell(claim: Claim, finding: Finding) -> str:
    """A verdict, its effects and its variants, each on a line."""
    lines = [shown(replace(finding, variants={}))]
    if finding.effects:
        form = claim.evidence.format
        lines += filter(None, [middle(finding, form), extent(finding, form)])
    lines += [f"<small>{name}: {shown(variant)}</small>" for name, variant in finding.variants.items()]
    return "<br>".join(lines)


def middle(finding: Finding, form: str) -> str:
    """Effect of the cell in the middle, with its interval if it has one.

    >>> middle(Finding("supported", middle=(0.25, 0.125, 0.5)), "+.2f").replace("\N{NO-BREAK SPACE}", " ")
    '+0.25 [+0.12, +0.50]'
    """
    if not finding.middle:
        return ""
    mean, *ends = (f"{value:{form}}" for value in finding.middle)
    return f"{mean} [{ends[0]},\N{NO-BREAK SPACE}{ends[1]}]" if ends else mean


def extent(finding: Finding, form: str) -> str:
    """Smallest and largest mean effect of a network, if there are several networks.

    >>> extent(Finding("supported", effects={"birds_vgg": 0.25, "birds_resnet": 0.5}), ".0%")
    '25% to 50% by network'
    """
    if len(finding.effects) < 2:
        return ""
    ends = min(finding.effects.values()), max(finding.effects.values())
    return " to ".join(dict.fromkeys(f"{value:{form}}" for value in ends)) + " by network"


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
    record = assets.network(network)
    return record.title if record else network


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
        f"measured is the {claim.measure}.{population} A cell supports the claim if "
        f"{claim.evidence.criterion.sentence()}. The claim is refuted if {claim.refuted}. Smallest effect of "
        f"interest: {claim.smallest_effect}.{late}"
    )
