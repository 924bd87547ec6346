"""Effects with intervals from tables of :func:`contrastlib.evaluation.interventions.compare`.

All take the table with network and group. A *cell* is a contrast and a question: ("weighted", "logit") is the
weighted map as an answer to what makes the logit fall.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from contrastlib.evaluation.interventions import OWN_QUESTION, QUESTIONS
from contrastlib.evaluation.statistics import bootstrap, interval

Cell = Sequence[str]


def differences(
    table: pd.DataFrame,
    pairs: Sequence[tuple[Cell, Cell]],
    value: str = "correlation",
    absolute: bool = False,
    resamples: int = 2000,
    samples: bool = False,
) -> pd.DataFrame:
    """Mean over images of a value in one cell minus that in another, with its interval.

    Args:
        table: The table.
        pairs: Pairs of cells, the second of which is subtracted.
        value: Name of the column that is compared: "correlation" or "top".
        absolute: Whether the absolute value of the mean is taken. Its interval lies below a bound only if
            that of the difference lies inside the band of that bound around 0.
        resamples: Number of bootstrap samples of the images.
        samples: Whether the bootstrap samples are returned too, as by
            :func:`contrastlib.evaluation.statistics.means`.

    Returns:
        One row for each network, method and pair, with pair, mean, low, high, images and groups. Methods
        without these contrasts are left out.

    >>> table = pd.DataFrame({"network": "n", "method": "m", "contrast": ["mean", "original"], "image": 0,
    ...                       "question": "logit", "correlation": [0.5, 1.0], "group": 0})
    >>> differences(table, [(("mean", "logit"), ("original", "logit"))], resamples=9)["mean"].item()
    -0.5
    """
    rows = []
    for (network, method), wide in _by_image(table, value):
        if not all(tuple(cell) in wide for pair in pairs for cell in pair):
            continue
        change = np.stack([wide[tuple(a)] - wide[tuple(b)] for a, b in pairs], axis=1)
        means, draws = change.mean(axis=0), _draws(wide, change, resamples)
        if absolute:
            means, draws = np.abs(means), np.abs(draws)
        names = [f"{' / '.join(a)} minus {' / '.join(b)}" for a, b in pairs]
        rows.append(_summary(wide, means, draws, samples).assign(network=network, method=method, pair=names))
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=["network", "mean"])


def against_best_other(
    table: pd.DataFrame,
    contrasts: Sequence[str] = tuple(OWN_QUESTION),
    value: str = "correlation",
    resamples: int = 2000,
    samples: bool = False,
) -> pd.DataFrame:
    """Mean of a value for the question that a contrast asks, minus the highest mean for another question.

    The highest of several means is taken in each bootstrap sample anew, so it is high by chance too, and the
    difference errs on the side of the other questions.

    Args:
        table: The table.
        contrasts: Contrasts with a question of their own.
        value: As in :func:`differences`.
        resamples: As in :func:`differences`.
        samples: As in :func:`differences`.

    Returns:
        One row for each network, method and contrast, with mean, low, high, images and groups.
    """
    rows = []
    for (network, method), wide in _by_image(table, value):
        for contrast in contrasts:
            own = OWN_QUESTION[contrast]
            cells = [(contrast, own), *((contrast, each) for each in QUESTIONS if each != own)]
            if not all(cell in wide for cell in cells):
                continue
            values = wide[cells].to_numpy()
            best = [
                part[..., :1] - part[..., 1:].max(axis=-1, keepdims=True)
                for part in (values.mean(axis=0), _draws(wide, values, resamples))
            ]
            found = _summary(wide, *best, samples)
            rows.append(found.assign(network=network, method=method, contrast=contrast))
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=["network", "mean"])


def over_networks(
    table: pd.DataFrame,
    value: str = "correlation",
    by: Sequence[str] = ("method", "contrast", "question"),
    unit: str = "family",
    resamples: int = 2000,
    seed: int = 0,
) -> pd.DataFrame:
    """Mean over images and networks of a family, whose interval holds the spread over both.

    Networks and images are drawn with replacement, independently of each other, and an image that several
    networks see has the same weight in all of them (the pigeonhole bootstrap, Owen 2007, which errs on the
    wide side). With a single network only images are drawn.

    Args:
        table: The table, with the column ``unit``.
        value: Name of the column that is averaged.
        by: Columns that identify a setting.
        unit: Column whose values are kept apart, such as the family of the networks.
        resamples: Number of bootstrap samples.
        seed: Seed of the draws.

    Returns:
        One row for each family and setting, with mean (of the means of the networks), low, high and networks.

    >>> table = pd.DataFrame({"network": ["a", "b"], "correlation": [0.5, 0.75], "image": 0, "group": 0})
    >>> table = table.assign(method="gradcam", contrast="weighted", question="log_odds", family="CNN")
    >>> over_networks(table, resamples=10)["mean"].tolist()
    [0.625]
    """
    rows = []
    for name, part in table.groupby(unit, sort=False):
        wide = part.pivot(index=["network", "group", "image"], columns=list(by), values=value).astype(float)
        images = wide.index.droplevel(["network", "image"]).factorize()[0]
        weights = _multinomial(images.max() + 1, resamples, seed)
        means, draws = [], []
        for own in wide.groupby(level="network", sort=False).indices.values():
            values, present = wide.to_numpy()[own], ~wide.isna().to_numpy()[own]
            means.append(np.nanmean(values, axis=0))
            drawn = weights[:, images[own]]
            with np.errstate(invalid="ignore"):
                draws.append((drawn @ np.nan_to_num(values)) / (drawn @ present))
        networks = _multinomial(len(means), resamples, seed + 1)
        mixed = np.einsum("rn,nrc->rc", networks, np.stack(draws)) / networks.sum(axis=1, keepdims=True)
        low, high = interval(mixed, images.max() + 1)
        summary = pd.DataFrame({"mean": np.mean(means, axis=0), "low": low, "high": high}, wide.columns)
        rows.append(summary.reset_index().assign(**{unit: name}, networks=len(means)))
    return pd.concat(rows, ignore_index=True)


def _by_image(table: pd.DataFrame, value: str) -> list[tuple[tuple[str, str], pd.DataFrame]]:
    """For each network and method the values of each image, with a column for each cell."""
    image, cell = ["group", "image"], ["contrast", "question"]
    parts = table.groupby(["network", "method"], sort=False)
    return [(key, part.pivot(index=image, columns=cell, values=value).astype(float)) for key, part in parts]


def _draws(wide: pd.DataFrame, values: np.ndarray, resamples: int) -> np.ndarray:
    return bootstrap(values, wide.index.get_level_values("group").to_numpy(), resamples)


def _summary(wide: pd.DataFrame, means: np.ndarray, draws: np.ndarray, samples: bool) -> pd.DataFrame:
    groups = wide.index.get_level_values("group").nunique()
    low, high = interval(draws, groups)
    more = {"samples": list(draws.T), "draw": hash(tuple(wide.index))} if samples else {}
    return pd.DataFrame(
        {"mean": means, "low": low, "high": high, "images": len(wide), "groups": groups, **more}
    )


def _multinomial(count: int, resamples: int, seed: int) -> np.ndarray:
    """How often each of ``count`` units is drawn in each sample, (resamples, count)."""
    return np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), resamples).astype(float)
