"""The readings of integrated gradients, against the explainer and a loop by hand."""

import numpy as np
import pandas as pd
import pytest
import torch

from contrastlib import contrasts
from contrastlib.evaluation.path_contrasts import READINGS, compare, cosines, off
from contrastlib.explainers import integrated_gradients


def test_readings_are_those_of_the_explainer(network, images):
    table = compare(network, images, steps=8).set_index(["reading", "image"])
    target = network(images).argmax(dim=1)
    ways = {
        "weights fixed at x": integrated_gradients(
            network, images, lambda y: contrasts.weighted(y, target), steps=8
        ),
        "log-odds": integrated_gradients(
            network, images, lambda y: contrasts.weighted(y, target), steps=8, contrast_at="path"),
        "probability": integrated_gradients(
            network, images, lambda y: contrasts.probability(y, target), steps=8, contrast_at="path"),
    }  # fmt: skip
    assert list(ways) == list(READINGS)
    first = ways["weights fixed at x"].flatten(1)
    for reading, maps in ways.items():
        rows = table.loc[reading]
        np.testing.assert_allclose(rows["total"], maps.flatten(1).sum(dim=1), rtol=1e-8)
        np.testing.assert_allclose(
            rows["similarity"], torch.cosine_similarity(first, maps.flatten(1)), rtol=1e-8
        )
    assert (table.loc["probability", "similarity"] < 1 - 1e-6).all()


@pytest.mark.slow
def test_each_reading_adds_up_to_the_change_of_its_own_function(network, images):
    table = compare(network, images, steps=2000).set_index("reading")
    for reading in ("log-odds", "probability"):
        np.testing.assert_allclose(
            table.loc[reading, "total"], table.loc[reading, "change"], rtol=2e-2, atol=1e-6
        )


def test_two_classes_and_a_linear_network_leave_no_difference_in_direction():
    """With two classes the contrast is y_1 - y_2 all along the path: only the factor of p changes."""
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(48, 2)).double()
    table = compare(net, torch.rand(3, 3, 4, 4, dtype=torch.float64))
    np.testing.assert_allclose(table["similarity"], 1)


def test_cosines_of_all_maps_and_of_those_whose_integral_is_near():
    table = pd.DataFrame(
        {
            "network": "n",
            "reading": "probability",
            "image": range(4),
            "group": range(4),
            "similarity": [1.0, 0.8, 0.6, 0.0],
            "total": [1.0, 1.02, 1.04, 2.0],
            "change": [1.0, 1.0, 1.0, 1e-6],
        }
    )
    assert off(table).tolist() == pytest.approx([0, 0.02, 0.04, 2000], rel=1e-2)
    every, near = cosines(table, resamples=50), cosines(table, off_below=0.03, resamples=50)
    assert (every["mean"].item(), every["images"].item()) == (pytest.approx(0.6), 4)
    assert (near["mean"].item(), near["images"].item()) == (pytest.approx(0.9), 2)
    assert every["low"].item() < 0.6 < every["high"].item()
    assert cosines(table, off_below=0.0).columns.equals(near.columns)
