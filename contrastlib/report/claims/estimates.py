"""One estimate for each network, and a random-effects summary over families of networks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri, stdtr, stdtrit
from statsmodels.stats.meta_analysis import combine_effects

from contrastlib import assets
from contrastlib.evaluation.statistics import interval

LEVEL = 0.95
TAIL = (1 - LEVEL) / 2


@dataclass(frozen=True)
class Estimate:
    """A mean effect with its 95 % interval.

    Attributes:
        mean: The mean.
        low: Lower end of the interval. None if there is no interval.
        high: Upper end.
        families: Number of families that it summarises, 1 for a network.
        groups: Number of photographs that were resampled for the interval, of a network. None if unknown.

    >>> estimate = Estimate(1.0, 0.0, 2.0)
    >>> estimate.ends, round(estimate.p(0.0), 3), estimate.p(-1.0) < 0.001
    ((0.0, 2.0), 0.05, True)
    """

    mean: float
    low: float | None = None
    high: float | None = None
    families: int = 1
    groups: int | None = None

    @property
    def ends(self) -> tuple[float, float]:
        """Ends of the interval, or twice the mean if there is none."""
        return (self.mean, self.mean) if self.low is None else (self.low, self.high)

    def p(self, value: float) -> float:
        """Two-sided p-value of the hypothesis that the mean effect is ``value``.

        It is below 0.05 if and only if the interval does not hold ``value``: the distance is measured in
        units of the interval's half on that side, by the t-distribution with families − 1 degrees of freedom.
        For a single family they are groups − 1, or those of the normal distribution if that is unknown.
        """
        half = self.mean - self.ends[0] if value < self.mean else self.ends[1] - self.mean
        if half == 0:
            return float(value == self.mean)
        units = self.families if self.families > 1 else self.groups or 1
        halves, freedom = abs(self.mean - value) / half, units - 1
        if freedom:
            return float(2 * stdtr(freedom, halves * stdtrit(freedom, TAIL)))
        return float(2 * ndtr(halves * ndtri(TAIL)))


def of_networks(cells: pd.DataFrame, worst: Callable[[pd.Series], float] = min) -> dict[str, Estimate | None]:
    """One estimate for each network: the mean over its cells, with a 95 % interval.

    Cells that share their images share the bootstrap draws. The interval has the percentiles of the mean over
    such cells. Halves of intervals of other cells are averaged, as if their errors were equal, which is wide
    enough. Where cells have no intervals, or all of them are points, the network is judged by its worst cell.

    Args:
        cells: A row for each cell, with network and mean, and low, high, samples and draw as from
            :func:`contrastlib.evaluation.statistics.means`, if there are any.
        worst: Function that selects the value of the worst cell.

    Returns:
        Network -> estimate. None if no cell has a value.

    >>> cells = pd.DataFrame({"network": "a", "mean": [0.0, 1.0], "low": [-1.0, 0.5], "high": [1.0, 1.5]})
    >>> of_networks(cells)["a"]
    Estimate(mean=0.5, low=-0.25, high=1.25, families=1, groups=None)
    """
    return {
        name: _mean_of(part.dropna(subset="mean"), worst)
        for name, part in cells.groupby("network", sort=False)
    }


def over_families(estimates: Mapping[str, Estimate], family: Callable[[str], str] | None = None) -> Estimate:
    """Random-effects summary over families of networks.

    Networks of a family are averaged first. Their means and the ends of their intervals are averaged, as if
    their errors were equal. Then the families are combined: the variance between them is estimated by Paule
    and Mandel (1982), and the interval by Hartung and Knapp (2001) and Sidik and Jonkman (2002). As networks
    may see the same photographs, whose error their spread does not show, the weighted mean of the halves of
    the families' intervals is added to its half, as a sum of squares. This errs on the wide side.

    Args:
        estimates: Network -> its estimate with an interval.
        family: Function that returns the family of a network; :func:`family_of` if None.

    Returns:
        The summary. Of a single family, it is the family's mean.

    >>> found = over_families({"a": Estimate(1, 0, 2), "b": Estimate(2, 1, 3)}, family=str)
    >>> found.mean, found.families, found.low < 0
    (1.5, 2, True)
    >>> over_families({"a": Estimate(1, 0, 2), "b": Estimate(2, 1, 3)}, family=lambda name: "ResNet")
    Estimate(mean=1.5, low=0.5, high=2.5, families=1, groups=None)
    """
    members: dict[str, list[tuple[float, ...]]] = {}
    for name, each in estimates.items():
        members.setdefault((family or family_of)(name), []).append((each.mean, *each.ends))
    rows = np.array([np.mean(values, axis=0) for values in members.values()])
    if len(rows) == 1:
        counts = [each.groups for each in estimates.values()]
        return Estimate(*rows[0].tolist(), groups=None if None in counts else min(counts))
    mean, half = _random_effects(rows[:, 0], (rows[:, 2] - rows[:, 1]) / 2)
    return Estimate(mean, mean - half, mean + half, len(rows))


def family_of(network: str) -> str:
    """Architecture of a network of the registry. Other names remain.

    >>> family_of("cifar10_resnet56"), family_of("birds_vgg-seed1"), family_of("linear classifier")
    ('ResNet', 'VGG', 'linear classifier')
    """
    record = assets.described(network)
    return record.family if record else network


def _mean_of(cells: pd.DataFrame, worst: Callable[[pd.Series], float]) -> Estimate | None:
    if cells.empty:
        return None
    if not _have_intervals(cells):
        return Estimate(float(worst(cells["mean"])))
    mean, below, above = cells["mean"].mean(), 0.0, 0.0
    for part_mean, low, high, share in _drawn_together(cells):
        below, above = below + share * (part_mean - low), above + share * (high - part_mean)
    groups = int(cells["groups"].min()) if "groups" in cells else None
    return Estimate(float(mean), float(mean - below), float(mean + above), groups=groups)


def _have_intervals(cells: pd.DataFrame) -> bool:
    """Whether all cells have intervals, and some are longer than a point."""
    if not {"low", "high"} <= set(cells) or cells[["low", "high"]].isna().any(axis=None):
        return False
    return bool((cells["high"] > cells["low"]).any())


def _drawn_together(cells: pd.DataFrame) -> Iterator[tuple[float, float, float, float]]:
    """Mean, ends of its interval, and share of the cells, of cells that share their draws."""
    if len(cells) == 1 or "samples" not in cells:
        for mean, low, high in cells[["mean", "low", "high"]].to_numpy():
            yield mean, low, high, 1 / len(cells)
        return
    for _, part in cells.groupby("draw", sort=False):
        samples = np.mean(part["samples"].tolist(), axis=0)[:, None]
        low, high = interval(samples, part["groups"].min(), LEVEL)[:, 0]
        yield part["mean"].mean(), low, high, len(part) / len(cells)


def _random_effects(means: np.ndarray, halves: np.ndarray) -> tuple[float, float]:
    """Mean, and half of its interval, of means with halves of intervals."""
    scale = max(np.abs(means).max(), halves.max())
    if scale == 0:
        return 0.0, 0.0
    variances = np.maximum(halves / -ndtri(TAIL), 1e-6 * scale) ** 2
    with np.errstate(divide="ignore"):  # of its measure of heterogeneity, where all means are equal
        found = combine_effects(means / scale, variances / scale**2, method_re="iterated", use_t=True)
    spread = -stdtrit(len(means) - 1, TAIL) * found.sd_eff_w_re_hksj * scale
    return float(found.mean_effect_re * scale), float(np.hypot(spread, found.weights_rel_re @ halves))
