"""Objects in the boxes of a data set, its mean image, and the parts in which two drawn species differ."""

import numpy as np
import pandas as pd
import paper_trees as trees
import pytest
import torch
from torch import nn

from contrastlib import datasets, models
from contrastlib.datasets.birds import SyntheticBirds, species_index
from contrastlib.evaluation import ablation
from contrastlib.evaluation.energy import energy_in_regions
from contrastlib.evaluation.pointing_game import pointing
from contrastlib.report.computing import batches
from contrastlib.report.studies import dataset_evaluations
from contrastlib.report.studies.dataset_evaluations import differing_region, energy_in_differing_parts


def annotate(folder, number, *objects):
    """Other objects for image ``number`` of the tree of ImageNet: (WordNet ID, box) of each."""
    boxes = [dict(zip(("xmin", "ymin", "xmax", "ymax"), box)) for _, box in objects]
    sides = ["".join(f"<{side}>{at}</{side}>" for side, at in box.items()) for box in boxes]
    found = [
        f"<object><name>{name}</name><bndbox>{box}</bndbox></object>"
        for (name, _), box in zip(objects, sides)
    ]
    file = folder / "ILSVRC2012_bbox_val_v3" / "val" / f"ILSVRC2012_val_{number:08d}.xml"
    file.write_text(f"<annotation>{''.join(found)}</annotation>")


@pytest.fixture
def imagenet(tmp_path, monkeypatch):
    """ImageNet's tree: images are white in their first box, black elsewhere, in crops of nearly all of it."""
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
        nn.Conv2d(3, 4, 3, stride=4),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(4 * 64, 10),
        nn.ReLU(),
        nn.Linear(10, 5),
    ).eval()
    birds = batches.load_dataset("birds", 32)
    images = torch.stack([birds[i].image for i in range(2)])
    table = dataset_evaluations.neuron_ablation_in(
        network, images, None, "birds", "4", count=6, neurons=3, size=5
    )
    mean = torch.stack([birds[i].image for i in range(6)]).mean(dim=0)
    pd.testing.assert_frame_equal(
        table, ablation.neuron_ablation(network, images, None, mean, "4", count=3, size=5)
    )


def test_differing_region_is_what_changes_between_two_species():
    birds = SyntheticBirds("test", size=128)
    ash, rust, jay = map(species_index, ("Ash-crowned Finch", "Rust-crowned Finch", "Azure-crested Jay"))
    bird = birds.annotations(31)
    assert bird.label == rust
    region = differing_region(bird, ash, rust)
    np.testing.assert_array_equal(region, bird.parts["crown"])
    assert differing_region(bird, jay, rust).sum() > 5 * region.sum()
    assert not differing_region(bird, rust, rust).any()


def test_energy_in_differing_parts_of_the_images_that_have_such_parts():
    """Row by row the energy in the region of the image, whatever the batch; other images have none."""
    birds, network = batches.load_dataset("birds", 128), models.load("birds_resnet")
    table = batches.evaluate(
        energy_in_differing_parts, "birds_resnet", "birds", range(20, 50), {"dataset": "birds"}, 8
    )
    rows = table[(table["method"] == "gradcam") & (table["contrast"] == "weighted")].set_index("image")
    for index in range(20, 50):
        image, label = birds[index].image[None], birds[index].label
        pair = network(image).topk(2).indices[0].tolist()
        region = differing_region(birds.annotations(index), *pair)
        assert (index in rows.index) == (label in pair and region.any())
        if index in rows.index:
            alone = energy_in_regions(
                network, image, torch.from_numpy(region)[None], ["gradcam"], ["weighted"]
            )
            np.testing.assert_allclose(
                rows.loc[index, ["energy", "area", "p_2"]].astype(float),
                alone.loc[0, ["energy", "area", "p_2"]].astype(float),
                rtol=1e-4,
            )
    assert 0 < len(rows) < 30
