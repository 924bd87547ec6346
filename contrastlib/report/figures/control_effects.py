"""Sentences of 16_controls: what a map has more than its strongest control. Tables are by scale."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import pandas as pd

from contrastlib import assets
from contrastlib.evaluation import randomisation
from contrastlib.evaluation.control_scores import against_controls
from contrastlib.report.claims.verdict_tables import spread, title
from contrastlib.report.figures.words import words


def over_controls_in_words(
    measured: Mapping[str, pd.DataFrame], value: str, form: str = "+.2f", resamples: int = 2000
) -> str:
    """How much more a map has than the control that comes nearest to it, for each contrast over the networks.

    Args:
        measured: Scale -> table with a column ``control``.
        value: Name of the column with the measure.
        form: Format of the numbers, with a sign.
        resamples: Number of bootstrap samples.
    """
    parts = []
    for scale, table in measured.items():
        found = against_controls(table, value, resamples=resamples)
        nearest = found.groupby(["contrast", "network"], sort=False)["mean"].min()
        beaten = int((found["low"] > 0).sum())
        each = _by_contrast(nearest, lambda part: spread(part.to_dict(), form))
        parts.append(f"- {scale}: {each}. {beaten} of {len(found)} intervals lie above 0.")
    return "The map minus the control that comes nearest to it, by network:\n\n" + "\n".join(parts)


def forgetting_in_words(measured: Mapping[str, pd.DataFrame]) -> str:
    """Mean rank correlation with the intact map along the cascade, for each contrast over the networks."""
    parts = []
    for scale, table in measured.items():
        rows = randomisation.sensitivity(table, "spearman")
        means = rows.groupby(["contrast", "network"], sort=False)["spearman"].mean()
        each = _by_contrast(means, lambda part: spread(part.to_dict(), "+.2f"))
        parts.append(f"- {scale}: {each}.")
    return (
        "Rank correlation with the map of the intact network, mean over the cascade and the methods, by "
        "network:\n\n" + "\n".join(parts)
    )


def trainings_in_words(networks: Mapping[str, Sequence]) -> str:
    """What the networks of a parameter, and those that they are compared with, know of their pictures.

    The share of the training pictures is that of the log: a mean over the last epoch. Its pictures are
    mirrored at random, its weights still change, and some networks have dropout. The weights that were kept
    may name more of the pictures.

    Args:
        networks: Network -> [data set, count, {"compared_with": what a network stands for -> its name}].
    """
    lines = []
    for name, (_, _, options) in networks.items():
        for meaning, each in {"the network": name, **options["compared_with"]}.items():
            path, card = assets.trained(each)
            known = pd.read_csv(path.with_suffix(".csv"))["train_accuracy"].iloc[-1]
            lines.append(
                f"- {meaning}: {title(each)}, {known:.0%} of {card['train_pictures']} labels and "
                f"{card['test']['accuracy']:.0%} of the test pictures"
            )
    return (
        "The labels that each network named in the last epoch of its training, while its weights still "
        "changed, and the species of test pictures that it names:\n\n" + "\n".join(lines)
    )


def likeness_in_words(measured: Mapping[str, pd.DataFrame]) -> str:
    """Mean rank correlation with the maps of each other network, for each method and contrast."""
    parts = []
    for scale, table in measured.items():
        for (network, method), rows in table.groupby(["network", "method"], sort=False):
            means = rows.groupby(["contrast", "other"], sort=False)["spearman"].mean()
            each = _by_contrast(means, lambda part: " / ".join(part.map("{:+.2f}".format)))
            others = " / ".join(means.index.unique("other"))
            parts.append(f"- {scale}, {title(network)}, {words(method)} ({others}): {each}.")
    return "\n".join(parts)


def _by_contrast(values: pd.Series, words_of: Callable[[pd.Series], str]) -> str:
    """Words about the values of each contrast, which is the first level of their index."""
    return ", ".join(
        f"*{contrast}* {words_of(part.droplevel(0))}"
        for contrast, part in values.groupby("contrast", sort=False)
    )
