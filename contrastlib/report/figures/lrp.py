"""Tables of 10_lrp about maps of several classes and of two objects."""

from __future__ import annotations

import pandas as pd
from pandas.io.formats.style import Styler

from contrastlib.evaluation import relevance_mass, statistics
from contrastlib.report.claims.verdict_tables import spread, title
from contrastlib.report.figures.lrp_shared import (
    CLRP,
    METHODS,
    Tables,
    against,
    cells,
    named,
    where_measured,
)
from contrastlib.report.figures.shared import together
from contrastlib.report.studies.animal_positions import ELEPHANT, ZEBRA

PAIRS = {"1, 2": "first, second", "1, 3": "first, third", "1, random": "first, ten random"}


def similarity(measured: Tables) -> Styler:
    """Mean cosine of the maps of two classes, for each pair and method."""
    table = together(measured)
    means = (
        table.groupby(["pair", "method", "scale", "network"], sort=False)["similarity"]
        .mean()
        .unstack(["scale", "network"])
    )
    order = [(pair, name) for pair in PAIRS for name in METHODS if (pair, name) in means.index]
    return named(means.loc[order].rename(index=PAIRS)).style.format("{:+.2f}").set_uuid("similarity")


def similarity_in_words(measured: Tables, alike: float = 0.9) -> str:
    """Cosines of the maps of the two most probable classes, in Markdown.

    Networks whose CLRP1 map of random classes has a cosine above ``alike`` with that of the top class are
    named.
    """
    lines = []
    for scale, table in measured.items():
        means = (
            table.groupby(["network", "pair", "method"], sort=False)["similarity"]
            .mean()
            .unstack(["pair", "method"])
        )
        parts = [
            f"{METHODS[name]} {spread(means['1, 2', name].to_dict(), '.3f')}"
            for name in ("lrp", *CLRP, "sglrp")
        ]
        random = means["1, random", "clrp1"]
        still = ", ".join(f"{title(name)} {value:.2f}" for name, value in random[random > alike].items())
        lines.append(
            f"- {scale}: {'; '.join(parts)}."
            + (
                f" With ten random classes together CLRP1's map of the top class is still alike in {still}."
                if still
                else ""
            )
        )
    return "Cosine of the maps of the two most probable classes:\n\n" + "\n".join(lines)


@where_measured
def received(measured: Tables) -> Styler:
    """Share of units that receive relevance from both of the top two classes, and the cosine."""
    table = (
        together(measured)
        .groupby(["scale", "network", "layer"], sort=False)[["from_both", "similarity"]]
        .mean()
    )
    columns = {"from_both": "received from both", "similarity": "cosine"}
    formats = {"received from both": "{:.1%}", "cosine": "{:.3f}"}
    return named(table.rename(columns=columns), 0).style.format(formats).set_uuid("receiving")


def two_objects(measured: Tables) -> Styler:
    """Positive energy in the regions of both objects, and cosine of the maps."""
    table = (
        together(measured)
        .groupby(["method", "scale", "network"], sort=False)[["own", "other", "similarity"]]
        .mean()
    )
    cells = [f"{own:.0%} / {other:.0%} / {cosine:+.2f}" for own, other, cosine in table.to_numpy()]
    return named(pd.Series(cells, table.index).unstack(["scale", "network"])).style.set_uuid("two-objects")


def two_objects_in_words(measured: Tables) -> str:
    """Positive energy on the explained animal by scale, in Markdown."""
    names = ("lrp", *CLRP, "gradcam/weighted")
    lines = []
    for scale, table in measured.items():
        own = table.groupby(["method", "network"], sort=False)["own"].mean()
        lines.append(
            f"- {scale}: "
            + "; ".join(f"{METHODS[name]} {spread(own[name].to_dict(), '.0%')}" for name in names)
            + "."
        )
    return "Positive energy on the animal asked for:\n\n" + "\n".join(lines)


@where_measured
def initial_relevance(measured: Tables) -> Styler:
    """:func:`contrastlib.evaluation.relevance_mass.by_sign_of_initial_relevance` for each scale."""
    columns = {
        "maps": "maps",
        "negative_logit": "logit < 0",
        "negative_sum": "sum < 0",
        "empty": "no positive relevance",
        "positive": "weighted LRP, sum > 0",
        "lrp": "LRP, the same birds",
        "negative": "weighted LRP, sum < 0",
    }
    found = {scale: relevance_mass.by_sign_of_initial_relevance(table) for scale, table in measured.items()}
    table = (
        pd.concat(found, names=["scale"])
        .reset_index("scale")
        .set_index(["scale", "network"])
        .rename(columns=columns)
    )
    shares = list(columns.values())[4:]
    return (
        named(table, 0)
        .style.format("{:.0f}")
        .format("{:.0%}", subset=shares, na_rep="–")
        .set_uuid("initial-relevance")
    )


def certainty(table: pd.DataFrame) -> Styler:
    """Probabilities of zebra and African elephant in each photograph of the paper."""
    animals = {ZEBRA: "zebra", ELEPHANT: "African elephant"}
    known = table[(table["method"] == "lrp") & table["target"].isin(animals)]
    known = known.assign(
        photograph="ze" + (known["group"] + 1).astype(str),
        animal=known["target"].map(animals),
        network=known["network"].map(title),
    )
    return (
        known.pivot(index="photograph", columns=["network", "animal"], values="p_t")
        .style.format("{:.3f}")
        .set_uuid("certainty")
    )


def differences(similar: Tables, objects: Tables, resamples: int) -> Styler:
    """Effects of the claims on the discrimination of classes and objects, with intervals.

    Args:
        similar: Scale -> table of the similarity of classes.
        objects: Scale -> table of the relevance in regions of objects.
        resamples: Number of bootstrap samples of each interval.

    Returns:
        The formatted table.
    """

    def of_classes(table: pd.DataFrame, name: str) -> pd.DataFrame:
        top = table[table["pair"] == "1, 2"]
        return statistics.paired_differences(
            top, "similarity", ["network"], "method", "lrp", name, resamples=resamples
        )

    def of_objects(table: pd.DataFrame, name: str) -> pd.DataFrame:
        return relevance_mass.differences(table, name, "lrp", resamples=resamples)

    parts = {
        "cosine of the top two, LRP minus it": against(similar, of_classes),
        "energy in the right region, minus LRP's": against(objects, of_objects),
    }
    columns = {name: cells(table, ["scale", "network"]) for name, table in parts.items()}
    return named(pd.concat(columns, axis=1), 0).style.format(na_rep="–").set_uuid("differences")
