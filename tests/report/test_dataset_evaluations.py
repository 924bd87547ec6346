"""Objects in the boxes of a data set, for the pointing game."""

import paper_trees as trees
import pytest
import torch

from contrastlib import datasets
from contrastlib.evaluation.pointing_game import pointing
from contrastlib.report.dataset_evaluations import objects_in_boxes


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


def test_masks_are_read_as_they_are_asked_for(imagenet, monkeypatch):
    """All of ImageNet's validation images would take 2.5 GB of masks."""
    images = imagenet[1]()
    read, mask = [], images.mask
    monkeypatch.setattr(images, "mask", lambda index: read.append(index) or mask(index))
    batches = objects_in_boxes(images, batch=1)
    assert read == []
    for index in range(3):
        assert next(batches)[3] == [index] and read == list(range(index + 1))


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
