"""Tables of 18_layers about the tensor that an in-place ReLU overwrites."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from pandas.io.formats.style import Styler

from contrastlib.report.figures.shared import SHORT, together
from contrastlib.report.figures.words import words

TENSORS = {"copy": "inside the hook", "reference": "after the pass"}
READINGS = {
    "copy": "copy made in the hook",
    "reference": "tensor kept",
    "reference, gradient before the ReLU": "tensor kept, earlier gradient",
}


def tensors(measured: Mapping[str, pd.DataFrame]) -> Styler:
    """Share of the values of the hooked tensor below 0, inside the hook and after the pass, in each network.

    Args:
        measured: Scale -> table of :func:`contrastlib.evaluation.overwritten.compare` for several networks.

    Returns:
        The formatted table, with the share of values that changed, and the largest difference of the tensor
        that contrastlib records and the copy.
    """
    table = together(measured)
    by = ["scale", "network"]
    shares = (
        table[table["reading"].isin(TENSORS)]
        .pivot_table(index=by, columns="reading", values="tensor_negative", sort=False)[list(TENSORS)]
        .rename(columns=lambda name: f"below 0 {TENSORS[name]}")
    )
    rest = table.groupby(by, sort=False).agg(changed=("changed", "mean"), gap=("gap_recorded", "max"))
    rest.columns = ["changed after the hook", "largest error of the recorded tensor"]
    return (
        shares.join(rest)
        .rename(index=words, level="network")
        .style.format("{:.1%}")
        .format("{:.1g}", subset=rest.columns[1])
        .set_uuid("overwritten-tensors")
    )


def areas(measured: Mapping[str, pd.DataFrame], threshold: float = 0.1) -> Styler:
    """Mean share of the map of the top class below 0, for each tensor, method and contrast.

    Args:
        measured: As in :func:`tensors`. Networks without images above the threshold are left out.
        threshold: Threshold of the second-highest probability of an image.

    Returns:
        The formatted table.
    """
    table = together(measured)
    table = table[table["p_2"] > threshold].replace({"method": SHORT, "contrast": SHORT, "reading": READINGS})
    wide = table.pivot_table(
        index=["scale", "network"], columns=["method", "contrast", "reading"], values="negative", sort=False
    )
    order = [(m, c, r) for m in ("GC", "LA") for c in ("ori.", "wtd.") for r in READINGS.values()]
    wide = wide[order].rename(index=words, level="network")
    return wide.style.format("{:.0%}").set_uuid("overwritten-areas")
