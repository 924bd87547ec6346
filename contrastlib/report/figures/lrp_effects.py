"""Sentences with the measured effects of corrections of Gu et al. 2018. Tables are by scale."""

from __future__ import annotations

import pandas as pd

from contrastlib.evaluation import ablation, pointing_game
from contrastlib.report.claims.verdict_tables import spread
from contrastlib.report.figures.lrp_shared import CLRP, METHODS, Tables


def guided_in_words(ablated: Tables, resamples: int) -> str:
    """Effect of erratum 41: how often guided back-propagation costs more activation than CLRP, or less."""
    parts = []
    for scale, table in ablated.items():
        found = pd.concat(
            [
                ablation.differences(table, "guided_backpropagation", clrp, resamples=resamples)
                for clrp in CLRP
            ]
        )
        more, less = int((found["low"] > 0).sum()), int((found["high"] < 0).sum())
        parts.append(
            f"{scale} more in {more} and less in {less} of {len(found)} intervals, networks "
            f"{spread(found.groupby('network')['mean'].mean().to_dict(), '+.2f')}"
        )
    return (
        "Activation that a patch costs, guided back-propagation minus CLRP1 and CLRP2, for each network and "
        f"size of the patch: {'; '.join(parts)}."
    )


def equivalence_in_words(game: Tables, duals: Tables) -> str:
    """Effect of erratum 42: how far CLRP1 and CLRP2 point apart, and the cosine of their maps."""
    apart = "; ".join(
        f"{scale} {spread(found.set_index('network')['mean'].to_dict(), '.2f')}"
        for scale, table in game.items()
        for found in [pointing_game.largest_distance(table, *CLRP)]
    )
    alike = "; ".join(
        f"{scale} {spread(rows.groupby('network')['similarity'].mean().to_dict(), '.2f')}"
        for scale, table in duals.items()
        for rows in [table[table["methods"] == ", ".join(CLRP)]]
    )
    return (
        f"Largest difference of the pointing accuracies of CLRP1 and CLRP2: {apart}. Mean cosine of their "
        f"maps: {alike}."
    )


def support_in_words(received: Tables) -> str:
    """Effect of erratum 43: units that receive relevance from both of two classes, and cosines, by layer."""
    parts = []
    for table in received.values():
        for layer, row in table.groupby("layer", sort=False)[["from_both", "similarity"]].mean().iterrows():
            parts.append(f"`{layer}` {row['from_both']:.1%}, cosine {row['similarity']:.2f}")
    return (
        "Of the units of a layer that receive relevance from one of the top two classes, the share that "
        f"receives it from both, and the cosine of what they receive: {'; '.join(parts)}."
    )


def boxes_in_words(measured: Tables) -> str:
    """Effect of erratum 44: cosines of the maps with one box and with a box for each channel."""
    table = pd.concat(measured.values())
    least = table.groupby("method", sort=False)["similarity"].agg(["mean", "min"])
    return (
        "Cosine of the maps with one interval and with one for each channel, mean (least): "
        + "; ".join(f"{METHODS[name]} {row['mean']:.4f} ({row['min']:.4f})" for name, row in least.iterrows())
        + "."
    )
