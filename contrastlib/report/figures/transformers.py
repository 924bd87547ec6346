"""Figures and tables of 09_transformers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
import torch
from IPython.display import Markdown
from matplotlib.figure import Figure
from pandas.io.formats.style import Styler
from torch import Tensor

from contrastlib import contrasts, models, plotting
from contrastlib.autograd import ForwardPass
from contrastlib.datasets import ImageSet
from contrastlib.evaluation import statistics
from contrastlib.evaluation.transformers import (
    ROLLOUTS,
    ahead_of_gradcam,
    at_the_last_block,
    contrastive,
    gradcam,
)
from contrastlib.explainers import upsample, vit
from contrastlib.report.claims.verdict_tables import title
from contrastlib.report.figures import shared
from contrastlib.report.figures.shared import finished, intervals, map_blocks

Row = tuple[str, Callable[[ForwardPass, Tensor], Tensor], str]
"""Title, explainer and contrast of a row of maps."""

NAMES = {
    "review": "rollout as the review coded it",
    "inventor": "rollout as its inventor coded it",
    "repaired": "repaired rollout",
    "attention x gradient": "attention × gradient",
    "rollout without gradients": "rollout without gradients",
}
VALUES = {
    "coherence": ("coherence", "+.2f"),
    "to_original": ("to original", "+.2f"),
    "similarity": ("similarity", "+.2f"),
    "negative": ("below 0", ".0%"),
}
CODES = {"inventor": vit.PUBLISHED, "review": vit.REVIEW, "repaired": {}}
TOKENS = {"entering": "tokens that enter", "output": "output"}
ONE_IMAGE = (
    "Maps of the two most probable classes of image {image}, {contrast} contrast: GradCAM at block {block} "
    "above, gradient-weighted attention rollout ({code}) below."
)
SMALLER = 0.62
"""Scale of the figures. They have many maps of low resolution."""


def split_decisions(model: models.Classifier, images: ImageSet, count: int, threshold: float) -> list[int]:
    """The first images of a set whose second-highest probability exceeds a threshold.

    Args:
        model: The classifier.
        images: The data set.
        count: Largest number of images.
        threshold: Threshold of the second-highest probability of an image.

    Returns:
        Indices of the images.

    Raises:
        ValueError: There is none.
    """
    found = list(shared.split_decisions(model, images, threshold, count=count))
    if not found:
        raise ValueError(
            f"no image of {images.name} has a second probability above {threshold:g}: set pictures above 0, "
            "or a lower threshold"
        )
    return found


def gradcam_of_blocks(
    model: models.Classifier, images: ImageSet, indices: Sequence[int], tokens: str
) -> Figure:
    """Weighted GradCAM of each block.

    Args:
        model: A Vision Transformer.
        images: Image set.
        indices: Indices of the drawn images.
        tokens: "entering" for the input of each block, or "output" for the output of each block except the
            last.

    Returns:
        The figure.
    """
    blocks = range(depth(model, images)) if tokens == "entering" else range(depth(model, images) - 1)
    name, words = ("norm", "block {}") if tokens == "entering" else ("block", "output\nof block {}")
    rows = [(words.format(i), _gradcam(f"{name}.{i}"), "weighted") for i in blocks]
    return _page_figure(model, images, indices, rows)


def gradcam_of_last_block(model: models.Classifier, images: ImageSet, indices: Sequence[int]) -> Figure:
    """GradCAM of the input of the last block, original and weighted, with and without ReLU.

    Args:
        model: The classifier.
        images: The data set.
        indices: Indices of the images.

    Returns:
        The figure.
    """
    rows = [
        (f"{contrast}\n{'ReLU' if relu else 'no ReLU'}", _gradcam(None, relu), contrast)
        for contrast in ("original", "weighted")
        for relu in (False, True)
    ]
    return _page_figure(model, images, indices, rows)


def rollouts(model: models.Classifier, images: ImageSet, indices: Sequence[int]) -> Figure:
    """Gradient-weighted attention rollout as published, as the review coded it, and repaired.

    Each is drawn original and contrastive.

    Args:
        model: The classifier.
        images: The data set.
        indices: Indices of the images.

    Returns:
        The figure.
    """
    rows = []
    for code, options in CODES.items():
        contrast, named = ("probability", "from $p_t$") if code == "review" else ("weighted", "weighted")
        rows += [
            (f"{code}\noriginal", _rollout(options), "original"),
            (f"{code}\n{named}", _rollout(options), contrast),
        ]
    return _page_figure(model, images, indices, rows)


def one_image(model: models.Classifier, images: ImageSet, first: int) -> Callable[..., Figure]:
    """Function that draws GradCAM at a block and a rollout, for the two most probable classes of one image.

    Args:
        model: A Vision Transformer.
        images: Image set.
        first: Index of the image that is drawn first.

    Returns:
        The function.
    """

    def draw(
        image: int = first,
        block: int = 0,
        contrast: str = "probability",
        relu: bool = False,
        code: str = "inventor",
    ) -> Figure:
        rows = [
            (f"GradCAM\nblock {block}", _gradcam(f"norm.{block}", relu), contrast),
            (f"rollout\n{code}", _rollout(CODES[code]), contrast),
        ]
        return _figure(model, images, [image], rows)

    return draw


def depth(model: models.Classifier, images: ImageSet) -> int:
    """Number of blocks of a Vision Transformer."""
    record = vit.vit_forward(model, images[0].image[None])
    return sum(name.startswith("norm.") for name in record.activations)


def coherence(measured: Mapping[str, pd.DataFrame], threshold: float) -> Figure:
    """Box plots of Moran's I of original and weighted GradCAM by block.

    There is a panel for each scale, network and kind of tokens.
    """
    parts = {
        (scale, network): gradcam(part[part["p_2"] > threshold])
        for scale, table in measured.items()
        for network, part in table.groupby("network", sort=False)
    }
    figure, axes = plt.subplots(
        2, len(parts), figsize=(4 * len(parts), 5), sharey=True, layout="constrained", squeeze=False
    )
    for column, ((scale, network), part) in zip(axes.T, parts.items()):
        for ax, (tokens, words) in zip(column, TOKENS.items()):
            sns.boxplot(
                part[part["tokens"] == tokens],
                x="block",
                y="coherence",
                hue="contrast",
                ax=ax,
                fliersize=1,
                linewidth=0.8,
                palette="crest",
            )
            ax.axhline(0, color="#888888", linewidth=0.6)
            ax.axhline(0.3, color="#888888", linewidth=0.6, linestyle=":")
            ax.set_title(f"{scale}, {title(network)}\n{words}", fontsize=9)
            ax.set_ylabel("Moran's $I$")
            ax.get_legend().remove()
            sns.despine(ax=ax)
    axes[0, 0].legend(fontsize=7, frameon=False, loc="lower left", ncols=2)
    return finished(figure)


def numbers(measured: Mapping[str, pd.DataFrame], threshold: float) -> Styler:
    """Coherence, cosines and negative share of the contrastive maps.

    For GradCAM it is the range over blocks.
    """
    rows = []
    for scale, table in measured.items():
        means = _means(contrastive(table[table["p_2"] > threshold]))
        blocks = gradcam(means)
        for network, part in means.groupby("network", sort=False):
            own = {
                f"GradCAM, {words}": blocks[(blocks["network"] == network) & (blocks["tokens"] == tokens)]
                for tokens, words in TOKENS.items()
            }
            own |= {NAMES[name]: part[part["map"] == name] for name in NAMES if (part["map"] == name).any()}
            rows += [
                {"scale": scale, "network": title(network), "map": name} | _ranges(each)
                for name, each in own.items()
            ]
    return pd.DataFrame(rows).set_index(["scale", "network", "map"]).style.set_uuid("numbers")


def counts(measured: Mapping[str, pd.DataFrame], threshold: float) -> str:
    """Number of images of each network that count, in words."""
    found = [
        f"{part[part['p_2'] > threshold]['image'].nunique()} of {part['image'].nunique():,} "
        f"({title(network)}, {scale})"
        for scale, table in measured.items()
        for network, part in table.groupby("network", sort=False)
    ]
    return f"Images with $p_2 > {threshold:g}$ count: {'; '.join(found)}."


def change_table(measured: Mapping[str, pd.DataFrame], threshold: float) -> Styler:
    """Cosine of the contrastive with the original rollout as coded, and of original GradCAM of t_1 and t_2.

    GradCAM is that of the last block.
    """
    rows = []
    for scale, table in measured.items():
        split = table[table["p_2"] > threshold]
        alike = at_the_last_block(split[split["contrast"] == "original"], "similarity").set_index("network")[
            "mean"
        ]
        cosines = split[split["map"] == "review"].groupby(["network", "contrast"])["to_original"].mean()
        rows += [
            {
                "scale": scale,
                "network": title(network),
                "rollout from the log-odds": cosines[network, "weighted"],
                "rollout from pₜ": cosines[network, "probability"],
                "GradCAM of t₁ and t₂, original": value,
            }
            for network, value in alike.items()
        ]
    return pd.DataFrame(rows).set_index(["scale", "network"]).style.format("{:+.2f}").set_uuid("change")


def energy_table(on_birds: Mapping[str, pd.DataFrame], resamples: int) -> Styler | Markdown:
    """Share of each map on the bird, and the difference between the rollout as coded and GradCAM.

    Args:
        on_birds: Scale -> table of :func:`contrastlib.evaluation.transformers.energy_on_regions`. If it is
            empty, a sentence replaces the table.
        resamples: Number of bootstrap samples.

    Returns:
        The formatted table, or the sentence.
    """
    if not on_birds:
        return Markdown(
            "None of these networks was measured on drawn birds, the only images that know their object's "
            "pixels."
        )
    parts = {}
    for scale, table in on_birds.items():
        means = table.groupby(["network", "map"], sort=False)[["energy", "area"]].mean()
        ahead = ahead_of_gradcam(table, resamples=resamples)
        parts[scale] = means.join(
            ahead.assign(ahead=intervals(ahead, "+.1%")).set_index(["network", "map"])["ahead"]
        )
    found = pd.concat(parts, names=["scale"]).reset_index()
    blocks = gradcam(found)
    named = "GradCAM, " + blocks["tokens"].map(
        {"entering": "tokens that enter block ", "output": "output of block "}
    )
    found["map"] = (
        (named + blocks["block"].astype(str)).reindex(found.index).fillna(found["map"].replace(NAMES))
    )
    found["network"] = found["network"].map(title)
    names = {"energy": "on the bird", "area": "even map", "ahead": "rollout as coded minus it"}
    shown = found.set_index(["scale", "network", "map"]).rename(columns=names)
    return (
        shown.style.format("{:.1%}", subset=["on the bird", "even map"])
        .format(na_rep="–", subset=names["ahead"])
        .set_uuid("energy")
    )


def repairs_table(measured: Mapping[str, pd.DataFrame]) -> Styler:
    """Cosine with the repaired rollout of the same contrast, and negative share.

    There is a row for each version of the code.
    """
    columns = {"to_repaired": "cosine with the repaired map", "negative": "below 0"}
    parts = {}
    for scale, table in measured.items():
        rows = table[table["map"].isin(ROLLOUTS)]
        means = (
            rows.groupby(["network", "map", "contrast"], sort=False)[list(columns)].mean().unstack("contrast")
        )
        parts[scale] = means.reindex(list(ROLLOUTS), level="map")
    found = pd.concat(parts, names=["scale"]).rename(index=title, level="network").rename(columns=columns)
    return found.style.format("{:+.2f}").format("{:.0%}", subset=[columns["negative"]]).set_uuid("repairs")


def less_alike_table(measured: Mapping[str, pd.DataFrame], threshold: float, resamples: int) -> Styler:
    """Cosine of the repaired rollouts of the two most probable classes, and difference of the contrasts.

    Args:
        measured: Scale -> table of the study ``transformer_maps``.
        threshold: Threshold of the second-highest probability of an image.
        resamples: Number of bootstrap samples of each interval.

    Returns:
        The formatted table.
    """
    parts = {}
    for scale, table in measured.items():
        rows = table[(table["map"] == "repaired") & (table["p_2"] > threshold)]
        means = (
            rows.groupby(["network", "contrast"], sort=False)["similarity"]
            .mean()
            .unstack()[["original", "weighted"]]
        )
        gain = statistics.paired_differences(
            rows, "similarity", ["network"], first="original", second="weighted", resamples=resamples
        ).set_index("network")
        parts[scale] = means.assign(
            **{"original − weighted": intervals(gain, "+.2f"), "images": gain["images"]}
        )
    found = pd.concat(parts, names=["scale"]).rename(index=title, level="network").rename_axis(columns=None)
    return found.style.format("{:+.2f}", subset=["original", "weighted"]).set_uuid("less-alike")


def _gradcam(layer: str | None, relu: bool = False) -> Callable[[ForwardPass, Tensor], Tensor]:
    return lambda record, cotangent: vit.vit_gradcam(record, cotangent, layer, relu)


def _rollout(options: Mapping) -> Callable[[ForwardPass, Tensor], Tensor]:
    return lambda record, cotangent: vit.gradient_attention_rollout(record, cotangent, **options)


def _page_figure(
    model: models.Classifier, images: ImageSet, indices: Sequence[int], rows: Sequence[Row]
) -> Figure:
    figure = _figure(model, images, indices, rows)
    figure.set_size_inches(SMALLER * figure.get_size_inches())
    figure.set_dpi(80)
    return finished(figure)


def _figure(
    model: models.Classifier, images: ImageSet, indices: Sequence[int], rows: Sequence[Row]
) -> Figure:
    """Maps of the two most probable classes of each image, with a row for each explainer and contrast."""
    pixels = torch.stack([images[i].image for i in indices])
    record = vit.vit_forward(model, pixels)
    top = record.logits.softmax(dim=1).topk(2, dim=1)
    maps = torch.stack(
        [
            torch.stack(
                [make(record, contrasts.cotangent(contrast, record.logits, t)) for t in top.indices.T]
            )
            for _, make, contrast in rows
        ]
    )
    heat = upsample(maps, pixels.shape[-2:]).permute(2, 0, 1, 3, 4).numpy()
    titles = [
        [plotting.class_title(model.class_names[c], p, width=18) for c, p in zip(*pair)]
        for pair in zip(top.indices, top.values)
    ]
    return map_blocks(pixels.permute(0, 2, 3, 1).numpy(), heat, [name for name, _, _ in rows], titles)


def _means(table: pd.DataFrame) -> pd.DataFrame:
    return table.groupby(["network", "map"], sort=False)[list(VALUES)].mean().reset_index()


def _ranges(means: pd.DataFrame) -> dict[str, str]:
    """Smallest and largest value of each column, in words."""
    found = {}
    for value, (name, form) in VALUES.items():
        ends = [f"{end:{form}}" for end in (means[value].min(), means[value].max())]
        found[name] = " to ".join(dict.fromkeys(ends))
    return found
