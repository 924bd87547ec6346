"""Masking under every combination of choices agrees with the measurement that varies a few of them."""

import numpy as np
import pandas as pd
import pytest
import torch

from contrastlib import models
from contrastlib.datasets.birds import SyntheticBirds
from contrastlib.evaluation import masking, masking_choices

LAYERS = {"last": None, "earlier": "network.layer2"}


@pytest.fixture(scope="module")
def birds():
    model = models.load("birds_resnet")
    examples = [SyntheticBirds("test", 128)[index] for index in range(8)]
    return (
        model,
        torch.stack([each.image for each in examples]),
        torch.tensor([each.label for each in examples]),
    )


@pytest.fixture(scope="module")
def crossed(birds):
    return masking_choices.gains(*birds, layers=LAYERS, threshold=0)


def test_every_combination_once(crossed):
    counted = crossed.groupby("image")[list(masking_choices.SETTING)].agg(lambda each: each.nunique())
    assert (counted == [2, 3, 2, 2, 2, 2, 4]).all(axis=None) and len(crossed) == 384 * crossed[
        "image"
    ].nunique()
    assert (
        not crossed.duplicated(["image", *masking_choices.SETTING]).any() and crossed["image"].nunique() > 2
    )


@pytest.mark.parametrize("first", masking.FIRST)
@pytest.mark.parametrize("layer, align_corners", [("last", True), ("earlier", False)])
def test_it_is_the_gain_of_the_masking_table(birds, crossed, first, layer, align_corners):
    table = masking.relative_probabilities(
        *birds,
        methods=["gradcam", "xgradcam"],
        baselines=["blur", "zeros"],
        threshold=0,
        first=first,
        mask_rules=["by_sign", "equal_as_described"],
        layer=LAYERS[layer],
        align_corners=align_corners,
    )
    keys = ["method", "mask_rule", "kept_sign", "baseline", "image"]
    table = table[(table["rank"] == 1) & (table["method"] != "blank")]
    wide = table.pivot(index=keys, columns="contrast", values="relative_probability").astype(float)
    gain = (wide["weighted"] - wide["original"]).rename("expected").reset_index()
    gain.loc[gain["kept_sign"] == "negative", "expected"] *= -1
    upsampling = "corners" if align_corners else "centres"
    own = crossed[
        (crossed["first"] == first) & (crossed["layer"] == layer) & (crossed["upsampling"] == upsampling)
    ]
    both = gain.merge(own.rename(columns={"filling": "baseline"}), on=keys)
    assert len(both) == len(gain) > 0
    np.testing.assert_allclose(both["gain"], both["expected"], atol=2e-4)


def test_widths_of_the_blur(birds):
    model, images, _ = birds
    spread = {
        name: masking_choices.filling(name, model, images).std().item() for name in masking_choices.FILLINGS
    }
    assert spread["half_blur"] > spread["blur"] > spread["double_blur"]
    assert torch.equal(
        masking_choices.filling("blur", model, images), masking.baseline("blur", model, images)
    )


def test_no_image_above_the_threshold(birds):
    table = masking_choices.gains(*birds, threshold=0.4999)
    assert table.empty and set(masking_choices.SETTING) < set(table)
    with pytest.raises(ValueError, match="filling"):
        masking_choices.gains(*birds, fillings=["grey"])
    assert isinstance(table, pd.DataFrame)
