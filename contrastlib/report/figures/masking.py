"""Tables and figures of 04_masking by scale.

They show tables of :func:`contrastlib.evaluation.masking.relative_probabilities`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
import torch
from matplotlib.figure import Figure
from pandas.io.formats.style import Styler
from torch import Tensor

from contrastlib import explainers, models, plotting
from contrastlib.autograd import forward, predict
from contrastlib.datasets import ImageSet
from contrastlib.evaluation import masking, masking_effects
from contrastlib.evaluation.statistics import distinct_methods
from contrastlib.report.claims.verdict_tables import PAPERS, spread, title
from contrastlib.report.figures.shared import SHORT, beside, finished, masking_table, published
from contrastlib.report.figures.words import readable

BASELINES = {"blur": "Gaussian blur", "zeros": "Zeros", "mean": "Channel-wise mean"}
RULES = {
    "by_sign": "by sign",
    "equal_as_coded": "equal, as in the codes",
    "equal_as_described": "equal, of the right sign",
}
ONE_IMAGE = (
    "Image {image}, and the same with its {kept_sign} pixels kept and the others replaced ({baseline}), by "
    "the original and the weighted {method} maps of its two most probable classes."
)


def table_1(measured: Mapping[str, pd.DataFrame], mask_rule: str) -> Styler:
    """Table 1 of both papers with one mask rule, for each scale."""
    return (
        pd.concat({scale: _table_1(table, mask_rule) for scale, table in measured.items()}, names=["scale"])
        .style.format("{:.3f}")
        .set_uuid("table-1")
    )


def published_table_1() -> Styler:
    """The published Table 1 of both papers."""
    return _published_1().style.format("{:.3f}").set_uuid("published-1")


def table_1_beside_published(measured: Mapping[str, pd.DataFrame], mask_rule: str) -> Styler:
    """Table 1: means over the data sets of each paper, over our networks, and the differences.

    Ours are of the scale that is nearest to the papers.
    """
    scale, table = list(measured.items())[-1]
    by_paper = _published_1().groupby(lambda row: row[0].rpartition(", ")[0], sort=False)
    theirs = {paper: _means(rows) for paper, rows in by_paper}
    return beside(_means(_table_1(table, mask_rule)), theirs, scale).set_uuid("beside-published")


def _means(table: pd.DataFrame) -> pd.DataFrame:
    """Means over data sets or networks."""
    return table.groupby(level=["method", "target"], sort=False).mean()


def _published_1() -> pd.DataFrame:
    baselines = {"gaussian_blur": "Gaussian blur", "zeros": "Zeros", "channel_mean": "Channel-wise mean"}
    table = published("blurring_masking")
    table = (
        table[table["table"] == "Table 1"]
        .replace({"baseline": baselines})
        .rename(
            columns={
                "kept_features": "kept_sign",
                "scheme": "contrast",
                "unmodified_relative_probability": "before",
            }
        )
    )
    table["dataset"] = table["paper"].map(PAPERS) + ", " + table["dataset"]
    return masking_table(table)


def counts(measured: Mapping[str, pd.DataFrame]) -> str:
    """Number of images that count, and of all images, for each scale and network, in words."""
    parts = []
    for scale, table in measured.items():
        looked_at = _candidates(table.attrs["provenance"]["parameters"])
        images = table.groupby("network", sort=False)["image"].nunique()
        parts.append(
            f"{scale}: "
            + ", ".join(f"{n} of {looked_at[name]} ({title(name)})" for name, n in images.items())
        )
    return "; ".join(parts)


def one_image(model: models.Classifier, images: ImageSet) -> Callable[..., Figure]:
    """Function that draws one image of a set, masked by the maps of its two most probable classes."""

    def draw(
        image: int = 0,
        method: str = "gradcam",
        baseline: str = "blur",
        kept_sign: str = "positive",
        mask_rule: str = "equal_as_coded",
    ) -> Figure:
        pixels = images[image].image[None]
        record = forward(model, pixels, model.layer)
        classes = record.logits.topk(2).indices
        maps = masking.explanations(record, classes, (method,), ("original", "weighted"))[0, :, :, 0]
        maps = explainers.upsample(maps, pixels.shape[-2:], align_corners=True)
        masks = torch.cat([masking.masked_pixels(maps[:, rank], kept_sign, mask_rule) for rank in range(2)])
        fill = masking.baseline(baseline, model, pixels)
        pictures = torch.cat([pixels, torch.where(masks[:, None], fill, pixels)])
        relative = predict(model, pictures)[:, classes[0]].softmax(1)
        names = [model.class_names[c] for c in classes[0]]
        return _masked_versions(pictures, relative, masks.float().mean(dim=(1, 2)), names)

    return draw


def with_share(measured: Mapping[str, pd.DataFrame]) -> Styler:
    """Relative probabilities with blur as the baseline, and shares of masked pixels, for each scale."""
    return pd.concat(
        {scale: _with_share(table) for scale, table in measured.items()}, names=["scale"]
    ).style.set_uuid("shares")


def difference_map(measured: Mapping[str, pd.DataFrame], resamples: int) -> Figure:
    """Mean advantages of weighted over original maps as a heat map. A dot marks intervals that contain 0."""
    cells = pd.concat(_own_differences(table, resamples) for table in measured.values())
    cells["row"] = (
        cells["network"].map(title)
        + ", "
        + cells["method"].replace(SHORT)
        + ", $t_"
        + cells["rank"].astype(str)
        + "$"
    )
    cells["column"] = (
        cells["kept_sign"].str[:3]
        + ".\n"
        + cells["mask_rule"].map({rule: rule.split("_")[-1] for rule in RULES})
    )
    cells["mark"] = ((cells["low"] <= 0) & (cells["high"] >= 0)).map({True: "•", False: ""})
    columns = [f"{sign}.\n{rule.split('_')[-1]}" for sign in ("pos", "neg") for rule in RULES]
    values = cells.pivot(index="row", columns="column", values="mean").loc[cells["row"].unique(), columns]
    marks = cells.pivot(index="row", columns="column", values="mark").loc[values.index, columns]
    figure, ax = plt.subplots(figsize=(6.5, 0.28 * len(values) + 1.4), layout="constrained")
    sns.heatmap(
        values,
        cmap=plotting.COLOURS,
        center=0,
        annot=marks,
        fmt="",
        ax=ax,
        linewidths=0.5,
        cbar_kws={"label": "difference, positive as claimed"},
    )
    ax.set(xlabel="", ylabel="", title="blur as the baseline")
    return finished(figure)


def advantage_table(advantages: Mapping[str, pd.DataFrame], rules: Mapping[str, str] = RULES) -> Styler:
    """Advantages of weighted maps for each scale, with a column for each mask rule.

    Args:
        advantages: Scale -> table of :func:`contrastlib.evaluation.masking_effects.mean_advantages`.
        rules: Mask rule -> its title.

    Returns:
        The formatted table.
    """
    table = pd.concat(advantages, names=["scale"]).reset_index("scale")
    table = table.assign(
        network=table["network"].map(title),
        target="t" + table["rank"].astype(str),
        kept=table["kept_sign"].str[:3] + ". kept",
        cell=[_advantage(row) for row in table.itertuples()],
    )
    wide = table.pivot(index=["scale", "kept", "network", "target"], columns="mask_rule", values="cell")[
        list(rules)
    ].rename(columns=rules)
    wide = wide.sort_index(level=["scale", "kept"], ascending=[True, False], sort_remaining=False)
    return readable(wide).style.set_uuid(f"advantage-{'-'.join(rules)}")


def left_in_words(measured: Mapping[str, pd.DataFrame]) -> str:
    """Remaining advantage under the two rules of equal numbers, for each scale and sign, in Markdown."""
    left = {
        rule: {
            scale: masking_effects.advantage_left(table, rule, resamples=1)
            for scale, table in measured.items()
        }
        for rule in RULES
    }

    def share(rule: str, scale: str, sign: str) -> str:
        table = left[rule][scale]
        return spread(table[table["kept_sign"] == sign].set_index("network")["mean"].to_dict(), ".0%")

    return (
        "Of the advantage by sign (GradCAM, mean of both classes) this share is left:\n\n"
        + "\n".join(
            f"- {scale}, {sign} pixels kept: {share('equal_as_coded', scale, sign)} under the rule of the "
            f"codes, "
            f"{share('equal_as_described', scale, sign)} where equally many pixels of the right sign are "
            f"masked"
            for scale in measured
            for sign in masking.KEPT_SIGNS
        )
        + "\n\nWhat is missing is owed to the number of pixels masked. How much that is depends on the rule."
    )


def _table_1(table: pd.DataFrame, mask_rule: str) -> pd.DataFrame:
    part = table[(table["mask_rule"] == mask_rule) & table["baseline"].isin(BASELINES)]
    part = part.rename(columns={"relative_probability_before": "before"})
    values = ["relative_probability", "before"]
    cells = (
        part.groupby(["network", "method", "rank", "baseline", "kept_sign", "contrast"], sort=False)[values]
        .mean()
        .reset_index()
    )
    return masking_table(
        cells.assign(
            target="t" + cells["rank"].astype(str),
            baseline=cells["baseline"].map(BASELINES),
            dataset=cells["network"].map(title),
        )
    )


def _with_share(table: pd.DataFrame) -> pd.DataFrame:
    blurred = table[table["baseline"] == "blur"]
    part = blurred[blurred["method"] != "blank"]
    cells = part.groupby(["network", "method", "rank", "mask_rule", "kept_sign", "contrast"], sort=False)[
        ["relative_probability", "masked"]
    ].mean()
    text = (
        cells["relative_probability"].map("{:.3f}".format) + " (" + cells["masked"].map("{:.0%}".format) + ")"
    )
    wide = text.unstack(["mask_rule", "kept_sign", "contrast"])
    blank = blurred[blurred["method"] == "blank"].groupby(["network", "rank"])["relative_probability"].mean()
    wide["blank", "", ""] = [f"{blank[network, rank]:.3f}" for network, _, rank in wide.index]
    return readable(wide.rename(columns=RULES, level="mask_rule"))


def _own_differences(table: pd.DataFrame, resamples: int) -> pd.DataFrame:
    """Advantages of the methods whose maps differ from those of other methods."""
    table = table[table["method"] != "blank"]
    by = ["network", "method", "rank", "kept_sign", "mask_rule"]
    own = distinct_methods(
        table, "relative_probability", ["rank", "kept_sign", "mask_rule", "contrast", "image"]
    )
    return masking_effects.advantages(table, by, resamples=resamples).merge(own)


def _advantage(row: tuple) -> str:
    shares = [f"{row.masked_original:.0%}"] + (
        [f"{row.masked_weighted:.0%}"] if row.mask_rule == "by_sign" else []
    )
    return f"{row.mean:+.3f} [{row.low:+.3f},\N{NO-BREAK SPACE}{row.high:+.3f}] ({' / '.join(shares)})"


def _masked_versions(pictures: Tensor, relative: Tensor, shares: Tensor, names: list[str]) -> Figure:
    """The image, and its versions masked by the original and weighted map of t_1, then of t_2."""
    figure, axes = plt.subplots(1, 5, figsize=(10, 2.7), layout="constrained")
    for ax, each in zip(axes, pictures.clamp(0, 1).permute(0, 2, 3, 1)):
        ax.imshow(each)
        ax.set(xticks=[], yticks=[])
    axes[0].set_title("before", fontsize=8)
    axes[0].set_xlabel(f"$\\bar p$ = {relative[0, 0]:.2f} and {relative[0, 1]:.2f}", fontsize=8)
    for i, ax in enumerate(axes[1:]):
        rank, contrast = divmod(i, 2)
        ax.set_title(f"{('original', 'weighted')[contrast]}, $t_{rank + 1}$\n{names[rank]}", fontsize=8)
        ax.set_xlabel(f"$\\bar p$ = {relative[i + 1, rank]:.2f}, {shares[i]:.0%} masked", fontsize=8)
    return figure


def _candidates(parameters: dict | list) -> Counter:
    """Number of images of each network before the threshold, from the parameters of all shards."""
    if isinstance(parameters, dict):
        return Counter({parameters["network"]: len(parameters["images"])})
    return sum(map(_candidates, parameters), Counter())
