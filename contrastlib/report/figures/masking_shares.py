"""Table, figure and sentences of 04_masking where both maps keep the same share of the pixels."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from pandas.io.formats.style import Styler

from contrastlib.evaluation import masking, masking_effects
from contrastlib.report.claims.verdict_tables import spread, title
from contrastlib.report.figures.masking import RULES, advantage_table
from contrastlib.report.figures.shared import finished

SHARES = {rule: f"{share:.0%} kept" for rule, share in masking.KEPT_SHARES.items()}


def table(shares: Mapping[str, pd.DataFrame]) -> Styler:
    """Advantages of weighted maps for each scale, with a column for each share.

    Args:
        shares: Scale -> table of :func:`contrastlib.evaluation.masking_effects.mean_advantages`, with the
            mask rules of ``SHARES``.

    Returns:
        The formatted table.
    """
    return advantage_table(shares, SHARES)


def rules(advantages: Mapping[str, pd.DataFrame], shares: Mapping[str, pd.DataFrame]) -> Figure:
    """Advantages of weighted maps under the six mask rules, with intervals, by kept sign and class rank.

    Networks that were not measured at equal shares are left out.

    Args:
        advantages: Scale -> table of :func:`contrastlib.evaluation.masking_effects.mean_advantages`, with the
            mask rules of ``RULES``.
        shares: The same with those of ``SHARES``.

    Returns:
        The figure.
    """
    at_shares = pd.concat(shares.values())
    networks = list(dict.fromkeys(at_shares["network"]))
    cells = pd.concat([*advantages.values(), at_shares])
    cells = cells[cells["network"].isin(networks)]
    names = RULES | SHARES
    colours = [*sns.color_palette("Greys", 5)[1:4], *sns.color_palette("Blues", 5)[2:]]
    figure, axes = plt.subplots(
        2, 2, figsize=(7.5, 1.2 * len(networks) + 1.6), sharex=True, sharey=True, layout="constrained"
    )
    panels = [(sign, rank) for sign in masking.KEPT_SIGNS for rank in (1, 2)]
    for ax, (sign, rank) in zip(axes.flat, panels):
        part = cells[(cells["kept_sign"] == sign) & (cells["rank"] == rank)].set_index("network")
        for number, (rule, colour) in enumerate(zip(names, colours)):
            rows = part[part["mask_rule"] == rule]
            heights = [networks.index(name) + 0.13 * (number - 2.5) for name in rows.index]
            spans = (rows[["low", "high"]].sub(rows["mean"], axis=0).abs()).T.to_numpy()
            ax.errorbar(
                rows["mean"],
                heights,
                xerr=spans,
                fmt="o",
                markersize=3,
                linewidth=1,
                color=colour,
                label=names[rule],
            )
        ax.axvline(0, color="#333333", linewidth=0.5)
        ax.set_title(f"{sign} pixels kept, $t_{rank}$", fontsize=9)
        ax.set_yticks(range(len(networks)), [title(name) for name in networks], fontsize=8)
    axes[0, 0].invert_yaxis()
    for ax in axes[1]:
        ax.set_xlabel("weighted minus original, positive as claimed", fontsize=8)
    figure.legend(
        *axes[0, 0].get_legend_handles_labels(),
        ncols=3,
        loc="outside lower center",
        fontsize=8,
        frameon=False,
    )
    return finished(figure)


def left_in_words(measured: Mapping[str, pd.DataFrame], shared: Mapping[str, pd.DataFrame]) -> str:
    """Share of the advantage by sign that is left at equal shares, for each scale and sign, in Markdown.

    Args:
        measured: Scale -> table of :func:`contrastlib.evaluation.masking.relative_probabilities`.
        shared: The same of the study with the mask rules of ``SHARES``.

    Returns:
        A list.
    """
    lines = []
    for scale, each in shared.items():
        by_sign = measured[scale]
        by_sign = by_sign[(by_sign["mask_rule"] == "by_sign") & by_sign["network"].isin(each["network"])]
        both = pd.concat([by_sign, each])
        left = {rule: masking_effects.advantage_left(both, rule, resamples=1) for rule in SHARES}
        for sign in masking.KEPT_SIGNS:
            parts = [
                f"{spread(rows[rows['kept_sign'] == sign].set_index('network')['mean'].to_dict(), '.0%')} "
                f"with {SHARES[rule]}"
                for rule, rows in left.items()
            ]
            lines.append(f"- {scale}, {sign} pixels kept: {'; '.join(parts)}")
    head = "Of the advantage by sign (GradCAM, mean of both classes) this share is left:"
    return "\n".join([head, "", *lines])
