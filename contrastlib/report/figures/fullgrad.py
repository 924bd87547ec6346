"""Figures and tables of 08_fullgrad."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from pandas.io.formats.style import Styler
from torch import Tensor

from contrastlib import models, plotting
from contrastlib.autograd import predict
from contrastlib.datasets import ImageSet
from contrastlib.evaluation import statistics
from contrastlib.evaluation.fullgrad import VARIANTS, signs, top_two
from contrastlib.explainers.fullgrad import combine, terms
from contrastlib.report.claims.verdict_tables import title
from contrastlib.report.figures import shared
from contrastlib.report.figures.shared import finished, intervals, map_blocks

ONE_IMAGE = (
    "FullGrad maps of the two most probable classes of image {image}, original above and weighted below, "
    "with {psi} as psi."
)
NAMES = {"negative": "area below 0", "one_signed": "maps of one sign", "gap": "gap of the sum, relative"}
FORMATS = {"negative": "{:.1%}", "one_signed": "{:.0%}", "gap": "{:.0e}"}


def split_decisions(model: models.Classifier, images: ImageSet, count: int, threshold: float) -> list[Tensor]:
    """The first images (1, 3, H, W) of a set whose second-highest probability exceeds a threshold.

    Args:
        model: The classifier.
        images: The data set.
        count: Largest number of images.
        threshold: Threshold of the second-highest probability of an image.

    Returns:
        The images, in the order of the set.
    """
    found = shared.split_decisions(model, images, threshold, count=count)
    return [images[index].image[None] for index in found]


def complete_and_rescaled(model: models.Classifier, images: list[Tensor]) -> Figure:
    """Complete maps, and rescaled maps minus their mean, of the two most probable classes of each image."""
    blocks = []
    for image in images:
        parts = terms(model, image, top_two)
        complete, rescaled = (_maps(parts, image, psi) for psi in ("identity", "rescaled"))
        blocks.append(torch.cat([complete, rescaled - rescaled.mean(dim=(-2, -1), keepdim=True)]).numpy())
    rows = [
        f"{variant}\n{contrast}"
        for variant in ("complete", "rescaled, centred")
        for contrast in ("original", "weighted")
    ]
    pictures = torch.cat(images).permute(0, 2, 3, 1).numpy()
    return finished(
        map_blocks(pictures, np.stack(blocks), rows, [_titles(model, image) for image in images], share=0.99)
    )


def one_image(model: models.Classifier, images: ImageSet) -> Callable[..., Figure]:
    """Function that draws the maps of one image with any post-processing psi."""

    def draw(image: int = 0, psi: str = "absolute", centred: bool = False) -> Figure:
        pixels = images[image].image[None]
        heat = _maps(terms(model, pixels, top_two), pixels, psi)
        if centred:
            heat = heat - heat.mean(dim=(-2, -1), keepdim=True)
        pictures = pixels.permute(0, 2, 3, 1).numpy()
        return map_blocks(
            pictures, heat[None].numpy(), ["original", "weighted"], [_titles(model, pixels)], share=0.99
        )

    return draw


def sign_table(measured: Mapping[str, pd.DataFrame]) -> Styler:
    """Negative area, share of maps with one sign and gap of the sum.

    There is a row for each scale, network and post-processing.
    """
    found = pd.concat(
        {scale: signs(table) for scale, table in measured.items()}, names=["scale"]
    ).reset_index("scale")
    found["network"] = found["network"].map(title)
    wide = found.pivot(index=["scale", "network", "variant"], columns="contrast", values=list(NAMES))
    wide = wide.reindex(
        ["identity", "input only", *(v for v in VARIANTS if v not in ("identity", "input only"))],
        level="variant",
    )
    text = pd.DataFrame(
        {
            (NAMES[value], contrast): wide[value, contrast].map(FORMATS[value].format)
            for value, contrast in wide.columns
        }
    )
    return text.style.set_uuid("signs")


def similarity_table(measured: Mapping[str, pd.DataFrame], resamples: int) -> Styler:
    """Cosine of the complete maps of the two most probable classes, and difference of the contrasts."""
    parts = []
    for scale, table in measured.items():
        table = table[table["variant"] == "identity"]
        means = table.groupby(["network", "contrast"], sort=False)["similarity"].mean().unstack()
        gain = statistics.paired_differences(
            table, "similarity", ["network"], first="original", second="weighted", resamples=resamples
        ).set_index("network")
        parts.append(means.assign(**{"original − weighted": intervals(gain, "+.2f")}).assign(scale=scale))
    found = pd.concat(parts).reset_index()
    found["network"] = found["network"].map(title)
    return (
        found.set_index(["scale", "network"])
        .style.format("{:+.2f}", subset=["original", "weighted"])
        .set_uuid("similarity")
    )


def pair_in_words(pair: pd.Series) -> str:
    """Mean and standard deviation of the rescaled map in units of N, in Markdown."""
    return (
        f"The two average $N/2$ at every pixel. Measured, with $N = {pair['channels N']:.0f}$: $\\phi^w$ has "
        f"a mean of {pair['mean of φ(w) / N']:.3f} $N$ and a standard deviation of "
        f"{pair['standard deviation of φ(w) / N']:.3f} $N$, so that each lies near $N/2$ too. Taking the "
        "absolute value away does not make $\\psi$ linear."
    )


def _maps(parts: Mapping[str, Tensor], image: Tensor, psi: str) -> Tensor:
    """Maps (contrasts, classes, H, W) of one image."""
    return combine(parts, image.shape[-2:], psi).map[:, 0].unflatten(0, (2, 2))


def _titles(model: models.Classifier, image: Tensor) -> list[str]:
    top = predict(model, image).softmax(1).topk(2)
    return [plotting.class_title(model.class_names[c], p) for c, p in zip(top.indices[0], top.values[0])]
