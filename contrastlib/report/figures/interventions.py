"""Figures and tables of 14_interventions by scale.

They show tables of :func:`contrastlib.report.studies.bird_interventions.on_parts`.
"""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import pandas as pd
from IPython.display import Markdown
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from pandas.io.formats.style import Styler

from contrastlib import assets, plotting
from contrastlib.contrasts import CONTRASTS
from contrastlib.evaluation import intervention_effects as effects
from contrastlib.evaluation import statistics
from contrastlib.evaluation.interventions import OWN_QUESTION, QUESTIONS
from contrastlib.evaluation.maps_of_contrasts import OWN
from contrastlib.report.claims.verdict_tables import title
from contrastlib.report.figures.shared import finished, intervals
from contrastlib.report.figures.words import readable

ASKED = {
    "logit": "$y_t$", "pair": "$y_t - y_s$", "mean": "$y_t$ − mean", "log_odds": "log-odds",
    "probability": "$p_t$",
}  # fmt: skip
"""Question -> its quantity, for figures and text."""
PLAIN = ASKED | {"logit": "yₜ", "pair": "yₜ − yₛ", "mean": "yₜ − mean", "probability": "pₜ"}
"""The same for tables, which show no formulas."""
ACTIVATIONS = ("gradcam", "vit_gradcam")
SMALLEST_EFFECT = 0.05
NOT_YET = Markdown("*Not measured yet; `python -m contrastlib run 14 --profile real` does so, in hours.*")
PAIRS = {
    "original: $y_t$ over $y_t - y_s$": (("original", "logit"), ("original", "pair")),
    "weighted: log-odds over $y_t$": (("weighted", "log_odds"), ("weighted", "logit")),
    "maximum: $y_t - y_s$ over $y_t$": (("maximum", "pair"), ("maximum", "logit")),
}
"""Title -> the two cells whose difference a claim about GradCAM names."""


def at_a_glance(measured: Mapping[str, pd.DataFrame], resamples: int) -> Figure:
    """Mean rank correlation of each question and contrast, by GradCAM, with a panel for each family.

    A family is shown at the largest scale at which it was measured. A frame marks the question that a
    contrast asks.
    """
    tables = _largest(measured)
    few = max(table["contrast"].nunique() for _, table in tables.values()) <= 7
    columns = min(len(tables), 2) if few else 1
    rows = -(-len(tables) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(8.3, 3.1 * rows + 0.2), squeeze=False, layout="constrained"
    )
    limit, panels = 0.1, {}
    for family, (scale, table) in tables.items():
        cells = effects.over_networks(table[table["method"].isin(ACTIVATIONS)], resamples=resamples)
        panels[family] = scale, cells, table
        limit = max(limit, cells["mean"].abs().max())
    for ax, (family, (scale, cells, table)) in zip(axes.flat, panels.items()):
        picture = _heat(ax, cells, limit)
        networks = table["network"].nunique()
        count = f"{networks} network{'s' * (networks > 1)}, {table['image'].nunique()} pictures"
        ax.set_title(f"{family}\n{scale}: {count}", fontsize=9)
    for ax in axes.flat[len(panels) :]:
        ax.set_axis_off()
    figure.colorbar(picture, ax=axes, label="mean rank correlation", location="bottom", aspect=60)
    return finished(figure)


def forest(measured: Mapping[str, pd.DataFrame], resamples: int) -> Figure:
    """The differences of ``PAIRS`` for each network, with intervals, and the smallest effect of interest."""
    rows = pd.concat(
        {
            scale: effects.differences(_of_activations(table), list(PAIRS.values()), resamples=resamples)
            for scale, table in measured.items()
        },
        names=["scale"],
    ).reset_index("scale")
    keys = list(rows[["scale", "network"]].drop_duplicates().itertuples(index=False, name=None))
    figure, axes = plt.subplots(
        1, len(PAIRS), figsize=(8.3, 0.26 * len(keys) + 1.3), sharex=True, sharey=True, layout="constrained"
    )
    positions = {key: number for number, key in enumerate(keys)}
    for number, (ax, name) in enumerate(zip(axes, PAIRS)):
        part = rows.iloc[number :: len(PAIRS)]
        heights = [positions[key] for key in zip(part["scale"], part["network"])]
        spans = part[["low", "high"]].sub(part["mean"], axis=0).abs().T.to_numpy()
        ax.axvspan(-SMALLEST_EFFECT, SMALLEST_EFFECT, color="#dddddd", linewidth=0)
        ax.axvline(0, color="#333333", linewidth=0.5)
        ax.errorbar(part["mean"], heights, xerr=spans, fmt="o", markersize=3.5, linewidth=1, color="#08468b")
        ax.set_title(name, fontsize=9)
        ax.tick_params(labelsize=8)
    axes[0].set_yticks(range(len(keys)), [f"{title(network)} ({scale})" for scale, network in keys])
    axes[0].set_ylim(len(keys) - 0.4, -0.6)
    figure.supxlabel("difference of mean rank correlations, 95 % intervals", fontsize=9)
    return finished(figure)


