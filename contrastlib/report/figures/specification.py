"""Specification curves: an effect under every combination of choices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import pandas as pd
from IPython.display import Markdown
from matplotlib.figure import Figure

from contrastlib.evaluation import masking, masking_effects, perturbation, statistics
from contrastlib.evaluation.specification import REST, curve, specifications, variance_shares
from contrastlib.report.figures.shared import finished
from contrastlib.report.figures.words import words

SIDES = {"above": "#2166ac", "holds 0": "#999999", "below": "#b2182b"}
"""Where an interval lies -> its colour."""
# Column of a choice -> its name, for four measurements
MASKING = {
    "network": "network",
    "method": "explainer",
    "rank": "class rank",
    "baseline": "baseline",
    "kept_sign": "pixels kept",
    "mask_rule": "mask rule",
    "threshold": "threshold on $p_2$",
}
CROSSED_MASKING = {
    "network": "network",
    "layer": "layer",
    "upsampling": "upsampling",
    "method": "explainer",
    "first": "class $t_1$",
    "mask_rule": "mask rule",
    "kept_sign": "pixels kept",
    "filling": "filling",
}
CROSSED_INTERVENTIONS = {
    "network": "network",
    "contrast": "contrast",
    "layer": "layer",
    "upsampling": "upsampling",
    "measure": "measure",
    "smallest": "fewest pixels of a part",
    "repaintings": "number of repaintings",
}
PERTURBATION = {"network": "network", "epsilon": "ε", "iterations": "number of steps"}
FEWEST = 10


def specification_curve(
    cells: pd.DataFrame, choices: Mapping[str, str], measure: str, smallest: float = 0.0
) -> Figure:
    """All effects in order with their 95 % intervals, and below them the choices that each of them made.

    Args:
        cells: A row for each combination of choices, with mean, low and high.
        choices: Column of a choice -> its name, in any order. The choice that explains most is drawn first.
        measure: What the effects measure.
        smallest: Smallest effect of interest, whose band is grey.

    Returns:
        The figure. The share of variance that each choice explains is beside its name.
    """
    ordered = curve(cells, list(choices))
    shares = variance_shares(ordered, list(choices)).drop(REST)
    options = {choice: list(dict.fromkeys(cells[choice])) for choice in shares.index}
    rows = sum(map(len, options.values())) + len(options)
    figure, (top, bottom) = plt.subplots(
        2,
        1,
        figsize=(8.3, 2.6 + 0.17 * rows),
        height_ratios=[2.4, 0.17 * rows],
        sharex=True,
        layout="constrained",
    )
    colours = sides(ordered).map(SIDES)
    top.axhspan(-smallest, smallest, color="#dddddd", linewidth=0)
    top.axhline(0, color="#333333", linewidth=0.5)
    top.vlines(ordered.index, ordered["low"], ordered["high"], colors=colours, linewidth=0.6, alpha=0.5)
    top.scatter(ordered.index, ordered["mean"], c=colours, s=3, zorder=3)
    top.set_ylabel(measure, fontsize=9)
    _draw_choices(
        bottom,
        ordered,
        options,
        colours,
        {choice: f"{choices[choice]} ({share:.0%})" for choice, share in shares.items()},
    )
    count = f"{len(ordered)} combinations of choices, from the smallest effect to the largest"
    bottom.set_xlabel(count, fontsize=9)
    return finished(figure)


def in_words(cells: pd.DataFrame, choices: Mapping[str, str], smallest: float, form: str = "+.3f") -> str:
    """The median effect, where the intervals lie, and the choice that moves the effect most, in Markdown.

    Args:
        cells: As in :func:`specification_curve`.
        choices: As in :func:`specification_curve`.
        smallest: Smallest effect of interest.
        form: Format of the median effect.

    Returns:
        Sentences.
    """
    ordered = curve(cells, list(choices))
    shares = variance_shares(ordered, list(choices))
    found, count = sides(ordered), len(ordered)
    most = shares.drop(REST).index[0]
    matters = (ordered["mean"] >= smallest).mean()
    return (
        f"Of {count} combinations of choices, {(found == 'above').mean():.0%} have an interval above 0 and "
        f"{(found == 'below').mean():.0%} one below. The median effect is {ordered['mean'].median():{form}}, "
        f"and {matters:.0%} reach the smallest effect of interest ({smallest:g}). The {choices[most]} "
        f"explains {shares[most]:.0%} of the variance between combinations, and {shares[REST]:.0%} is left "
        "to combinations of choices."
    )


def masking_cells(
    measured: Mapping[str, pd.DataFrame], thresholds: Sequence[float], resamples: int
) -> pd.DataFrame:
    """Gain of *weighted* in the relative probability under every combination of ``MASKING``, at all scales.

    Of explainers that give one and the same map, the first counts. Combinations that rest on fewer than
    ``FEWEST`` photographs are left out.

    Args:
        measured: Scale -> table of :func:`contrastlib.evaluation.masking.relative_probabilities`.
        thresholds: Images with a second probability above one of these count.
        resamples: Number of bootstrap samples.

    Returns:
        A row for each combination, with the columns of
        :func:`contrastlib.evaluation.statistics.paired_differences`.
    """

    def gains(table: pd.DataFrame) -> pd.DataFrame:
        cells = masking_effects.advantages(table, [*MASKING][:-1], resamples=resamples)
        keys = ["rank", "baseline", "kept_sign", "mask_rule", "contrast", "image"]
        cells = cells[cells["groups"] >= FEWEST]
        return cells.merge(statistics.distinct_methods(table, "relative_probability", keys))

    parts = [specifications(_of_papers(table), gains, thresholds) for table in measured.values()]
    return pd.concat(parts, ignore_index=True)


def perturbation_cells(measured: Mapping[str, pd.DataFrame], resamples: int) -> pd.DataFrame:
    """Gain of *weighted* in p_t under every combination of ``PERTURBATION``, at all scales.

    Args:
        measured: Scale -> table of :func:`contrastlib.evaluation.perturbation.changes`.
        resamples: Number of bootstrap samples.

    Returns:
        As :func:`masking_cells`.
    """
    parts = [perturbation.differences(table, "p_t", resamples=resamples) for table in measured.values()]
    return pd.concat(parts, ignore_index=True)


def crossed_cells(
    measured: Mapping[str, pd.DataFrame], value: str, choices: Mapping[str, str], resamples: int
) -> dict[str, pd.DataFrame]:
    """Mean of a value over images under every combination of choices, at each scale.

    Combinations that rest on fewer than ``FEWEST`` images are left out, and so are scales without others.

    Args:
        measured: Scale -> table with a row for each image and combination of choices.
        value: Name of the column that is averaged.
        choices: Columns of the choices.
        resamples: Number of bootstrap samples.

    Returns:
        Scale -> a row for each combination, with the columns of
        :func:`contrastlib.evaluation.statistics.means`. The larger scale comes last.
    """
    tables = {scale: table for scale, table in measured.items() if len(table)}
    cells = {
        scale: statistics.means(table, value, list(choices), resamples=resamples)
        for scale, table in tables.items()
    }
    cells = {scale: each[each["images"] >= FEWEST].reset_index(drop=True) for scale, each in cells.items()}
    return {scale: each for scale, each in cells.items() if len(each)}


def largest_scale(
    cells: Mapping[str, pd.DataFrame], choices: Mapping[str, str], measure: str, smallest: float = 0.0
) -> Figure | Markdown:
    """:func:`specification_curve` of the last scale of :func:`crossed_cells`, or a note if there is none.

    Args:
        cells: Scale -> cells, as from :func:`crossed_cells`.
        choices: As in :func:`specification_curve`.
        measure: What the effects measure.
        smallest: Smallest effect of interest.

    Returns:
        The figure, or the note.
    """
    if not cells:
        return Markdown(f"No combination rests on {FEWEST} images or more.")
    return specification_curve(list(cells.values())[-1], choices, measure, smallest)


def scales_in_words(
    cells: Mapping[str, pd.DataFrame], choices: Mapping[str, str], smallest: float
) -> Markdown:
    """:func:`in_words` for each scale of :func:`crossed_cells`.

    Args:
        cells: Scale -> cells, as from :func:`crossed_cells`.
        choices: As in :func:`specification_curve`.
        smallest: Smallest effect of interest.

    Returns:
        A paragraph for each scale.
    """
    return Markdown(
        "\n\n".join(
            f"**{scale.capitalize()}.** {in_words(each, choices, smallest)}" for scale, each in cells.items()
        )
    )


def sides(cells: pd.DataFrame) -> pd.Series:
    """Where the interval of each cell lies: a key of ``SIDES``.

    >>> sides(pd.DataFrame({"low": [-2, -1, 1], "high": [-1, 1, 2]})).tolist()
    ['below', 'holds 0', 'above']
    """
    found = pd.Series("holds 0", index=cells.index)
    found[cells["low"] > 0] = "above"
    found[cells["high"] < 0] = "below"
    return found


def _of_papers(table: pd.DataFrame) -> pd.DataFrame:
    """Rows with the baselines of the papers, and with a map."""
    return table[table["baseline"].isin(masking.PAPERS_BASELINES) & (table["method"] != "blank")]


def _draw_choices(
    ax: plt.Axes,
    ordered: pd.DataFrame,
    options: Mapping[str, Sequence],
    colours: pd.Series,
    heads: Mapping[str, str],
) -> None:
    """A mark for each effect in the row of each option that it takes, below the name of the choice."""
    labels, height = {}, 0
    for choice, values in options.items():
        labels[height] = heads[choice]
        for value in values:
            height += 1
            own = ordered.index[ordered[choice] == value]
            ax.scatter(own, [height] * len(own), c=colours[own], s=6, marker="|", linewidths=0.5)
            labels[height] = words(value) if isinstance(value, str) else f"{value:g}"
        height += 1
    ax.set_yticks(list(labels), list(labels.values()), fontsize=7)
    for position, label in zip(labels, ax.get_yticklabels()):
        label.set_fontweight("bold" if labels[position] in heads.values() else "normal")
    ax.set_ylim(height - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    ax.set_xticks([])
