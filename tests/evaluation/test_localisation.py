"""The pointing game, against a plain loop and on maps whose answer is known."""

import numpy as np
import paper_trees as trees
import pytest
import torch
from torch import nn

from contrastlib import datasets
from contrastlib.evaluation.localisation import THRESHOLDS, objects_in_boxes, pointing, pointing_game
from contrastlib.evaluation.saliency import saliency


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
    assert table["inside"].tolist() == pytest.approx([0, 0.9]) and table["energy"].tolist() == pytest.approx([9 / 11] * 2)
    negative = pointing(-filled, box)
    assert not negative["hit"].any() and (negative[["inside", "energy", "kept"]] == 0).all(axis=None)


def test_boxes_and_masks_say_the_same():
    maps = torch.rand(3, 10, 12, generator=torch.Generator().manual_seed(2))
    boxes = torch.tensor([[0, 0, 12, 10], [3, 2, 4, 3], [5, 5, 12, 9]])
    masks = torch.zeros(3, 10, 12, dtype=torch.bool)
    for mask, (x0, y0, x1, y1) in zip(masks, boxes.tolist()):
        mask[y0:y1, x0:x1] = True
    assert pointing(maps, boxes).equals(pointing(maps, masks))


@pytest.mark.parametrize("maps, boxes, thresholds, says", [
    (torch.ones(1, 6, 6), torch.tensor([[3, 3, 3, 5]]), THRESHOLDS, "box of image 0 holds no pixel"),
    (torch.ones(1, 6, 6), torch.tensor([[0, 0, 2]]), THRESHOLDS, "boxes must be"),
    (torch.ones(1, 6, 6), torch.tensor([[0, 0, 2, 2]]), [1.5], "shares of the energy"),
    (torch.full((1, 6, 6), torch.nan), torch.tensor([[0, 0, 2, 2]]), THRESHOLDS, "NaN"),
])
def test_bad_input(maps, boxes, thresholds, says):
    with pytest.raises(ValueError, match=says):
        pointing(maps, boxes, thresholds)


def test_the_game_of_several_methods():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8 * 49, 6)).double().eval()
    images = torch.rand(3, 3, 16, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    labels, boxes = torch.tensor([0, 5, 2]), torch.tensor([[0, 0, 9, 9]] * 3)
    methods = ["lrp", "gradient", "gradcam/weighted", "centre"]
    table = pointing_game(network, images, labels, boxes, methods, [0.5])
    assert table.groupby("method").size().to_dict() == dict.fromkeys(methods, 3)
    assert table[table["method"] == "centre"]["hit"].all()
    maps = saliency(network, images, labels, methods)
    for name in methods:
        expected = pointing(maps[name], boxes, [0.5])
        found = table[table["method"] == name].reset_index(drop=True)
        assert found[expected.columns.tolist()].equals(expected)


def annotate(folder, number, *objects):
    """Other objects for image ``number`` of the tree of ImageNet: (WordNet ID, box) of each."""
    boxes = [dict(zip(("xmin", "ymin", "xmax", "ymax"), box)) for _, box in objects]
    sides = ["".join(f"<{side}>{at}</{side}>" for side, at in box.items()) for box in boxes]
    found = [f"<object><name>{name}</name><bndbox>{box}</bndbox></object>" for (name, _), box in zip(objects, sides)]
    file = folder / "ILSVRC2012_bbox_val_v3" / "val" / f"ILSVRC2012_val_{number:08d}.xml"
    file.write_text(f"<annotation>{''.join(found)}</annotation>")


@pytest.fixture
def imagenet(tmp_path, monkeypatch):
    """ImageNet's tree, whose images are white in their first box and black elsewhere, in crops of nearly all of it."""
    monkeypatch.setenv("CONTRASTLIB_DATA", str(tmp_path))
    folder = trees.imagenet(tmp_path)
    return folder, lambda: datasets.load("imagenet-val", resize=40, crop=38)


def test_objects_lie_in_their_boxes(imagenet):
    images = imagenet[1]()
    batches = list(objects_in_boxes(images, batch=2))
    assert [indices for *_, indices in batches] == [[0, 1], [2]]
    pixels, labels, masks = (torch.cat(parts) for parts in list(zip(*batches))[:3])
    assert labels.tolist() == [0, 1, 1] and masks.dtype == torch.bool
    assert torch.equal(pixels, torch.stack([each.image for each in images]))
    assert ((pixels.mean(dim=1) > 0.5) == masks).double().mean() > 0.95
    assert [indices for *_, indices in objects_in_boxes(images, 1)] == [[1]]


def test_several_boxes_of_a_class_are_one_object_and_other_classes_are_none(imagenet):
    folder, load = imagenet
    # 50 x 50 pixels, an owl among wrens: image 2 of class n02
    annotate(folder, 2, ("n02", (5, 5, 15, 45)), ("n02", (30, 5, 40, 45)), ("n01", (15, 5, 30, 45)))
    ((_, labels, masks, _),) = objects_in_boxes(load())
    left, between, right = masks[2, 20, 8], masks[2, 20, 17], masks[2, 20, 27]
    assert labels[2] == 1 and left and right and not between
    for column, hits in {8: True, 17: False, 27: True}.items():
        maps = torch.zeros(1, 38, 38)
        maps[0, 20, column] = 1
        assert pointing(maps, masks[2:], [0])["hit"].item() is hits


def test_images_whose_boxes_lie_outside_of_the_crop_are_left_out(imagenet):
    folder, load = imagenet
    annotate(folder, 1, ("n01", (0, 0, 1, 1)))  # a corner that the crop does not have
    annotate(folder, 2, ("n01", (10, 5, 45, 20)))  # of another class
    assert [indices for *_, indices in objects_in_boxes(load())] == [[1]]


def test_a_set_without_boxes(tmp_path, monkeypatch):
    monkeypatch.setenv("CONTRASTLIB_DATA", str(tmp_path))
    trees.food(tmp_path)
    with pytest.raises(ValueError, match="no boxes are read for food101"):
        next(objects_in_boxes(datasets.load("food101")))
