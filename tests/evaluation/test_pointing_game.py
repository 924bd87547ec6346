"""The pointing game, against a plain loop and on maps whose answer is known."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from contrastlib.evaluation.pointing_game import (
    COLUMNS,
    THRESHOLDS,
    differences,
    distances,
    largest_distance,
    largest_rise,
    of_objects,
    pointing,
    pointing_game,
)
from contrastlib.evaluation.saliency import PAPERS_OPTIONS, saliency


def plainly(phi, mask, share):
    """Highest positive pixels one by one until the share of the energy is reached."""
    values = phi.clamp(min=0).flatten().double()
    inside, energy = [], 0.0
    for place in values.argsort(descending=True, stable=True):
        energy += values[place].item()
        inside.append(bool(mask.flatten()[place]))
        if energy >= share * values.sum().item() * (1 - 1e-12):
            break
    return all(inside), np.mean(inside), len(inside) / len(values)


def test_as_a_plain_loop():
    maps = torch.randn(5, 9, 7, generator=torch.Generator().manual_seed(0))
    masks = torch.rand(5, 9, 7, generator=torch.Generator().manual_seed(1)) < 0.8
    for row in pointing(maps, masks).itertuples():
        hit, inside, kept = plainly(maps[row.image], masks[row.image], row.threshold)
        assert (row.hit, row.inside, row.kept) == (hit, pytest.approx(inside), pytest.approx(kept))


def test_known_answers():
    box = torch.tensor([[2, 1, 5, 4]])
    filled = torch.zeros(1, 6, 8)
    filled[0, 1:4, 2:5] = 1
    whole = pointing(filled, box)
    assert whole["hit"].all() and (whole["inside"] == 1).all() and (whole["energy"] == 1).all()
    assert (whole["box"] == 9 / 48).all()
    filled[0, 0, 0] = 2  # one brighter pixel outside: the maximum misses, and most of the energy is inside
    table = pointing(filled, box, [0, 1.0])
    assert table["hit"].tolist() == [False, False]
    assert table["inside"].tolist() == pytest.approx([0, 0.9]) and table["energy"].tolist() == pytest.approx(
        [9 / 11] * 2
    )
    negative = pointing(-filled, box)
    assert not negative["hit"].any() and (negative[["inside", "energy", "kept"]] == 0).all(axis=None)


def test_boxes_and_masks_say_the_same():
    maps = torch.rand(3, 10, 12, generator=torch.Generator().manual_seed(2))
    boxes = torch.tensor([[0, 0, 12, 10], [3, 2, 4, 3], [5, 5, 12, 9]])
    masks = torch.zeros(3, 10, 12, dtype=torch.bool)
    for mask, (x0, y0, x1, y1) in zip(masks, boxes.tolist()):
        mask[y0:y1, x0:x1] = True
    assert pointing(maps, boxes).equals(pointing(maps, masks))


@pytest.mark.parametrize(
    "maps, boxes, thresholds, says",
    [
        (torch.ones(1, 6, 6), torch.tensor([[3, 3, 3, 5]]), THRESHOLDS, "box of image 0 holds no pixel"),
        (torch.ones(1, 6, 6), torch.tensor([[0, 0, 2]]), THRESHOLDS, "boxes must be"),
        (torch.ones(1, 6, 6), torch.tensor([[0, 0, 2, 2]]), [1.5], "shares of the energy"),
        (torch.full((1, 6, 6), torch.nan), torch.tensor([[0, 0, 2, 2]]), THRESHOLDS, "NaN"),
    ],
)
def test_bad_input(maps, boxes, thresholds, says):
    with pytest.raises(ValueError, match=says):
        pointing(maps, boxes, thresholds)


def test_the_game_of_several_methods():
    torch.manual_seed(0)
    network = (
        nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8 * 49, 6))
        .double()
        .eval()
    )
    images = torch.rand(3, 3, 16, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    labels, boxes = torch.tensor([0, 5, 2]), torch.tensor([[0, 0, 9, 9]] * 3)
    methods = ["lrp", "gradient", "gradcam/weighted", "centre"]
    table = pointing_game(network, images, labels, boxes, methods, [0.5])
    assert table.groupby("method").size().to_dict() == dict.fromkeys(methods, 3)
    assert table[table["method"] == "centre"]["hit"].all()
    maps = saliency(network, images, labels, methods, options=PAPERS_OPTIONS)
    for name in methods:
        expected = pointing(maps[name], boxes, [0.5])
        found = table[table["method"] == name].reset_index(drop=True)
        assert found[expected.columns.tolist()].equals(expected)


def test_every_object_of_every_image_is_pointed_at():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 5)).double().eval()
    images = torch.rand(3, 3, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    left, top = torch.zeros(8, 8, dtype=torch.bool), torch.zeros(8, 8, dtype=torch.bool)
    left[:, :4], top[:4] = True, True
    table = of_objects(
        network, images, None, [[(0, left), (3, top)], [], [(2, top)]], ["lrp", "centre"], [0, 0.5]
    )
    assert table.groupby(["image", "object"]).size().to_dict() == {(0, 0): 4, (0, 1): 4, (2, 0): 4}
    for (image, number), (label, region) in {(0, 0): (0, left), (0, 1): (3, top), (2, 0): (2, top)}.items():
        expected = pointing_game(
            network, images[[image]], torch.tensor([label]), region[None], ["lrp", "centre"], [0, 0.5]
        )
        found = table[(table["image"] == image) & (table["object"] == number)].reset_index(drop=True)
        columns = [name for name in expected if name != "image"]
        pd.testing.assert_frame_equal(
            found[columns], expected[columns], rtol=1e-12
        )  # the batch decides the last bit
    assert of_objects(network, images, None, [[], [], []]).columns.equals(table[list(COLUMNS)].columns)


def accuracies(**methods):
    """Hits of one object in each of two images, at the thresholds 0 and 0.5."""
    return pd.DataFrame(
        [
            {
                "network": "n",
                "method": method,
                "threshold": threshold,
                "image": image,
                "object": 0,
                "group": image,
                "hit": hit,
            }
            for method, at in methods.items()
            for threshold, hits in zip((0, 0.5), at)
            for image, hit in enumerate(hits)
        ]
    )


def test_differences_of_pointing_accuracy():
    table = accuracies(clrp1=([1, 1], [0, 0]), clrp2=([1, 0], [1, 0]))
    assert differences(table, "clrp1", "clrp2", resamples=50)["mean"].tolist() == [0.5, -0.5]
    apart = distances(table, "clrp1", "clrp2", resamples=50)
    assert apart["mean"].tolist() == [0.5, 0.5] and (apart["low"] == 0).all() and (apart["high"] == 1).all()
    assert largest_distance(table, "clrp1", "clrp2")["mean"].tolist() == [0.5]


def test_the_distance_of_an_interval_from_0():
    table = accuracies(clrp1=([0, 0], [1, 1]), clrp2=([1, 1], [1, 1]))
    assert distances(table, "clrp1", "clrp2", resamples=50)[["low", "high"]].to_numpy().tolist() == [
        [1, 1],
        [0, 0],
    ]


def test_the_largest_rise():
    assert largest_rise(accuracies(clrp1=([1, 1], [0, 0]), clrp2=([1, 0], [1, 1])))["mean"].tolist() == [0.5]
    assert largest_rise(accuracies(clrp1=([1, 1], [0, 0]), clrp2=([1, 1], [1, 0])))["mean"].tolist() == [-0.5]