def seeds_in_words(measured: Mapping[str, pd.DataFrame], resamples: int) -> str:
    """The differences of ``PAIRS`` of networks that were trained from several seeds, in Markdown."""
    lines = {name: [] for name in PAIRS}
    for _, table in _largest(measured).values():
        rows = effects.differences(_of_activations(table), list(PAIRS.values()), resamples=resamples)
        rows = rows.sort_values("network", kind="stable")  # that of seed 0 has the shortest name
        if rows["network"].nunique() > 1:
            for number, each in enumerate(lines.values()):
                values = " and ".join(f"{value:+.2f}" for value in rows["mean"].iloc[number :: len(PAIRS)])
                each.append(f"{title(rows['network'].iloc[0])} {values}")
    if not any(lines.values()):
        return "*No network from a second seed of training was measured.*"
    return "The same networks, trained from seed 0 and from further seeds:\n\n" + "\n".join(
        f"- {name}: {'; '.join(each)}" for name, each in lines.items()
    )


def own_question(
    measured: Mapping[str, pd.DataFrame], resamples: int, uuid: str = "own-question"
) -> Styler | Markdown:
    """Mean rank correlation of each explainer for the question that each contrast asks, by family.

    Explainers that define their contrast themselves are asked for the log-odds.

    Args:
        measured: Scale -> table of an evaluation of interventions.
        resamples: Number of bootstrap samples of each interval.
        uuid: Identifier of the table in the page.

    Returns:
        The formatted table, or a note if there is nothing to show.
    """
    if not measured:
        return NOT_YET
    questions = OWN_QUESTION | {OWN: "log_odds"}
    parts = []
    for family, (scale, table) in _largest(measured).items():
        own = table[table["question"] == table["contrast"].map(questions)]
        cells = effects.over_networks(own, by=["method", "contrast"], resamples=resamples)
        cells["cell"] = intervals(cells, "+.2f")
        wide = cells.pivot(index="method", columns="contrast", values="cell").reindex(columns=list(questions))
        parts.append(pd.concat({f"{family} ({scale})": wide.loc[own["method"].unique()]}, names=["networks"]))
    columns = {name: f"{name}: {PLAIN[question]}" for name, question in questions.items()}
    found = pd.concat(parts).dropna(axis=1, how="all").fillna("")
    return readable(found.rename(columns=columns)).style.set_uuid(uuid)


def top_parts(measured: Mapping[str, pd.DataFrame], resamples: int) -> Styler:
    """Share of pictures whose highest part in the GradCAM map has the largest fall, by family.

    The column "chance" has the share that a random order of the parts would reach.
    """
    parts = []
    for family, (scale, table) in _largest(measured).items():
        chosen = _of_activations(table)
        chosen = chosen[chosen["question"] == chosen["contrast"].map(OWN_QUESTION)]
        cells = effects.over_networks(chosen, "top", by=["contrast"], resamples=resamples)
        row = intervals(cells, ".0%").set_axis(cells["contrast"])[list(OWN_QUESTION)]
        row["chance"] = f"{(1 / chosen['parts']).mean():.0%}"
        parts.append(row.rename(f"{family} ({scale})"))
    columns = {name: f"{name}: {PLAIN[asked]}" for name, asked in OWN_QUESTION.items()}
    return pd.DataFrame(parts).rename(columns=columns).style.set_uuid("top-parts")


def outside(measured: Mapping[str, pd.DataFrame], resamples: int) -> Styler:
    """Share of the effect and of the maps outside the bird, for each network.

    The share of the effect is the mean absolute fall by another background, relative to the sum of this and
    the mean absolute fall by another species.
    """
    rows = []
    for scale, table in measured.items():
        for network, part in _of_activations(table).groupby("network", sort=False):
            falls = part[part["contrast"] == "original"].set_index("question")
            row = {"scale": scale, "network": title(network)}
            for question in ("logit", "log_odds", "probability"):
                each = falls.loc[question]
                row[f"effect: {PLAIN[question]}"] = _share(each, resamples)
            for contrast in ("original", "weighted"):
                maps = part[(part["contrast"] == contrast) & (part["question"] == "logit")]
                cell = statistics.means(maps, "map_background", ["network"], resamples=resamples)
                row[f"map: {contrast}"] = intervals(cell, ".0%").item()
            rows.append(row)
    return pd.DataFrame(rows).set_index(["scale", "network"]).style.set_uuid("outside")


def choices(tables: Mapping[str, pd.DataFrame], resamples: int) -> Styler | Markdown:
    """Differences of ``PAIRS`` under each choice that is ours, as ranges over the networks of the table."""
    if not tables:
        return NOT_YET
    parts = {}
    for scale, table in tables.items():
        for choice, part in _of_activations(table).groupby("choice", sort=False):
            found = effects.differences(part, list(PAIRS.values()), resamples=resamples)
            found["name"] = list(PAIRS) * found["network"].nunique()
            low, high = found.groupby("name")["mean"].min(), found.groupby("name")["mean"].max()
            parts[scale, choice] = {name: f"{low[name]:+.2f} to {high[name]:+.2f}" for name in PAIRS}
    table = pd.DataFrame(parts).T
    return table.rename(columns=_plain).rename_axis(index=["scale", "choice"]).style.set_uuid("choices")


