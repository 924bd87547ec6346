"""The page on one family: what its table says of the records, and what its figures draw."""

import numpy as np
import pandas as pd
import pytest

from contrastlib.contrasts import CONTRASTS
from contrastlib.evaluation.later_methods import METHODS
from contrastlib.report.figures import one_family


@pytest.fixture
def table():
    """Three images of two networks: each method differs from the original by its place in the list."""
    rows = [
        {"network": network, "image": image, "group": image, "contrast": name, "positive": 0.1, "gap": np.nan}
        | {value: number + image / 10 for value in (*one_family.MEASURES, "survives")}
        for network in ("birds_vgg", "birds_resnet")
        for image in range(3)
        for number, name in enumerate(METHODS)
    ]
    return pd.DataFrame(rows)


def test_a_row_for_each_method():
    rows = one_family.family().data.splitlines()
    assert len(rows) == 2 + len(CONTRASTS) + 1 and all(row.count(" | ") == 3 for row in rows[:1] + rows[2:])
    assert [name for name in CONTRASTS if f", `{name}`<br>" not in one_family.family().data] == []
    assert "| no $w$ | no | map:" in rows[-1] and rows[-1].startswith("| VAR, `class_competition`")
    printed = next(row for row in rows if "`finer_cam`" in row)
    assert "| $1 - \\gamma$ | yes |" in printed and "Zhang et al. 2025" in printed


def test_the_foil_of_positive_weight_is_orange():
    axes = {ax.get_title(): ax for ax in one_family.bars().axes}
    colours = {
        name: [bar.get_facecolor()[:3] for bar in ax.patches] for name, ax in axes.items() if ax.patches
    }
    from matplotlib.colors import to_rgb

    assert colours["Finer-CAM, coded"][3] == to_rgb(one_family.WRONG)
    others = [each for name, bars in colours.items() for each in bars if name != "Finer-CAM, coded"]
    assert to_rgb(one_family.WRONG) not in others
    assert [bar.get_height() for bar in axes["Finer-CAM, printed"].patches] == pytest.approx(
        [1, -0.2, -0.2, -0.2]
    )


def test_differences_from_the_original(table):
    figure = one_family.differences([table], resamples=100)
    assert len(figure.axes) == len(one_family.MEASURES)
    dots = [line.get_xdata()[0] for line in figure.axes[0].lines if line.get_marker() == "o"]
    assert dots == pytest.approx([number for number in range(1, len(METHODS)) for _ in range(2)])
    assert figure.axes[0].get_yticklabels()[0].get_text() == "weighted"


def test_a_table_of_means(table):
    found = one_family.table({"quick": table}, "drop", 100).data
    assert list(found.index) == [one_family.name_of(name) for name in METHODS] and found.shape == (9, 2)
    assert found.iloc[2, 0].startswith("+2.10 [")
    table.loc[table["contrast"] == "case", "drop"] = np.nan
    assert "CASE" not in one_family.table({"quick": table}, "drop", 100).data.index
    assert "10% of an image" in one_family.positive_area({"quick": table})


def test_weights_and_maps_of_an_image():
    figure = one_family.weights_and_maps({"birds_resnet": ["birds", 3]})("birds_resnet", 1)
    titles = [ax.get_title(loc="left") for ax in figure.axes if ax.get_title(loc="left")]
    assert titles == [one_family.name_of(name) for name in METHODS]
    assert sum(len(ax.patches) == 5 for ax in figure.axes) == len(METHODS) - 1  # VAR has no weights
