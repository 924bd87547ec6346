"""Verdicts: what the estimates of a measurement say of a claim, in one word.

The word is about the networks that were run, a fixed set: each of them has to say it. It is an
intersection-union test (Berger 1982), so its p-value is the largest of the networks', and no correction for
their number is needed. What is said of other networks is a second question, which has the same words: the
summary over families of networks answers it.

On one page, each of the two sets of words has one that is wrong in at most 5 % of the cases: p-values are
two-sided, a word is about one side, and Holm's correction is for the number of claims.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from operator import ge, gt, le, lt

import numpy as np

from contrastlib.report.claims.estimates import LEVEL, Estimate

COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "at_least": ge,
    "more_than": gt,
    "at_most": le,
    "less_than": lt,
    "within": lambda value, bound: abs(value) < bound,
}
IN_WORDS = {
    "at_least": "at least",
    "more_than": "more than",
    "at_most": "at most",
    "less_than": "less than",
    "within": "within ±",
}
SIDES = {"above": "more_than", "below": "less_than"}


@dataclass(frozen=True)
class Word:
    """How a verdict is shown.

    Attributes:
        sign: One character.
        colour: Class of the style sheet.
        meaning: When it is given, as Markdown. *Effect* is the effect in the direction of the claim.
    """

    sign: str
    colour: str
    meaning: str


WORDS = {
    "supported": Word(
        "✓",
        "holds",
        "the interval of every network lies on the claimed side of the bound, and its effect is at least the "
        "smallest one of interest",
    ),
    "undecided": Word("?", "open", "none of the others: the interval of a network is too wide"),
    "differs between networks": Word(
        "≠",
        "partly",
        "a network supports the claim, another one is against it, and their intervals lie apart",
    ),
    "no effect that matters": Word(
        "=",
        "fails",
        "the interval of every network lies between minus and plus the smallest effect of interest",
    ),
    "refuted": Word(
        "✗",
        "fails",
        "the interval of every network lies below the smallest effect of interest: the effect goes the other "
        "way, or is too small. Where the bound itself is the smallest effect: it lies on its other side",
    ),
}
"""Verdict -> how it is shown, from the best for a claim to the worst."""
AGAINST = ("refuted", "no effect that matters")


@dataclass(frozen=True)
class Criterion:
    """Condition for an effect to support a claim: it is on one side of a bound, or within ± of it.

    Attributes:
        intervals: "above" or "below". None if ``value`` is given.
        value: "at_least", "more_than", "at_most", "less_than", or "within" for an absolute value below the
            bound. None if ``intervals`` is given.
        bound: The bound.

    Raises:
        ValueError: Both or none of ``intervals`` and ``value`` are given, or one of them is unknown.

    >>> Criterion(value="at_least", bound=0.8).sentence()
    'the effect is at least 0.8'
    >>> Criterion(intervals="above", bound=0.9999999999).sentence()
    'the effect is more than 0.9999999999'
    """

    intervals: str | None = None
    value: str | None = None
    bound: float = 0.0

    def __post_init__(self) -> None:
        if (self.intervals is None) == (self.value is None):
            raise ValueError("a criterion names one of intervals (above, below) and value")
        if self.intervals not in (None, *SIDES) or self.value not in (None, *COMPARISONS):
            raise ValueError(
                f"intervals lie above or below, values are {', '.join(COMPARISONS)}; got "
                f"{self.intervals or self.value!r}"
            )

    @property
    def comparison(self) -> str:
        """Key of ``COMPARISONS``."""
        return self.value or SIDES[self.intervals]

    @property
    def direction(self) -> int:
        """1 if large effects support the claim, -1 if small ones do, and 0 if those near 0 do."""
        return {"at_least": 1, "more_than": 1, "within": 0}.get(self.comparison, -1)

    def holds(self, value: float) -> bool:
        """Whether a value meets the criterion."""
        return bool(COMPARISONS[self.comparison](value, self.bound))

    def sentence(self) -> str:
        """The criterion in words."""
        return f"the effect is {IN_WORDS[self.comparison]} {_number(self.bound)}"


def sign_of(word: str | None) -> str:
    """Sign of a verdict, and a dash for the reason for the lack of one.

    >>> sign_of("refuted"), sign_of("no boxes")
    ('✗', '–')
    """
    return WORDS[word].sign if word in WORDS else "–"


def verdict_on(estimate: Estimate, criterion: Criterion, smallest: float | None) -> tuple[str, float]:
    """Verdict on a claim by one estimate, with the p-value of the hypothesis that it rejects.

    Without an interval, the mean stands for both of its ends, and an effect of interest is undecided: images
    that all have the same value do not tell how many others have it.

    Args:
        estimate: The estimate.
        criterion: The criterion.
        smallest: Smallest effect of interest. None if it is the bound of the criterion.

    Returns:
        A key of ``WORDS``, and the two-sided p-value, which is below 0.05 if there is an interval. It is 1 if
        the verdict is "undecided".

    >>> above = Criterion(intervals="above", bound=0)
    >>> [verdict_on(Estimate(mean, mean - 0.1, mean + 0.1), above, 0.2)[0] for mean in (0.3, 0.15, 0.0, -0.3)]
    ['supported', 'undecided', 'no effect that matters', 'refuted']
    """
    if criterion.direction == 0:
        return _within(estimate, criterion.bound)
    if smallest is not None and estimate.low is None:
        return "undecided", 1.0
    low, high = sorted(estimate.ends, key=lambda end: criterion.direction * end)
    threshold = criterion.bound if smallest is None else criterion.direction * smallest
    large_enough = smallest is None or criterion.direction * (estimate.mean - threshold) >= 0
    if criterion.holds(low) and large_enough:
        return "supported", estimate.p(criterion.bound)
    if smallest is None:
        return ("undecided", 1.0) if criterion.holds(high) else ("refuted", estimate.p(threshold))
    if max(map(abs, estimate.ends)) < smallest:
        return "no effect that matters", max(estimate.p(smallest), estimate.p(-smallest))
    too_small = criterion.direction * (threshold - high) > 0
    return ("refuted", estimate.p(threshold)) if too_small else ("undecided", 1.0)


def verdict(
    networks: Mapping[str, Estimate | None], criterion: Criterion, smallest: float | None
) -> tuple[str, float | None]:
    """Verdict on a claim about the networks that were run, by the estimate of each.

    It is the word on which all networks agree; if all are against the claim, but in different words, it is
    "refuted". If some support it and some are against it, it is "differs between networks", unless no two of
    these have intervals that lie apart after a correction for the number of networks. Otherwise it is
    "undecided".

    Args:
        networks: Network -> its estimate. None if it has no value, which is against the claim.
        criterion: The criterion.
        smallest: As in :func:`verdict_on`.

    Returns:
        A key of ``WORDS``, and the p-value: the largest one of the networks, 1 for "undecided", or None if no
        network has an interval.

    Raises:
        ValueError: There is no network.

    >>> two = {"a": Estimate(0.3, 0.2, 0.4), "b": Estimate(0.5, 0.3, 0.7)}
    >>> verdict(two, Criterion(intervals="above"), 0.01)[0]
    'supported'
    >>> verdict(two | {"b": Estimate(-0.3, -0.4, -0.2)}, Criterion(intervals="above"), 0.01)[0]
    'differs between networks'
    """
    if not networks:
        raise ValueError("a verdict needs at least one network, and there is none")
    found = {
        name: verdict_on(each, criterion, smallest) if each else ("refuted", 0.0)
        for name, each in networks.items()
    }
    words = {word for word, _ in found.values()}
    if all(each is None or each.low is None for each in networks.values()):
        return (words.pop() if len(words) == 1 else "differs between networks"), None
    if words == {"supported"} or words <= set(AGAINST):
        return (words.pop() if len(words) == 1 else "refuted"), max(p for _, p in found.values())
    apart = _apart(networks, found)
    return ("differs between networks", apart) if apart < 1 - LEVEL else ("undecided", 1.0)


def holm(values: Sequence[float]) -> list[float]:
    """p-values adjusted by Holm (1979), so that those below 0.05 err together in at most 5 % of the cases.

    >>> [round(value, 2) for value in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(values, kind="stable").astype(int)
    factors = np.arange(len(values), 0, -1)
    adjusted = np.empty(len(values))
    adjusted[order] = np.minimum(np.maximum.accumulate(factors * np.asarray(values, dtype=float)[order]), 1)
    return adjusted.tolist()


def _apart(networks: Mapping[str, Estimate | None], found: Mapping[str, tuple[str, float]]) -> float:
    """p-value of the hypothesis that no network supports a claim that another one is against.

    It is multiplied by the number of networks, as if each interval were widened for that number.
    """
    sides = ([name for name, (word, _) in found.items() if word in side] for side in (["supported"], AGAINST))
    pairs = [max(found[a][1], found[b][1], _equal(networks[a], networks[b])) for a, b in product(*sides)]
    return min(1.0, len(found) * min(pairs, default=1.0))


def _equal(a: Estimate, b: Estimate | None) -> float:
    """p-value that two effects are equal, below 0.05 if and only if their intervals lie apart."""
    if b is None:
        return 0.0
    return Estimate(a.mean - b.mean, a.ends[0] - b.ends[1], a.ends[1] - b.ends[0]).p(0.0)


def _within(estimate: Estimate, bound: float) -> tuple[str, float]:
    low, high = estimate.ends
    if -bound < low and high < bound:
        return "supported", max(estimate.p(bound), estimate.p(-bound))
    if low >= bound or high <= -bound:
        return "refuted", estimate.p(bound if low >= bound else -bound)
    return "undecided", 1.0


def _number(bound: float) -> str:
    """Six digits of a bound, or ten if six would be a whole number that it is not."""
    short = f"{bound:g}"
    return f"{bound:.10g}" if float(short).is_integer() and float(short) != bound else short
