"""Tables and sentences of 18_layers: where maps are negative, and which layer they are read at."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from pandas.io.formats.style import Styler

from contrastlib.evaluation import correction_tables
from contrastlib.report.claims.verdict_tables import spread, title


def area_table(areas: Mapping[str, pd.DataFrame]) -> Styler:
    """Erratum 15: tables of :func:`contrastlib.evaluation.correction_tables.negative_area` by scale."""
    return (
        pd.concat(areas, names=["scale"])
        .rename(index=title, level="network")
        .style.format("{:.1%}")
        .set_uuid("layer")
    )


def area_in_words(areas: Mapping[str, pd.DataFrame]) -> str:
    """Negative share of the original maps before and after the non-linearity, in Markdown."""
    original = pd.concat(areas.values())["original"]
    stages = {
        stage: original.xs(stage, level="stage")
        for stage in correction_tables.STAGES
        if stage in original.index.get_level_values("stage")
    }
    words = "; ".join(
        f"{stage.removeprefix('+ ')} {spread(each.to_dict(), '.1%')}" for stage, each in stages.items()
    )
    return (
        f"Negative area of *original* maps: {words}. More than half is negative in "
        f"{int((original > 0.5).sum())} of the {len(original)} rows."
    )


def normaliser_table(normalisers: pd.DataFrame, layers: list[str]) -> Styler:
    """Erratum 16: XGradCAM with both normalisers, layer by layer: cosine, negative sums, and what is kept."""
    by_layer = normalisers.groupby("layer")
    table = by_layer[["similarity", "negative_sums"]].mean().join(by_layer["kept"].median()).loc[layers]
    columns = {
        "similarity": ("cosine of the two maps", "{:.3f}"),
        "negative_sums": ("channels with a negative sum", "{:.1%}"),
        "kept": ("sum of the map with ‖a‖₁ / Σ a ∂y, median", "{:+.2f}"),
    }
    formats = dict(columns.values())
    return (
        table.rename(columns={key: words for key, (words, _) in columns.items()})
        .style.format(formats)
        .set_uuid("normaliser")
    )


def receptive_fields_in_words(sides: pd.Series) -> str:
    """Effect of erratum 39: sides of the receptive fields of VGG-16, by layer."""
    return (
        "Side of the receptive field of a unit of VGG-16, in pixels: "
        + ", ".join(f"`features.{layer}` {side}" for layer, side in sides.items())
        + "."
    )
