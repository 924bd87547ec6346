"""What the page on three classes says in words, whatever networks were measured."""

import pandas as pd
import pytest

from contrastlib import models
from contrastlib.report.figures import three_classes


def growth(name, norms, cosine):
    return pd.DataFrame(
        {
            "network": name,
            "image": 0,
            "classes": list(norms),
            "foil_norm": list(norms.values()),
            "foil_cosine": cosine,
            "similarity": 1.0,
        }
    )


LEVEL, FALLING = {2: 0.3, 100: 0.2, 1000: 0.2}, {2: 0.3, 100: 0.02, 1000: 0.002}
ZERO, LARGE = {2: 0.5, 10: 1 / 9}, {2: 0.9, 10: 0.8}


@pytest.mark.parametrize(
    "norms, cosine, says",
    [
        (LEVEL, 0.9, "nearly ended at a tenth of the classes: 20.0%"),
        (FALLING, 0.9, "already (2.0%) and goes on falling, to 0.2%"),
        (ZERO, -1.0, "sum to about zero"),
        (LARGE, -0.9, "not small (80%)"),
        (FALLING, -1.0, "goes on falling"),
    ],
)
def test_each_network_is_put_where_its_numbers_belong(norms, cosine, says):
    text = three_classes.growth_in_words({"real": growth("a", norms, cosine)})
    assert text.startswith("- **a (real).** ") and says in text and text.count("\n") == 0


def test_networks_of_a_kind_share_a_line():
    text = three_classes.growth_in_words(
        {
            "quick": growth("a", LARGE, 0.0),
            "real": pd.concat([growth("b", LARGE, 0.0), growth("c", LEVEL, 0.0)]),
        }
    )
    assert text.splitlines()[0].startswith("- **c (real).**") and text.splitlines()[1].startswith(
        "- **a (quick), b (real).**"
    )


def test_cells_of_few_photographs_are_named():
    few, many = (
        pd.DataFrame({"network": name, "group": range(count)}) for name, count in (("few", 9), ("many", 10))
    )
    text = three_classes.cells_left_out({"quick": many, "real": pd.concat([few, many])})
    assert text.endswith(
        "fewer than 10 photographs are shown below and do not count: quick 0 of 2; real 2 of 4 (few)."
    )


def test_no_image_above_the_threshold_is_said():
    with pytest.raises(
        ValueError, match="no image of photographs from number 4 on has a third probability above 0.33"
    ):
        three_classes.figure_5(models.load("efficientnet_lite0"), "photographs", 0.33, 1, start=4)
