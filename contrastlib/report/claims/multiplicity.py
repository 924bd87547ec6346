"""Correction of the verdicts of a page for the number of its claims."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import product

from contrastlib.report.claims.estimates import LEVEL
from contrastlib.report.claims.judging import SCALES, Finding
from contrastlib.report.claims.records import Claim
from contrastlib.report.claims.verdicts import holm


def corrected(findings: Mapping[Claim, Mapping[str, Finding]]) -> dict[Claim, dict[str, Finding]]:
    """Findings of the claims of a page after Holm's correction for their number, at each scale.

    A verdict whose adjusted p-value is not below 0.05 becomes "undecided". The verdicts about the networks
    that were run, and those over families, are corrected separately. Claims that a bound decides do not
    count, because no chance enters.

    Args:
        findings: Claim -> scale -> finding, as from :func:`contrastlib.report.claims.judging.judge`.

    Returns:
        The findings with ``adjusted``, and ``uncorrected`` where the verdict changes.
    """
    changed = {claim: dict(found) for claim, found in findings.items()}
    for scale, (field, adjusted) in product(SCALES, {"p": _adjusted, "general_p": _general_adjusted}.items()):
        values = {claim: getattr(found[scale], field) for claim, found in findings.items() if scale in found}
        tested = {claim: p for claim, p in values.items() if p is not None}
        for claim, value in zip(tested, holm(list(tested.values()))):
            changed[claim][scale] = adjusted(changed[claim][scale], value)
    return changed


def _adjusted(finding: Finding, p: float) -> Finding:
    if finding.word == "undecided" or p < 1 - LEVEL:
        return replace(finding, adjusted=p)
    return replace(finding, adjusted=p, word="undecided", uncorrected=finding.word)


def _general_adjusted(finding: Finding, p: float) -> Finding:
    word = finding.general if p < 1 - LEVEL else "undecided"
    return replace(finding, general=word, general_p=p)
