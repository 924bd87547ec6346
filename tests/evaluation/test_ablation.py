"""Ablation of the pixel that a map points at."""

import numpy as np
import pytest
import torch
from torch import nn

from contrastlib.evaluation.ablation import ablated, drops, highest, neuron_drops
from contrastlib.evaluation.localisation import class_evidence


@pytest.fixture
def small():
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8 * 49, 10), nn.ReLU(), nn.Linear(10, 6),
    ).double().eval()
    network.layer = "1"
    return network


@pytest.fixture
def images():
    return torch.rand(4, 3, 16, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


FILL = torch.zeros(3, 16, 16, dtype=torch.float64)


def test_a_patch_is_where_the_map_is_highest(images):
    maps = torch.zeros(4, 16, 16)
    places = [(0, 0), (15, 15), (7, 3), (2, 14)]
    for phi, (row, column) in zip(maps, places):
        phi[row, column] = 1
    assert highest(maps).tolist() == [list(place) for place in places]
    changed = (ablated(images, highest(maps), FILL, 5) != images).any(1)
    for mask, (row, column) in zip(changed, places):
        expected = torch.zeros(16, 16, dtype=torch.bool)
        expected[max(0, row - 2) : row + 3, max(0, column - 2) : column + 3] = True
        assert torch.equal(mask, expected)


def test_drops_written_plainly(small, images):
    labels = torch.tensor([0, 1, 2, 3])
    table = drops(small, images, labels, FILL, ["lrp", "gradient"], size=3).set_index(["method", "image"])
    assert set(table.index.get_level_values("method")) == {"lrp", "gradient", "random"}
    places = highest(class_evidence(small, images, labels, ["lrp"])["lrp"])
    after = small(ablated(images, places, FILL, 3)).detach()
    before = small(images).detach()
    for i, label in enumerate(labels.tolist()):
        drop = (before[i, label] - after[i, label]).item()
        assert table.loc[("lrp", i), "activation"] == pytest.approx(drop, abs=1e-12)
        assert table.loc[("lrp", i), "relative"] == pytest.approx(drop / abs(before[i, label].item()))
        p = (before.softmax(1) - after.softmax(1))[i, label].item()
        assert table.loc[("lrp", i), "probability"] == pytest.approx(p, abs=1e-10)
    again = drops(small, images, labels, FILL, ["lrp"], size=3, seed=1).set_index(["method", "image"])
    assert again.loc["lrp"].equals(table.loc["lrp"]) and not again.loc["random"].equals(table.loc["random"])


def test_neurons_lose_what_their_patch_held(small, images):
    maps = torch.rand(3, 16, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    matrix = neuron_drops(small, images[:1], "4", [0, 4, 9], maps, FILL, size=5)
    assert matrix.shape == (3, 3)
    for i in range(3):
        patched = ablated(images[:1], highest(maps[i : i + 1]), FILL, 5)
        change = (small[:5](images[:1]) - small[:5](patched))[0, [0, 4, 9]]
        np.testing.assert_allclose(matrix[i], change.detach(), atol=1e-12)


@pytest.mark.parametrize("size, place, says", [(4, 0, "odd number"), (0, 0, "odd number"), (3, 16, "rows below 16")])
def test_bad_input(images, size, place, says):
    with pytest.raises(ValueError, match=says):
        ablated(images, torch.full((4, 2), place), FILL, size)
