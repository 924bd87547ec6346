"""Published numbers, ours and the differences, in the layout of the papers."""

from itertools import product

import pandas as pd
import pytest

from contrastlib.evaluation import masking
from contrastlib.report.figures import dominated_masking, input_space, lrp_pointing, shared
from contrastlib.report.figures import masking as masking_figures

SIDES = product(
    ("birds_vgg", "birds_resnet"),
    ("gradcam", "xgradcam"),
    (1, 2),
    ("blur", "zeros", "mean"),
    masking.KEPT_SIGNS,
    ("original", "weighted"),
)
CELL = ("ours, real", "ours − Eriksson et al. 2025")


@pytest.fixture(scope="module")
def masked():
    """Relative probabilities of two networks that are 0.5 and 0.7, as coded."""
    rows = [
        {
            "network": network,
            "method": method,
            "rank": rank,
            "baseline": baseline,
            "kept_sign": sign,
            "contrast": contrast,
            "mask_rule": "equal_as_coded",
            "relative_probability": 0.5 if network == "birds_vgg" else 0.7,
            "masked": 0.5,
            "relative_probability_before": 0.6,
        }
        for network, method, rank, baseline, sign, contrast in SIDES
    ]
    return pd.DataFrame(rows)


def published(name, **chosen):
    """Rows of the published numbers with these values."""
    rows = shared.published(name)
    for column, value in chosen.items():
        rows = rows[rows[column] == value]
    return rows


def test_table_1(masked):
    """Ours of the last scale are means over networks; methods of one paper alone have no difference."""
    shown = masking_figures.table_1_beside_published(
        {"quick": masked.head(0), "real": masked}, "equal_as_coded"
    )
    column = ("Gaussian blur", "Pos. features", "wtd.")
    found = shown.data[column]
    assert found["GC", "t1", "ours, real"] == pytest.approx(0.6)
    theirs = published(
        "blurring_masking",
        table="Table 1",
        paper="wang2022",
        method="GC",
        target="t1",
        baseline="gaussian_blur",
        kept_features="positive",
        scheme="weighted",
    )["relative_probability"]
    assert len(theirs) == 5
    assert found["GC", "t1", "Wang & Wang 2022"] == pytest.approx(theirs.mean())
    assert found["GC", "t1", "ours − Wang & Wang 2022"] == pytest.approx(0.6 - theirs.mean())
    rows = shown.data.index
    assert ("XC", "t1", CELL[1]) in rows and ("XC", "t1", "ours − Wang & Wang 2022") not in rows
    assert "+0." in shown.to_html() and "-0." in shown.to_html()


def test_table_2(masked):
    found = dominated_masking.table_2_beside_published({"real": masked}).data[
        "Zeros", "Neg. features", "ori."
    ]
    (theirs,) = published(
        "blurring_masking",
        paper="eriksson2025",
        baseline="zeros",
        kept_features="negative",
        scheme="original",
        table="Table 2 (second-highest probability below 0.1)",
    )["relative_probability"]
    assert found["GC", "t1", CELL[1]] == pytest.approx(found["GC", "t1", CELL[0]] - theirs)


def test_figure_3():
    """Theirs are means over nine networks; of ours the largest step counts."""
    theirs = published("sign_perturbation", epsilon=0.003, iterations=10, contrast="weighted", quantity="p_t")
    ours = input_space.published_means().assign(change=lambda table: 2 * table["change"])
    found = input_space.beside_published({"quick": ours.head(0), "real": ours}).data["weighted"]
    assert len(theirs) == 9 and list(found.index.unique(0)) == ["accuracy", "pₜ", "yₜ"]
    assert found["pₜ", "Eriksson et al. 2025"] == pytest.approx(theirs["change"].mean())
    assert found["pₜ", CELL[1]] == pytest.approx(theirs["change"].mean())


def test_ablation():
    """Drops are shares of the largest of a network, because the units of the published ones are not known."""
    methods = {name: n + 1.0 for n, name in enumerate(lrp_pointing.IN_PRINT.values())}
    drops = pd.DataFrame(
        [
            {
                "network": network,
                "size": size,
                "method": name,
                "y_t_before": 10 * scale,
                "y_t": (10 - drop) * scale,
                "p_t_before": 1,
                "p_t": 0,
            }
            for network, scale in (("birds_vgg", 1), ("birds_resnet", 3))
            for size in (9, 21)
            for name, drop in methods.items()
        ]
    )
    found = lrp_pointing.drops_beside_published({"real": drops}).data["LRP"]
    assert found[9, "ours, real"] == found[21, "ours, real"] == pytest.approx(4 / 6)
    theirs = published("clrp_ablation").pivot(index="network", columns="method", values="dropped_activation")
    share = (theirs["LRP"] / theirs.max(axis=1)).mean()
    assert found[9, "ours − Gu et al. 2018"] == pytest.approx(4 / 6 - share)
