"""Tables and figures of 16_controls: maps beside their controls, curves of removal, lost parameters.

They show tables by scale of :mod:`contrastlib.evaluation.control_scores`,
:mod:`contrastlib.evaluation.deletion` and :mod:`contrastlib.evaluation.randomisation`.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
import torch
from IPython.display import Markdown
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from pandas.io.formats.style import Styler

from contrastlib import models, plotting
from contrastlib.autograd import predict
from contrastlib.contrasts import CONTRASTS
from contrastlib.evaluation import deletion, randomisation, statistics
from contrastlib.evaluation.control_maps import CONTROLS, METHODS, OURS, with_controls
from contrastlib.evaluation.control_scores import against_controls
from contrastlib.report.claims.verdict_tables import title
from contrastlib.report.computing.batches import load_dataset
from contrastlib.report.figures.shared import finished, intervals, mean_lines
from contrastlib.report.figures.words import readable, words
from contrastlib.report.markdown import markdown_table
from contrastlib.report.results.storage import RESULTS, load

ALT = "Picture {image} for {network}, the {contrast} map of its most probable class, and five controls."
SECOND_OPINION = RESULTS / "second_opinion.parquet"
"""Results of ``python -m benchmarks.second_opinion``."""
NOT_YET = Markdown("*Not measured yet; `python -m contrastlib run 16 --profile real` does so.*")
MARKERS = "osD^v*PX"
"""Markers of other networks. They are repeated if there are more networks."""
SETTING = ["network", "method", "contrast"]
MEAN, CHANGE = "the map", "the map minus "


def records() -> Markdown:
    """Table of the controls and of what is learned if a map scores no higher."""
    rows = [[control.title, control.question] for control in CONTROLS.values()]
    return Markdown(markdown_table(["control", "if the map scores no higher, the answer is no"], rows))


def gallery(networks: Mapping[str, Sequence]) -> Callable[..., Figure]:
    """Function that draws an image, the map of its most probable class, and the controls of that map.

    Args:
        networks: Network -> [data set, ...].

    Returns:
        A function of the name of a network, the index of an image and the name of a contrast.
    """
    first = next(iter(networks))

    def draw(network: str = first, image: int = 0, contrast: str = "original") -> Figure:
        model = models.load(network)
        examples = load_dataset(networks[network][0], model.input_size)
        batch = torch.stack([examples[(image + step) % len(examples)].image for step in range(2)])
        logits = predict(model, batch)
        made = with_controls(model, batch, logits, logits.argmax(dim=1), METHODS, [contrast])
        maps = {row[2]: phi[0].numpy(force=True) for rows, phi in made for row in rows}
        figure, axes = plt.subplots(1, 1 + len(maps), figsize=(10, 1.9), layout="constrained")
        pixels = batch[0].permute(1, 2, 0).numpy(force=True)
        axes[0].imshow(pixels)
        for ax, (name, heat) in zip(axes[1:], maps.items()):
            plotting.overlay(ax, pixels, heat)
            ax.set_title(f"{contrast} map" if name == OURS else CONTROLS[name].title, fontsize=8)
        for ax in axes:
            ax.set(xticks=[], yticks=[])
        return finished(figure)

    return draw


def beside(measured: Mapping[str, pd.DataFrame], value: str, resamples: int, form: str, uuid: str) -> Styler:
    """Mean of a measure for each map, and what the map has more than each control, paired by image.

    Args:
        measured: Scale -> table with a column ``control``.
        value: Name of the column.
        resamples: Number of bootstrap samples.
        form: Format of the numbers, with a sign.
        uuid: Identifier of the table in the page.
    """
    parts = {}
    for scale, table in measured.items():
        own = table[table["control"] == OURS]
        means = statistics.means(own, value, SETTING, resamples=resamples).set_index(SETTING)
        wide = intervals(means, form.replace("+", "")).rename(MEAN).to_frame()
        wide["pictures"] = means["images"]
        for name, rows in against_controls(table, value, SETTING, resamples=resamples).groupby("control"):
            wide[CHANGE + CONTROLS[name].title] = intervals(rows.set_index(SETTING), form)
        parts[scale] = wide
    found = pd.concat(parts, names=["scale"]).rename(index=title, level="network")
    columns = [CHANGE + each.title for each in CONTROLS.values() if CHANGE + each.title in found]
    return readable(found[["pictures", MEAN, *columns]]).style.set_uuid(uuid)


def curves(measured: Mapping[str, pd.DataFrame]) -> Figure:
    """Deletion and insertion curves: a column for each removal and scoring network, a row for each scale."""
    panels = sorted(
        {
            key
            for table in measured.values()
            for key in table[["removal", "judge"]].itertuples(index=False, name=None)
        }
    )
    figure, axes = plt.subplots(
        len(measured),
        len(panels),
        figsize=(2.5 * len(panels), 2.6 * len(measured) + 0.4),
        sharey="row",
        squeeze=False,
        layout="constrained",
    )
    for row, (scale, table) in zip(axes, measured.items()):
        for ax, (removal, scored_by) in zip(row, panels):
            part = table[(table["removal"] == removal) & (table["judge"] == scored_by)]
            _curves(ax, part)
            ax.set_title(f"{removal}, scored by {scored_by}", fontsize=8)
        row[0].set_ylabel(f"{scale}: $y_t - y_s$", fontsize=8)
    figure.supxlabel("share of the pixels removed (falling lines) or inserted (rising lines)", fontsize=8)
    handles = {label: handle for ax in axes.flat for handle, label in zip(*ax.get_legend_handles_labels())}
    figure.legend(
        handles.values(), handles.keys(), loc="outside upper center", ncols=4, fontsize=8, frameon=False
    )
    return finished(figure)


def gaps(measured: Mapping[str, pd.DataFrame], resamples: int) -> Styler:
    """Gap between insertion and deletion of each contrast and control, by removal and scoring network."""
    parts = []
    for scale, table in measured.items():
        by = ["network", "removal", "judge", "contrast", "control"]
        rows = statistics.means(deletion.areas(table), "gap", by, resamples=resamples)
        parts.append(rows.assign(scale=scale, cell=intervals(rows, "+.2f")))
    rows = pd.concat(parts).rename(columns={"judge": "scored by"})
    rows["network"] = rows["network"].map(title)
    rows["map"] = [_named(*key) for key in zip(rows["contrast"], rows["control"])]
    columns = ["scale", "network", "removal", "scored by"]
    wide = rows.drop_duplicates(["map", *columns]).pivot(index="map", columns=columns, values="cell")
    return wide.loc[list(dict.fromkeys(rows["map"]))].fillna("–").style.set_uuid("gaps")


def cascades(measured: Mapping[str, pd.DataFrame], value: str = "spearman") -> Figure:
    """Likeness to the map of the intact network over the share of the layers that are random.

    A panel for each network, at the last scale at which it was measured, and method.
    """
    last = _at_last_scale(measured)
    found = pd.concat([part.assign(scale=scale) for scale, part in last.values()])
    panels = list(found.groupby(["scale", "network", "method"], sort=False))
    columns = min(4, len(panels))
    rows = -(-len(panels) // columns)
    figure, axes = plt.subplots(
        rows,
        columns,
        figsize=(2.4 * columns, 2.2 * rows + 0.5),
        sharex=True,
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    for ax, ((scale, network, method), part) in zip(axes.flat, panels):
        mean_lines(part.assign(line=part["contrast"].map(words)), "lost", value, ax, legend=True)
        ax.axhline(0, color="#333333", linewidth=0.5)
        ax.set(xlabel="", ylabel="")
        ax.set_title(f"{title(network)} ({scale})\n{words(method)}", fontsize=8)
        ax.get_legend().remove()
    for ax in axes.flat[len(panels) :]:
        ax.set_axis_off()
    figure.supxlabel("share of the layers that are random, from the top", fontsize=8)
    figure.supylabel("rank correlation with the intact map" if value == "spearman" else "SSIM", fontsize=8)
    figure.legend(
        *axes[0, 0].get_legend_handles_labels(),
        loc="outside upper center",
        ncols=4,
        fontsize=8,
        frameon=False,
    )
    return finished(figure)


def sensitivities(measured: Mapping[str, pd.DataFrame], resamples: int) -> Styler:
    """Mean likeness over the cascade for each method and contrast, and the relative rise of the entropy."""
    parts = {}
    for scale, table in measured.items():
        columns = {
            "rank correlation": (randomisation.sensitivity(table, "spearman"), "spearman", "+.2f"),
            "SSIM": (randomisation.sensitivity(table, "ssim"), "ssim", "+.2f"),
            "rise of the entropy": (randomisation.rise_of_entropy(table), "rise", "+.0%"),
        }
        cells = {name: _means(*column, resamples) for name, column in columns.items()}
        parts[scale] = pd.DataFrame(cells).loc[cells["SSIM"].index]
    found = pd.concat(parts, names=["scale"]).rename(index=title, level="network")
    return readable(found).style.set_uuid("sensitivities")


def other_trainings(measured: Mapping[str, pd.DataFrame]) -> Figure | Markdown:
    """Likeness to the maps of networks that were trained in other ways, with 95 % intervals.

    A panel for each network, at the last scale at which it was measured. Its rows are methods, its colours
    contrasts, its markers the other networks. They are the same in all panels.

    Args:
        measured: Scale -> table of :func:`contrastlib.evaluation.randomisation.likeness_to_networks`.

    Returns:
        The figure, or a note if there is no table.
    """
    if not measured:
        return NOT_YET
    last = _at_last_scale(measured)
    shown = pd.concat([table for _, table in last.values()])
    methods, contrasts, others = (list(shown[column].unique()) for column in ("method", "contrast", "other"))
    markers = dict(zip(others, itertools.cycle(MARKERS)))
    marks = list(itertools.product(contrasts, others))
    figure, axes = plt.subplots(
        1, len(last), figsize=(4 + 3 * len(last), 3.6), squeeze=False, sharey=True, layout="constrained"
    )
    for ax, (network, (scale, table)) in zip(axes[0], last.items()):
        for row in statistics.means(table, "spearman", ["method", "contrast", "other"]).itertuples():
            offset = (marks.index((row.contrast, row.other)) + 0.5) / len(marks) - 0.5
            ax.errorbar(
                row.mean,
                methods.index(row.method) + 0.8 * offset,
                xerr=[[row.mean - row.low], [row.high - row.mean]],
                fmt=markers[row.other],
                color=f"C{contrasts.index(row.contrast)}",
                markersize=5,
                linewidth=1,
            )
        ax.axvline(0, color="#333333", linewidth=0.5)
        ax.set_title(f"{title(network)} ({scale})", fontsize=8)
    axes[0, 0].set_yticks(range(len(methods)), [words(each) for each in methods])
    axes[0, 0].set_ylim(len(methods) - 0.5, -0.5)
    figure.supxlabel("rank correlation with the map of the network", fontsize=8)
    handles = [Line2D([], [], marker=marker, linestyle="", color="#333333") for marker in markers.values()]
    handles += [Line2D([], [], color=f"C{number}") for number in range(len(contrasts))]
    labels = [*others, *(CONTRASTS[each].title for each in contrasts)]
    figure.legend(handles, labels, loc="outside upper center", ncols=3, fontsize=8, frameon=False)
    return finished(figure)


def second_opinion(resamples: int, path: Path = SECOND_OPINION) -> Styler | Markdown:
    """Measures of Quantus for each contrast, with the time that each takes, from kept results."""
    sys.audit("contrastlib.file", path)  # which may not exist, see contrastlib.report.notebooks.staleness
    if not path.exists():
        return Markdown("*Not measured yet; `python -m benchmarks.second_opinion` does so.*")
    table = load(path)
    by = ["family", "metric", "better", "contrast"]
    rows = statistics.means(table, "value", by, resamples=resamples)
    rows["cell"] = intervals(rows, "+.3f")
    wide = rows.pivot(index=by[:3], columns="contrast", values="cell")[list(table["contrast"].unique())]
    seconds = table.groupby(by[:3])["seconds"].mean()
    wide["seconds per image"] = seconds.map("{:.2g}".format)
    order = pd.MultiIndex.from_frame(table[by[:3]].drop_duplicates())
    return wide.loc[order].style.set_uuid("second-opinion")


def _at_last_scale(measured: Mapping[str, pd.DataFrame]) -> dict[str, tuple[str, pd.DataFrame]]:
    """Network -> the last scale at which it was measured, and its rows there."""
    return {
        network: (scale, part)
        for scale, table in measured.items()
        for network, part in table.groupby("network", sort=False)
    }


def _means(rows: pd.DataFrame, value: str, form: str, resamples: int) -> pd.Series:
    """Mean of a column in each setting, with its interval, as text."""
    return intervals(statistics.means(rows, value, SETTING, resamples=resamples).set_index(SETTING), form)


def _curves(ax: Axes, part: pd.DataFrame) -> None:
    """Mean curves of each contrast, and of each control of the first contrast."""
    first = part["contrast"].iloc[0]
    shown = part[(part["control"] == OURS) | (part["contrast"] == first)]
    colours = {name: f"C{number}" for number, name in enumerate([*part["contrast"].unique(), *CONTROLS])}
    for (contrast, control), rows in shown.groupby(["contrast", "control"], sort=False):
        style, colour = ("-", colours[contrast]) if control == OURS else (":", colours[control])
        for kind in ("deletion", "insertion"):
            mean = rows.groupby("share")[kind].mean()
            ax.plot(
                mean.index,
                mean,
                style,
                color=colour,
                linewidth=1.3,
                label=_named(contrast, control) if kind == "deletion" else None,
            )
    ax.axhline(0, color="#333333", linewidth=0.5)
    ax.tick_params(labelsize=7)


def _named(contrast: str, control: str) -> str:
    """Title of a map: that of its contrast, or that of its control, with the contrast if it depends on it."""
    if control == OURS:
        return CONTRASTS[contrast].title
    of = f" ({CONTRASTS[contrast].title})" if CONTROLS[control].per_contrast else ""
    return CONTROLS[control].title + of
