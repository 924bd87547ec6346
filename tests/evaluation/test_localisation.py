"""The pointing game, against a plain loop and on maps whose answer is known."""

import numpy as np
import pytest
import torch
from torch import nn

from contrastlib import contrasts
from contrastlib.evaluation.localisation import (
    ENERGIES,
    METHOD_NAMES,
    class_evidence,
    compare,
    energy_inside,
    pointing_game,
)
from contrastlib.explainers import gradient
from contrastlib.explainers.relevance import relevance_maps
from contrastlib.forward import forward


def plainly(phi, mask, share):
    """Highest pixels one by one until the share of the energy is reached."""
    values = phi.clamp(min=0).flatten().double()
    inside, energy, count = [], 0.0, 0
    for place in values.argsort(descending=True, stable=True):
        energy += values[place].item()
        count += 1
        inside.append(bool(mask.flatten()[place]))
        if energy >= share * values.sum().item() * (1 - 1e-12):
            break
    return all(inside), np.mean(inside), count / len(values)


def test_as_a_plain_loop():
    maps = torch.randn(5, 9, 7, generator=torch.Generator().manual_seed(0))
    masks = torch.rand(5, 9, 7, generator=torch.Generator().manual_seed(1)) < 0.8
    for row in pointing_game(maps, masks).itertuples():
        hit, inside, kept = plainly(maps[row.image], masks[row.image], row.energy)
        assert (row.hit, row.inside, row.kept) == (hit, pytest.approx(inside), pytest.approx(kept))


def test_known_answers():
    box = torch.tensor([[2, 1, 5, 4]])
    filled = torch.zeros(1, 6, 8)
    filled[0, 1:4, 2:5] = 1
    assert pointing_game(filled, box)["hit"].all() and (pointing_game(filled, box)["inside"] == 1).all()
    filled[0, 0, 0] = 2  # one brighter pixel outside: the maximum misses, and most of the energy is inside
    table = pointing_game(filled, box, [0.01, 1.0])
    assert table["hit"].tolist() == [False, False] and table["inside"].tolist() == [0, 0.9]
    negative = pointing_game(-filled, box)
    assert not negative["hit"].any() and (negative["inside"] == 0).all()


def test_boxes_and_masks_say_the_same():
    maps = torch.rand(3, 10, 12, generator=torch.Generator().manual_seed(2))
    boxes = torch.tensor([[0, 0, 12, 10], [3, 2, 4, 3], [5, 5, 12, 9]])
    masks = torch.zeros(3, 10, 12, dtype=torch.bool)
    for mask, (x0, y0, x1, y1) in zip(masks, boxes.tolist()):
        mask[y0:y1, x0:x1] = True
    assert pointing_game(maps, boxes).equals(pointing_game(maps, masks))


@pytest.mark.parametrize("boxes, energies, says", [
    (torch.tensor([[3, 3, 3, 5]]), ENERGIES, "box 0 holds no pixel"),
    (torch.tensor([[0, 0, 2]]), ENERGIES, "boxes must be"),
    (torch.tensor([[0, 0, 2, 2]]), [0.0], "shares above 0"),
])
def test_bad_input(boxes, energies, says):
    with pytest.raises(ValueError, match=says):
        pointing_game(torch.ones(1, 6, 6), boxes, energies)


@pytest.fixture
def small():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8 * 49, 6)).double().eval()
    network.layer = "1"
    return network


def test_methods_are_those_of_the_library(small):
    images = torch.rand(3, 3, 16, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    targets = torch.tensor([0, 5, 2])
    maps = class_evidence(small, images, targets)
    assert list(maps) == list(METHOD_NAMES)
    torch.testing.assert_close(maps["clrp1"], relevance_maps(small, images, targets, ["clrp1"])["clrp1"].sum(1))
    passed = forward(small, images)
    plain = gradient(passed, contrasts.original(passed.logits, targets)).abs().sum(1)
    torch.testing.assert_close(maps["gradient"], plain)
    table = compare(small, images, targets, torch.tensor([[0, 0, 9, 9]] * 3), ["lrp", "gradient"], [0.5])
    assert table.groupby("method").size().to_dict() == {"lrp": 3, "gradient": 3, "centre": 3}
    assert table[table["method"] == "centre"]["hit"].all()
    with pytest.raises(ValueError, match="unknown method 'lpr'"):
        class_evidence(small, images, targets, ["lpr"])


def test_energy_inside():
    maps = {"noise": torch.randn(3, 8, 8, generator=torch.Generator().manual_seed(3)), "none": -torch.ones(3, 8, 8)}
    boxes = torch.tensor([[0, 0, 8, 8], [0, 0, 4, 8], [2, 2, 3, 3]])
    table = energy_inside(maps, boxes).set_index(["method", "image"])
    assert table.loc["none", "energy_inside"].tolist() == [0, 0, 0]
    assert table.loc["noise", "box"].tolist() == [1, 0.5, 1 / 64]
    second = maps["noise"][1].clamp(min=0).double()
    assert table.loc[("noise", 0), "energy_inside"] == pytest.approx(1)
    assert table.loc[("noise", 1), "energy_inside"] == pytest.approx((second[:, :4].sum() / second.sum()).item())
