"""Tables and sentences of 05_corrections for the errata 18 to 40, for open choices, and for erratum 23."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from pandas.io.formats.style import Styler

from contrastlib.evaluation import choices, dominance
from contrastlib.explainers import EXPLAINERS
from contrastlib.report.claims.verdict_tables import spread, title
from contrastlib.report.figures.shared import intervals

ROLLOUTS = {
    "review": "as in the code",
    "review, gradients aligned": "with aligned gradients alone",
    "review, rows normalised": "with normalised rows alone",
}


def rollout_in_words(measured: Mapping[str, pd.DataFrame]) -> str:
    """Effect of erratum 18 in Markdown: cosine of the rollout with the repaired one.

    The rollout is computed as coded, and with each repair alone.
    """

    def cosine(table: pd.DataFrame, name: str) -> str:
        rows = table[(table["map"] == name) & (table["contrast"] == "probability")]
        return spread(rows.groupby("network")["to_repaired"].mean().to_dict(), ".2f")

    return (
        "Cosine with the repaired map: "
        + "; ".join(
            f"{words} {cosine(table, name)}"
            for table in measured.values()
            for name, words in ROLLOUTS.items()
        )
        + ". More on the [page of Transformers](09_transformers.ipynb#gwar-errors)."
    )


def fullgrad_in_words(measured: Mapping[str, pd.DataFrame]) -> str:
    """Effect of erratum 19 in Markdown: negative area of FullGrad maps with and without bias terms.

    The post-processing psi is the identity.
    """

    def area(table: pd.DataFrame, variant: str) -> str:
        return spread(
            table[table["variant"] == variant].groupby("network")["negative"].mean().to_dict(), ".0%"
        )

    return (
        "Negative area with $\\psi$ the identity: "
        + "; ".join(
            f"{scale} {area(table, 'identity')}, with none of the bias terms {area(table, 'input only')}"
            for scale, table in measured.items()
        )
        + ". Proof and more measurements: [FullGrad](08_fullgrad.ipynb)."
    )


def dominance_in_words(
    agreement: Mapping[str, pd.DataFrame], norms: Mapping[str, pd.DataFrame], resamples: int
) -> str:
    """Effect of erratum 20 in Markdown: slopes of gradient norms, and cosines of the two maps.

    Args:
        agreement: Scale -> table of the study ``dominance_table``.
        norms: Scale -> table of the study ``gradient_norms``.
        resamples: Number of bootstrap samples of each interval.

    Returns:
        Sentences.
    """
    parts = []
    for scale, table in norms.items():
        slopes = [
            dominance.slopes(part, resamples=resamples).loc["within images"]
            for _, part in table.groupby("network")
        ]
        parts.append(f"{scale}, in {sum(slope['low'] > 0 for slope in slopes)} of {len(slopes)} networks")
    alike = []
    for scale, table in agreement.items():
        rows = table[(table["p_2"] <= 0.1) & (table["method"] == "gradcam")]
        alike.append(f"{scale} {spread(rows.groupby('network')['weighted'].mean().to_dict(), '.2f')}")
    return (
        "Within images the norm of the gradient grows with the logit (interval above 0): "
        f"{'; '.join(parts)}. Cosine of weighted and original GradCAM where one class dominates ($p_2 \\leq "
        f"0.1$): {'; '.join(alike)}."
    )


def probability_maps_in_words(measured: pd.DataFrame) -> str:
    """Effect of erratum 40: cosines of the maps of p_t and of its log-odds, by method."""
    least = measured.groupby(["linear", "method"])["similarity"].agg(["mean", "min"])
    others = "; ".join(
        f"{EXPLAINERS[name].title} {row['mean']:.3f} ({row['min']:.3f})"
        for name, row in least.loc[False].iterrows()
    )
    return (
        f"Cosine of the map of $p_t$ with that of its log-odds: at least {least.loc[True, 'min'].min():.6f} "
        f"for the {len(least.loc[True])} methods that are linear in the cotangent. For the others, mean "
        f"(least): {others}."
    )


def duals_in_words(measured: Mapping[str, pd.DataFrame]) -> str:
    """Effect of erratum 23 in Markdown: cosines of CLRP1 as printed and as coded, and of CLRP1 and CLRP2."""

    def cosine(table: pd.DataFrame, pair: str) -> str:
        return spread(
            table[table["methods"] == pair].groupby("network")["similarity"].mean().to_dict(), ".2f"
        )

    return (
        "Cosine of the two maps: "
        + "; ".join(
            f"{scale} {cosine(table, 'clrp1, clrp1_coded')}, and of CLRP1 and CLRP2 "
            f"{cosine(table, 'clrp1, clrp2')}"
            for scale, table in measured.items()
        )
        + ". Details: [relevance](20_conservation.ipynb#clrp1-duals)."
    )


def gains_table(measured: Mapping[str, pd.DataFrame], resamples: int) -> Styler:
    """Difference of the change of p_t between weighted and original steps with each choice, by scale."""
    parts = {scale: choices.perturbation_gains(table, resamples) for scale, table in measured.items()}
    table = published_first(pd.concat(parts, names=["scale"]).reset_index("scale"))
    table["weighted − original"] = intervals(table, "+.4f")
    return (
        table.set_index(["scale", "network", "choice", "images"])[["weighted − original"]]
        .style.set_caption("change of pₜ, one step of ε = 0.003")
        .set_uuid("choices-perturbation")
    )


def published_first(table: pd.DataFrame) -> pd.DataFrame:
    """Rows by scale, network and choice, with the published choice first and titles of networks."""
    table = table.assign(
        place=table.groupby(["scale", "network"], sort=False).ngroup(),
        other=table["choice"] != choices.PUBLISHED,
    )
    table = table.sort_values(["place", "other"], kind="stable").drop(columns=["place", "other"])
    return table.assign(network=table["network"].map(title))


def choices_in_words(measured: Mapping[str, pd.DataFrame], resamples: int) -> str:
    """Number of intervals of the perturbation that another choice turns, in Markdown."""
    return turned_in_words(
        pd.concat([choices.perturbation_turned(table, resamples) for table in measured.values()])
    )


def turned_in_words(compared: pd.DataFrame) -> str:
    """Number of intervals that change sides, or that contain 0 only under another choice, in Markdown.

    >>> turned_in_words(pd.DataFrame({"turned": [True, False], "lost": [False, False]}))
    '**Effect.** Of 2 intervals 1 change sides and 0 come to contain 0.'
    """
    return (
        f"**Effect.** Of {len(compared)} intervals {int(compared['turned'].sum())} change sides and "
        f"{int(compared['lost'].sum())} come to contain 0."
    )