def trial(tables: Mapping[str, pd.DataFrame], resamples: int) -> Styler | Markdown:
    """The differences of ``PAIRS`` on the pictures of the trial, for each network."""
    if not tables:
        return NOT_YET
    rows = []
    for scale, table in tables.items():
        found = effects.differences(_of_activations(table), list(PAIRS.values()), resamples=resamples)
        found["name"], found["cell"] = list(PAIRS) * found["network"].nunique(), intervals(found, "+.2f")
        wide = found.pivot(index="network", columns="name", values="cell")[list(PAIRS)]
        rows.append(pd.concat({scale: wide.rename(index=title)}, names=["scale"]))
    return pd.concat(rows).rename(columns=_plain).rename_axis(columns=None).style.set_uuid("trial")


def in_words(measured: Mapping[str, pd.DataFrame]) -> str:
    """Mean correlations of *original* and *weighted* maps for two questions, by family, in Markdown."""
    lines = []
    for family, (scale, table) in _largest(measured).items():
        cells = _of_activations(table).groupby(["network", "contrast", "question"])["correlation"].mean()
        mean = cells.groupby(["contrast", "question"]).mean()
        lines.append(
            f"- {family} ({scale}): the *original* map has {mean['original', 'logit']:+.2f} with the falls "
            f"of $y_t$ and {mean['original', 'log_odds']:+.2f} with those of the log-odds, the *weighted* "
            f"one {mean['weighted', 'logit']:+.2f} and {mean['weighted', 'log_odds']:+.2f}"
        )
    return "\n".join(lines)


def _plain(name: str) -> str:
    """A title of ``PAIRS`` without formulas, for tables."""
    return name.replace("$y_t - y_s$", PLAIN["pair"]).replace("$y_t$", PLAIN["logit"])


def _of_activations(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["method"].isin(ACTIVATIONS)]


def _largest(measured: Mapping[str, pd.DataFrame]) -> dict[str, tuple[str, pd.DataFrame]]:
    """Family -> the largest scale at which it was measured, and its rows."""
    found = {}
    for scale in ("quick", "real", "paper"):
        table = measured.get(scale)
        if table is not None:
            families = {name: assets.network(name).family for name in table["network"].unique()}
            table = table.assign(family=table["network"].map(families))
            found |= {name: (scale, part) for name, part in table.groupby("family", sort=False)}
    return found


def _heat(ax: plt.Axes, cells: pd.DataFrame, limit: float) -> plt.cm.ScalarMappable:
    """Draw the mean of each question (rows) and contrast (columns), with its interval."""
    contrasts = list(dict.fromkeys(cells["contrast"]))
    wide = {
        name: cells.pivot(index="question", columns="contrast", values=name).loc[list(QUESTIONS), contrasts]
        for name in ("mean", "low", "high")
    }
    picture = ax.imshow(wide["mean"], cmap=plotting.COLOURS, vmin=-limit, vmax=limit, aspect="auto")
    for row, question in enumerate(QUESTIONS):
        for column, contrast in enumerate(contrasts):
            mean, low, high = (wide[name].loc[question, contrast] for name in ("mean", "low", "high"))
            text = f"{mean:+.2f}\n{_short(low)} {_short(high)}"
            ax.text(
                column,
                row,
                text,
                ha="center",
                va="center",
                fontsize=7.2,
                linespacing=1.1,
                color="white" if abs(mean) > 0.7 * limit else "black",
            )
            if OWN_QUESTION.get(contrast) == question:
                ax.add_patch(Rectangle((column - 0.48, row - 0.46), 0.96, 0.92, fill=False, linewidth=1.8))
    names = [CONTRASTS[name].title for name in contrasts]
    ax.set_xticks(range(len(contrasts)), names, rotation=35, ha="right", rotation_mode="anchor")
    ax.set_yticks(range(len(QUESTIONS)), [ASKED[each] for each in QUESTIONS], fontsize=9)
    return picture


def _short(value: float) -> str:
    """A number without the zero before its point, such as −.05."""
    return f"{value:.2f}".replace("0.", ".", 1).replace("-", "−")


def _share(falls: pd.DataFrame, resamples: int) -> str:
    """Mean absolute fall by the background relative to the sum with that by the bird, with its interval."""
    values = falls[["fall_background", "fall_bird"]].abs().to_numpy()
    draws = statistics.bootstrap(values, falls["group"].to_numpy(), resamples)
    share = values.mean(axis=0)[0] / values.mean(axis=0).sum()
    shares = draws[:, :1] / draws.sum(axis=1, keepdims=True)
    low, high = statistics.interval(shares, falls["group"].nunique())[:, 0]
    return f"{share:.0%} [{low:.0%},\N{NO-BREAK SPACE}{high:.0%}]"
