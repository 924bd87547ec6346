"""Objects in the boxes of a data set, for the pointing game, and evaluations that take its mean image."""

import pandas as pd
import paper_trees as trees
import pytest
import torch
from torch import nn

from contrastlib import datasets
from contrastlib.evaluation import ablation
from contrastlib.evaluation.pointing_game import pointing
from contrastlib.report import batches, dataset_evaluations


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
    for index, label in enumerate([0, 1, 1]):
        ((found, mask),) = images.objects(index)
        assert found == label and mask.dtype == torch.bool
        assert ((images[index].image.mean(dim=0) > 0.5) == mask).double().mean() > 0.95


def test_several_boxes_of_a_class_are_one_object_and_other_classes_are_none(imagenet):
    folder, load = imagenet
    # 50 x 50 pixels, an owl among wrens: image 2 of class n02
    annotate(folder, 2, ("n02", (5, 5, 15, 45)), ("n02", (30, 5, 40, 45)), ("n01", (15, 5, 30, 45)))
    ((label, mask),) = load().objects(2)
    left, between, right = mask[20, 8], mask[20, 17], mask[20, 27]
    assert label and left and right and not between
    for column, hits in {8: True, 17: False, 27: True}.items():
        maps = torch.zeros(1, 38, 38)
        maps[0, 20, column] = 1
        assert pointing(maps, mask[None], [0])["hit"].item() is hits


def test_images_whose_boxes_lie_outside_of_the_crop_have_no_object(imagenet):
    folder, load = imagenet
    annotate(folder, 1, ("n01", (0, 0, 1, 1)))  # a corner that the crop does not have
    annotate(folder, 2, ("n01", (10, 5, 45, 20)))  # of another class
    assert [bool(load().objects(index)) for index in range(3)] == [False, True, False]


def test_a_set_without_boxes(tmp_path, monkeypatch):
    monkeypatch.setenv("CONTRASTLIB_DATA", str(tmp_path))
    trees.food(tmp_path)
    for name in ("food101", "photographs"):
        with pytest.raises(ValueError, match=f"no boxes are read for {name}"):
            datasets.load(name).objects(0)


def test_neurons_are_ablated_with_the_mean_image_of_the_set():
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 64, 10), nn.ReLU(), nn.Linear(10, 5)).eval()
    birds = batches.load_dataset("birds", 32)
    images = torch.stack([birds[i].image for i in range(2)])
    table = dataset_evaluations.neuron_ablation_in(network, images, None, "birds", "4", count=6, neurons=3, size=5)
    mean = torch.stack([birds[i].image for i in range(6)]).mean(dim=0)
    pd.testing.assert_frame_equal(table, ablation.neuron_ablation(network, images, None, mean, "4", count=3, size=5))
