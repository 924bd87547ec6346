"""Studies of controls on drawn birds: which images count; batches matter for the next picture alone."""

import numpy as np
import pandas as pd
import pytest

from contrastlib.evaluation.control_maps import CONTROLS, OURS
from contrastlib.report.computing import batches
from contrastlib.report.studies import bird_interventions, dataset_evaluations

IMAGES = list(range(150, 162))
OPTIONS = {"dataset": "birds", "methods": ["gradcam", "vit_gradcam"], "contrasts": ["original", "weighted"]}
KEYS = ["image", "method", "contrast", "control"]


def by_row(table):
    return table[table["control"] != "other_picture"].set_index(KEYS).sort_index()


@pytest.mark.parametrize("name", ["birds_alexnet", "birds_vit"])
def test_interventions(name):
    options = OPTIONS | {"repaintings": 1}
    found = batches.evaluate(bird_interventions.controls_on_parts, name, "birds", IMAGES, options, 12)
    plain = batches.evaluate(bird_interventions.on_parts, name, "birds", IMAGES, options, 12)
    assert set(found["control"]) == {OURS, *CONTROLS} and set(found["image"]) == set(plain["image"])
    ours = found[found["control"] == OURS].set_index(["image", "contrast"])["correlation"].sort_index()
    asked = {"original": "logit", "weighted": "log_odds"}
    own = (
        plain[plain["question"] == plain["contrast"].map(asked)]
        .set_index(["image", "contrast"])["correlation"]
        .sort_index()
    )
    assert np.allclose(ours, own[ours.index], atol=0.02)


@pytest.mark.parametrize("name", ["birds_alexnet", "birds_vit"])
def test_differing_parts(name):
    found = batches.evaluate(
        dataset_evaluations.controls_in_differing_parts, name, "birds", IMAGES, OPTIONS, 12
    )
    halves = batches.evaluate(
        dataset_evaluations.controls_in_differing_parts, name, "birds", IMAGES, OPTIONS, 6
    )
    a, b = by_row(found), by_row(halves)
    pd.testing.assert_series_equal(a["energy"], b["energy"], rtol=1e-3)
    assert a["energy"].between(0, 1).all() and a["area"].between(0, 1).all()


def test_a_batch_without_a_second_image_has_no_rows():
    found = batches.evaluate(
        dataset_evaluations.controls_in_differing_parts, "birds_alexnet", "birds", IMAGES[:3], OPTIONS, 2
    )
    assert set(found["image"]) <= set(IMAGES[:2])
