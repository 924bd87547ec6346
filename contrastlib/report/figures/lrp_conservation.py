"""Tables of 20_conservation: conservation of relevance, networks without biases, the two duals of CLRP1."""

from __future__ import annotations

import torch
from IPython.display import HTML
from pandas.io.formats.style import Styler

from contrastlib import assets, models
from contrastlib.evaluation import relevance_flow
from contrastlib.report.claims.verdict_tables import title
from contrastlib.report.computing import batches
from contrastlib.report.figures.lrp_shared import METHODS, Tables, named, where_measured
from contrastlib.report.figures.shared import left_out, together

RULE = "under the $z^+$ rule, biases bypassed,"
BLOCKS = {
    "efficientnet_lite0": (
        "network.features.{}.expand.0",
        "network.features.{}.depthwise.0",
        "network.features.{}.project.0",
    ),
    "mobilenet_v2": (
        "network.features.{}.conv.0.0",
        "network.features.{}.conv.1.0",
        "network.features.{}.conv.2",
    ),
}
"""Network -> names of the expansion, the depthwise convolution and the projection of a block."""


def conservation(measured: Tables) -> Styler:
    """Sum of the map over the logit, and cosines with input x gradient, for each rule.

    The numbers are medians over images.
    """
    measures = {
        "arrived": "sum of the map / logit",
        "input_x_gradient": "cosine, input × gradient",
        "pixels_x_gradient": "cosine, pixels × gradient",
    }
    medians = (
        together(measured)
        .groupby(["scale", "network", "rules", "biases"], sort=False)[list(measures)]
        .median()
    )
    wide = medians.rename(columns=measures, index={"z_plus": "z+"}).unstack("biases")
    wide = wide.rename(columns={False: "bypassed", True: "taking part"})
    return named(wide, 0).style.format(_two_digits, na_rep="overflow").set_uuid("conservation")


def lossy_in_words(measured: Tables, least: float = 0.5) -> str:
    """Networks in which a share below ``least`` of the logit arrives at the pixels, in Markdown."""
    found = []
    for scale, table in measured.items():
        rows = table[(table["rules"] == "z_plus") & ~table["biases"].astype(bool)]
        arrived = rows.groupby("network", sort=False)["arrived"].median()
        found += [f"{title(name)} ({value:.1%}, {scale})" for name, value in arrived[arrived < least].items()]
    if not found:
        return f"In every network at least {least:.0%} of the logit arrives at the pixels {RULE}."
    return f"Less than {least:.0%} of the logit arrives at the pixels {RULE} in {' and '.join(found)}."


def lost_in_blocks(network: str, dataset: str, count: int = 8) -> Styler | HTML:
    """Share of the relevance that layers of each block propagate, as medians over images.

    The layers are the depthwise convolution and the projection.

    Args:
        network: A network of ``BLOCKS``.
        dataset: Name of the image set.
        count: Number of images of the set.

    Returns:
        The formatted table, or a note that replaces it if a file of the network or of the set is missing.
    """
    files = [*assets.networks()[network].files, *assets.datasets()[dataset].files]
    if not all(map(assets.available, files)):
        return left_out(f"The same table for {title(network)}", *files)
    model = models.load(network)
    images = batches.load_dataset(dataset, model.input_size)
    shown = torch.stack([images[index].image for index in images.sample(count)])
    table = (
        relevance_flow.passed_on(model, shown, _steps(model))
        .rename_axis(["convolution", "block"])
        .unstack("block")
    )
    caption = f"{title(network)}, medians of {len(shown)} photographs"
    return table.style.format("{:.0%}").set_caption(caption).set_uuid(f"lost-{network.replace('_', '-')}")


@where_measured
def homogeneity(measured: Tables) -> Styler:
    """Mean cosines with input x gradient, of the networks with and without shifts."""
    table = (
        together(measured)
        .groupby(["scale", "network", "shifts", "method"], sort=False)["similarity"]
        .mean()
        .unstack("method")
    )
    return (
        named(table.rename_axis(index={"shifts": "biases and shifts"}).rename(columns=METHODS), 0)
        .style.format("{:.4f}")
        .set_uuid("homogeneous")
    )


def duals(measured: Tables) -> Styler:
    """Mean cosines of the maps of CLRP1 as printed, CLRP1 as coded and CLRP2."""
    table = (
        together(measured)
        .groupby(["scale", "network", "methods"], sort=False)["similarity"]
        .mean()
        .unstack("methods")
    )
    names = {pair: " and ".join(METHODS[name] for name in pair.split(", ")) for pair in table.columns}
    return named(table.rename(columns=names), 0).style.format("{:.2f}").set_uuid("duals")


def _steps(model: models.Classifier) -> dict[tuple[str, int], tuple[str, str]]:
    """(convolution, block) -> the layers before and after it, for the blocks that have all three layers."""
    known, steps = dict(model.named_modules()), {}
    for number in range(len(model.network.features)):
        expanded, depthwise, projected = (layer.format(number) for layer in BLOCKS[model.name])
        if {expanded, depthwise, projected} <= set(known):
            steps |= {
                ("depthwise", number): (expanded, depthwise),
                ("projection", number): (depthwise, projected),
            }
    return steps


def _two_digits(value: float) -> str:
    return f"{value:+.2f}" if abs(value) < 100 else f"{value:+.0e}"
