"""Verdicts on claims, computed from tables.

:func:`judge` computes a :class:`Finding` for each scale from a claim and tables, and
:func:`contrastlib.report.claims.multiplicity.corrected` adjusts the findings of a page. They are the basis of
the verdict tables of the notebooks (:mod:`contrastlib.report.claims.verdict_tables`), of the claims page and
of ``claims.json`` (:mod:`contrastlib.report.pages.claims`).
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import pandas as pd

from contrastlib.evaluation.statistics import distinct_methods
from contrastlib.report.claims.cell_counts import counted
from contrastlib.report.claims.estimates import Estimate, of_networks, over_families
from contrastlib.report.claims.records import Claim, Evidence
from contrastlib.report.claims.verdicts import AGAINST, verdict, verdict_on

SCALES = ("quick", "real", "paper")
NOTHING = "no cell to judge"
ENOUGH_FAMILIES = 5
"""From so many families on, the t-distribution makes the interval less than 1.5 times as wide."""
_WORST = {1: min, -1: max, 0: lambda values: values.abs().max()}
"""Direction of a criterion -> the value that is worst for it."""


@dataclass(frozen=True)
class Finding:
    """Verdict on a claim from the tables of one scale.

    Attributes:
        word: Verdict about the networks that were run, a key of
            :data:`contrastlib.report.claims.verdicts.WORDS`, or the reason for the lack of one.
        effects: Network -> its mean effect.
        intervals: Network -> ends of its 95 % interval. Empty if a bound decides.
        overall: Mean over families of networks, and the ends of its interval. Empty if a bound decides.
        families: Number of families.
        general: Verdict by the mean over families, a key of ``WORDS``. Empty if there is one family only, or
            if a bound decides.
        general_p: Its p-value, or the one adjusted for the claims of the page. None without such a verdict.
        networks: Number of networks, also of those without a value.
        supporting: Number of networks whose own interval or value supports the claim.
        opposing: Number of networks whose own interval or value is against it, or that have no value.
        small: Number of those whose effect is too small to matter.
        p: p-value of the hypothesis that the verdict rejects, 1 for "undecided". None if a bound decides.
        adjusted: The p-value after Holm's correction within the page.
        uncorrected: Verdict without that correction, if it is another one.
        images: Number of images of all networks. None if the table has no images.
        variants: Name of a variant -> its finding.
        without: Network -> verdict without that network, if it is another one than before the correction.
            That fewer networks leave a claim undecided is no such case.
        before: Verdict and counts by the rule of :mod:`contrastlib.report.claims.cell_counts`.
    """

    word: str
    effects: Mapping[str, float] = field(default_factory=dict)
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    overall: tuple[float, ...] = ()
    families: int = 0
    general: str = ""
    general_p: float | None = None
    networks: int = 0
    supporting: int = 0
    opposing: int = 0
    small: int = 0
    p: float | None = None
    adjusted: float | None = None
    uncorrected: str = ""
    images: int | None = None
    variants: Mapping[str, Finding] = field(default_factory=dict)
    without: Mapping[str, str] = field(default_factory=dict)
    before: str = ""

    @property
    def said(self) -> str:
        """The verdict, and of several networks how many support the claim and how many are against it.

        >>> Finding("undecided", networks=2, supporting=1).said
        'undecided (1 of 2 networks for it)'
        >>> Finding("undecided", networks=4, supporting=1, opposing=3, small=2).said
        'undecided (1 of 4 networks for it, 1 against, 2 too small to matter)'
        >>> Finding("supported", networks=1, supporting=1).said
        'supported'
        """
        if self.networks < 2:
            return self.word
        against = f", {self.opposing - self.small} against" * (self.opposing > self.small)
        small = f", {self.small} too small to matter" * bool(self.small)
        return f"{self.word} ({self.supporting} of {self.networks} networks for it{against}{small})"

    @property
    def generalisation(self) -> str:
        """What the mean over families says of other networks, in a phrase.

        >>> Finding("supported", families=3, general="undecided").generalisation
        'over 3 families of networks: undecided, too few families'
        >>> Finding("supported", families=6, general="supported").generalisation
        'over 6 families of networks: supported'
        >>> Finding("supported", families=1).generalisation
        'one family of networks'
        """
        if not self.general:
            return "one family of networks" * (self.families == 1)
        few = ", too few families" * (self.general == "undecided" and self.families < ENOUGH_FAMILIES)
        return f"over {self.families} families of networks: {self.general}{few}"


def judge(claim: Claim, tables: Mapping[str, pd.DataFrame], **parameters: Any) -> dict[str, Finding]:
    """Verdicts on a claim at each scale, without the correction for the other claims of the page.

    Args:
        claim: The record.
        tables: Scale -> table of the study that the evidence of the claim names.
        **parameters: Parameters of the notebook. They replace ``{name}`` in the values that the evidence
            selects. Those that are options of the function of effects are passed to it.

    Returns:
        Scale -> finding.
    """
    scales = [scale for scale in SCALES if scale in tables or scale in claim.untested]
    return {scale: _finding(claim, scale, tables.get(scale), parameters) for scale in scales}


def selected(table: pd.DataFrame, evidence: Evidence, parameters: Mapping) -> pd.DataFrame:
    """Rows of a table that count. There are none if all selected rows are left out.

    Args:
        table: Table of a study.
        evidence: Evidence that selects rows.
        parameters: Parameters of the notebook.

    Returns:
        The selected rows.

    Raises:
        ValueError: The table lacks a column, or no row is selected.
    """
    for column, value in (*evidence.select.items(), *evidence.leave_out.items()):
        if column not in table:
            raise ValueError(
                f"{evidence.study} has no column {column!r} to select {value!r} in; it has {', '.join(table)}"
            )
    for column, value in evidence.select.items():
        table = table[_matches(table, column, value, parameters)]
    if table.empty:
        raise ValueError(f"no row of {evidence.study} has {dict(evidence.select)}")
    for column, value in evidence.leave_out.items():
        table = table[~table[column].isin(_list(value))]
    return table


def as_records(claim: Claim, findings: Mapping[str, Finding]) -> dict:
    """Convert a claim and its findings to plain values for ``claims.json``."""
    record = {key: value for key, value in asdict(claim).items() if key not in ("evidence", "variants")}
    record["findings"] = {
        scale: asdict(finding) | {"said": finding.said, "generalisation": finding.generalisation}
        for scale, finding in findings.items()
    }
    if claim.evidence:
        record["study"], record["format"] = claim.evidence.study, claim.evidence.format
        record["criterion"] = claim.evidence.criterion.sentence()
        record["bound"], record["smallest"] = claim.evidence.criterion.bound, claim.smallest
    return record


def scales_of(tables: Mapping[str, Mapping[str, pd.DataFrame]]) -> list[str]:
    """Scales that occur in tables, in order.

    >>> scales_of({"study": {"real": pd.DataFrame(), "quick": pd.DataFrame()}})
    ['quick', 'real']
    """
    return [scale for scale in SCALES if any(scale in each for each in tables.values())]


def _finding(claim: Claim, scale: str, table: pd.DataFrame | None, parameters: Mapping) -> Finding:
    if scale in claim.untested:
        return Finding(claim.untested[scale])
    variants = {
        name: _judged(evidence, claim.smallest, table, parameters)
        for name, evidence in claim.variants.items()
        if _leaves_out_rows(evidence, claim.evidence, table)
    }
    variants = {name: found for name, found in variants.items() if found.word != NOTHING}
    return replace(_judged(claim.evidence, claim.smallest, table, parameters), variants=variants)


def _leaves_out_rows(variant: Evidence, main: Evidence, table: pd.DataFrame) -> bool:
    """Whether a variant leaves out other rows than the main evidence and the table has any of them.

    A variant without a certain network applies only if the table has that network.
    """
    if variant.leave_out == main.leave_out:
        return True
    return any(table[column].isin(_list(unwanted)).any() for column, unwanted in variant.leave_out.items())


def _judged(evidence: Evidence, smallest: float | None, table: pd.DataFrame, parameters: Mapping) -> Finding:
    rows = selected(table, evidence, parameters)
    if rows.empty:
        return Finding(NOTHING)
    cells = _cells(rows, evidence, parameters)
    if evidence.fewest:
        cells = cells[cells["groups"] >= evidence.fewest]
        if cells.empty:
            return Finding("too few photographs")
    if cells.empty:
        return Finding(NOTHING)
    networks = of_networks(cells, _WORST[evidence.criterion.direction])
    images = int(rows.groupby("network")["image"].nunique().sum()) if "image" in rows else None
    return replace(
        _found(networks, evidence, smallest), images=images, before=counted(cells, evidence.criterion)
    )


def _cells(rows: pd.DataFrame, evidence: Evidence, parameters: Mapping) -> pd.DataFrame:
    """Effects of all cells, of equal methods only the first."""
    options = _accepted(evidence.function, {**parameters, "samples": True}) | dict(evidence.options)
    cells = evidence.function(rows, **options)
    if not evidence.count_once:
        return cells
    keys = dict.fromkeys([*evidence.options.get("by", ()), "contrast", "image"])
    keys = [key for key in keys if key in rows and key not in ("network", "method")]
    return cells.merge(distinct_methods(rows, evidence.count_once, keys))


def _found(networks: Mapping[str, Estimate | None], evidence: Evidence, smallest: float | None) -> Finding:
    """The finding of networks with their estimates, without its variants."""
    criterion = evidence.criterion
    word, p = verdict(networks, criterion, smallest)
    known = {name: each for name, each in networks.items() if each}
    sides = [verdict_on(each, criterion, smallest)[0] for each in known.values()]
    overall = None if p is None else over_families(known)
    if overall and overall.families > 1 and any(each.low is None for each in known.values()):
        overall = None  # a network without an interval would count as if its effect were known exactly
    several = overall and overall.families > 1
    general, general_p = verdict_on(overall, criterion, smallest) if several else ("", None)
    return Finding(
        word,
        {name: each.mean for name, each in known.items()},
        {} if p is None else {name: each.ends for name, each in known.items()},
        (overall.mean, *overall.ends) if overall else (),
        overall.families if overall else 0,
        general,
        general_p,
        len(networks),
        sides.count("supported"),
        sum(side in AGAINST for side in sides) + len(networks) - len(known),
        sides.count("no effect that matters"),
        p,
        without=_without_one(networks, word, evidence, smallest),
    )


def _without_one(
    networks: Mapping[str, Estimate | None], word: str, evidence: Evidence, smallest: float | None
) -> dict[str, str]:
    """Network -> verdict without it, if it is another one and not "undecided"."""
    found = {}
    for left_out in networks if len(networks) > 1 else ():
        rest = {name: each for name, each in networks.items() if name != left_out}
        other, _ = verdict(rest, evidence.criterion, smallest)
        if other not in (word, "undecided"):
            found[left_out] = other
    return found


def _accepted(function: Callable, parameters: Mapping) -> dict:
    """The parameters that a function has; options of the bootstrap if the function accepts any options."""
    known = inspect.signature(function).parameters
    any_option = any(each.kind is each.VAR_KEYWORD for each in known.values())
    names = {*known, *(("resamples", "samples") if any_option else ())}
    return {key: value for key, value in parameters.items() if key in names}


def _matches(table: pd.DataFrame, column: str, value: Any, parameters: Mapping) -> pd.Series:
    if value == "last":
        return table[column] == table.groupby("network")[column].transform("last")
    if isinstance(value, str):
        value = value.format_map(parameters)
        compared = re.fullmatch(r"([<>]=?)\s*([-+.\deE]+)", value)
        if compared:
            return table.eval(f"`{column}` {compared[1]} {float(compared[2])!r}")
    return table[column].isin(_list(value))


def _list(value: Any) -> Sequence:
    return value if isinstance(value, (list, tuple)) else [value]
