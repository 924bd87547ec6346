"""Tables of 07_dominance about masking where one class dominates: Table 2 of Eriksson et al. 2025."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from pandas.io.formats.style import Styler

from contrastlib.evaluation import masking_effects
from contrastlib.report.claims.verdict_tables import PAPERS, spread, title
from contrastlib.report.figures.dominance import where_dominated
from contrastlib.report.figures.shared import beside, masking_table, published

BASELINES = {"blur": "Gaussian blur", "zeros": "Zeros", "mean": "Channel-wise mean"}


def table_2(masked: Mapping[str, pd.DataFrame]) -> Styler:
    """Table 2 of Eriksson et al. 2025 for each scale, with the masked shares.

    Pixels are counted as coded and as described.
    """
    tables = {
        (scale, rule): _table_2(part)
        for scale, table in masked.items()
        for rule, part in _first_class(table).groupby("mask_rule", sort=False)
    }
    table = pd.concat(tables, names=["scale", "counted"]).rename(
        index=lambda rule: rule.removeprefix("equal_").replace("_", " "), level="counted"
    )
    shown = table.style.format("{:.3f}", na_rep="–")
    return shown.format("{:.1%}", subset=["masked"], na_rep="–").set_uuid("table-2")


def table_2_beside_published(masked: Mapping[str, pd.DataFrame]) -> Styler:
    """Table 2: published, means over our networks, and the difference, pixels counted as coded.

    Ours are of the scale that is nearest to the review.
    """
    scale, table = list(masked.items())[-1]
    part = _first_class(table)
    ours = _relative(part[part["mask_rule"] == "equal_as_coded"]).groupby(level=["method", "target"]).mean()
    theirs = {PAPERS["eriksson2025"]: _published_2().droplevel("dataset")}
    return beside(ours, theirs, scale).set_uuid("beside-published")


def published_table_2() -> Styler:
    """The published Table 2."""
    return _published_2().style.format("{:.3f}").set_uuid("published-2")


def _published_2() -> pd.DataFrame:
    table = published("blurring_masking")
    table = table[table["table"].str.startswith("Table 2")].rename(
        columns={"kept_features": "kept_sign", "scheme": "contrast"}
    )
    names = {"gaussian_blur": "Gaussian blur", "zeros": "Zeros", "channel_mean": "Channel-wise mean"}
    table["dataset"] = table["paper"].map(PAPERS) + ", " + table["dataset"]
    table["baseline"] = table["baseline"].replace(names)
    return masking_table(table)


def masking_in_words(
    masked: Mapping[str, pd.DataFrame], agreement: Mapping[str, pd.DataFrame], threshold: float
) -> str:
    """Masked shares, and differences of masking by the similarity of the maps, in Markdown.

    Args:
        masked: Scale -> table of the study ``dominated_masking``.
        agreement: Scale -> table of the study ``dominance_table``.
        threshold: Threshold of the second-highest probability of an image.

    Returns:
        A list, with an item for each scale.
    """
    lines = []
    for scale, table in masked.items():
        part = _first_class(table)
        described = part[(part["mask_rule"] == "equal_as_described") & (part["kept_sign"] == "positive")]
        share = spread(described.groupby("network")["masked"].mean().to_dict(), ".1%")
        lines.append(
            f"- {scale}: with the positive pixels kept and counted as described, {share} of the pixels are "
            "masked."
        )
        pairs = _lower_by_cosine(part, where_dominated(agreement[scale], threshold, "weighted"))
        if pairs:
            lines[-1] += (
                " With the negative ones kept and counted as coded, *original* leaves $t_1$ more than "
                f"*weighted* by {'; '.join(pairs)} (means of the baselines)."
            )
    return "\n".join(lines)


def _lower_by_cosine(part: pd.DataFrame, alike: Mapping[str, float]) -> list[str]:
    """Difference of the relative probability of t_1, original minus weighted, in the order of the cosines.

    Only networks whose maps were compared are included.
    """
    coded = part[(part["mask_rule"] == "equal_as_coded") & (part["kept_sign"] == "negative")]
    lower = (
        masking_effects.advantages(coded, ["network", "baseline", "kept_sign"], resamples=1)
        .groupby("network")["mean"]
        .mean()
    )
    order = sorted(set(lower.index) & set(alike), key=lambda name: alike[name])
    return [f"{lower[name]:+.3f} at a cosine of {alike[name]:.2f} ({title(name)})" for name in order]


def _first_class(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of GradCAM of the most probable class."""
    return table[(table["method"] == "gradcam") & (table["rank"] == 1)]


def _relative(part: pd.DataFrame) -> pd.DataFrame:
    """Relative probabilities for one mask rule in the layout of Table 2."""
    cells = (
        part.groupby(["network", "method", "baseline", "kept_sign", "contrast"], sort=False)[
            "relative_probability"
        ]
        .mean()
        .reset_index()
    )
    cells = cells.assign(target="t1", baseline=cells["baseline"].map(BASELINES)).rename(
        columns={"network": "dataset"}
    )
    return masking_table(cells)


def _table_2(part: pd.DataFrame) -> pd.DataFrame:
    """Table 2 for one mask rule, with a row for each network."""
    table = _relative(part).droplevel(["method", "target"]).rename_axis(index="network")
    share = part.groupby(["network", "kept_sign"])["masked"].mean().unstack()
    table.insert(0, ("before", "", ""), part.groupby("network")["relative_probability_before"].mean())
    for position, (sign, label) in enumerate(
        {"positive": "Pos. features", "negative": "Neg. features"}.items(), 1
    ):
        table.insert(position, ("masked", label, ""), share[sign])
    return table.rename(index=title)
