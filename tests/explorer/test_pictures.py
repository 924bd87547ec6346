"""Pictures: what readers see, what networks take, the lines that load them."""

import functools

import numpy as np
import pytest
import torch
from PIL import Image

import contrastlib
from contrastlib import datasets, models
from contrastlib.datasets.birds import BirdScenes, SyntheticBirds
from contrastlib.explorer import Explorer, bird, bird_scene, first_birds, first_scenes, of_set, photograph


def loaded(picture, network):
    space = {"contrastlib": contrastlib, "network": network}
    exec("import contrastlib.datasets\n" + picture.code.replace("{size}", str(network.input_size)), space)
    return space["image"]


@pytest.mark.parametrize("make, kind", [(bird, SyntheticBirds), (bird_scene, BirdScenes)])
def test_a_drawing_is_the_same_scene_at_every_size(networks, make, kind):
    picture = make(31)
    for network in networks:
        assert torch.equal(picture.tensor(network), kind("test", size=network.input_size)[31].image)
        assert torch.equal(loaded(picture, network), picture.tensor(network))
    assert torch.equal(picture.shown(networks), kind("test", size=256)[31].image)
    names = [kind("test").class_names[label] for label in kind("test").labels(31)]
    assert picture.truth == picture.title == " and ".join(names)
    assert (
        make(31, "train").caption
        != picture.caption
        == f"{picture.title} (image 31 of the synthetic test images)."
    )
    assert make(31, caption="So it is.").caption == "So it is."


def test_the_first_birds_that_fit(networks, monkeypatch):
    network = networks[0]
    images = SyntheticBirds("validation", size=network.input_size)
    logits = contrastlib.autograd.predict(network, torch.stack([images[i].image for i in range(30)]))
    gaps = logits.softmax(1).topk(2).values.diff().flatten().neg()
    limit = gaps.sort(descending=True).values[5].item()
    found = first_birds(network, 3, lambda p: bool(p[0] - p[1] >= limit - 1e-7), split="validation")
    wanted = [bird(i, "validation") for i in (gaps >= limit - 1e-7).nonzero().flatten()[:3].tolist()]
    assert [each.code for each in found] == [each.code for each in wanted]
    monkeypatch.setattr(
        datasets, "load", functools.partial(datasets.load, length=20)
    )  # the last one is soon reached
    with pytest.raises(ValueError, match="0 of the test images satisfy the condition: ask for fewer than 1"):
        first_birds(network, 1, lambda p: p[0] > 1)


def test_the_first_scenes_whose_birds_are_the_most_probable_species():
    network = models.load("birds_vgg")
    scenes = BirdScenes("test", size=network.input_size, length=20)
    logits = contrastlib.autograd.predict(network, torch.stack([scenes[i].image for i in range(20)]))
    wanted = [
        i for i, top in enumerate(logits.topk(2).indices.tolist()) if set(top) == set(scenes.labels(i))
    ][:2]
    assert len(wanted) == 2
    assert [each.code for each in first_scenes(network, 2)] == [bird_scene(i).code for i in wanted]


def test_the_parts_of_a_bird():
    names, labels = bird(31).parts()
    parts = SyntheticBirds("test", size=256).annotations(31).parts
    assert names[0] == "" and names[1:] == list(parts)
    for number, name in enumerate(names[1:], 1):
        np.testing.assert_array_equal(labels == number, parts[name])


def test_the_parts_of_two_birds_say_whose():
    picture = bird_scene(7)
    names, labels = picture.parts()
    first, second = BirdScenes("test", size=256).annotations(7)
    one, other = picture.title.split(" and ")
    np.testing.assert_array_equal(labels == names.index(f"throat of the {one}"), first.parts["throat"])
    np.testing.assert_array_equal(labels == names.index(f"throat of the {other}"), second.parts["throat"])


def test_an_image_of_a_set(networks):
    picture = of_set("birds", 31, split="test", size=64)
    assert picture.title == "Rust-crowned Finch" and picture.parts() is None
    assert picture.caption == "Rust-crowned Finch (image 31 of drawn birds)."
    assert torch.equal(picture.tensor(networks[0]), datasets.load("birds", split="test", size=64)[31].image)
    assert torch.equal(loaded(picture, networks[0]), picture.tensor(networks[0]))
    with pytest.raises(
        ValueError,
        match=r"has 64 pixels a side, tiny_vit takes 32: load it with of_set\(name, index, crop=32\)",
    ):
        picture.tensor(networks[1])


def test_a_photograph_of_ones_own(networks, tmp_path, monkeypatch):
    pixels = np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "finch.png")
    picture = photograph(tmp_path / "finch.png")
    assert picture.title == "finch" and picture.truth is None and str(tmp_path) not in picture.code
    assert torch.equal(picture.tensor(networks[0]), networks[0].preprocess(Image.fromarray(pixels)))
    monkeypatch.chdir(tmp_path)
    assert torch.equal(loaded(picture, networks[1]), picture.tensor(networks[1]))
    assert photograph(Image.fromarray(pixels), "A wall").title == "A wall"
    assert photograph(Image.fromarray(pixels)).shown(networks).shape == (3, 64, 64)


def test_networks_must_cut_a_photograph_alike(networks, make_network):
    wider = make_network["convolutional"](name="wider")
    wider.resize = 80
    picture = photograph(Image.new("RGB", (90, 60)))
    assert picture.shown(networks).shape == (3, 64, 64)
    with pytest.raises(
        ValueError, match="crop photographs differently.*tiny, tiny_vit, wider; make an explorer for each"
    ):
        picture.shown([*networks, wider])


@pytest.mark.parametrize(
    "make, error, says",
    [
        (lambda: bird(31, "best"), ValueError, "train, validation, test"),
        (lambda: bird(9999), IndexError, "picture 9999"),
        (lambda: of_set("bird", 1), ValueError, "birds"),
        (lambda: photograph("missing.jpg"), ValueError, "there is no file missing.jpg"),
    ],
)
def test_what_is_no_picture(make, error, says):
    with pytest.raises(error, match=says):
        make()


@pytest.mark.data("imagenet_sample_1000.zip", "squeezenet1_1_imagenet_fp16.safetensors")
def test_photographs_of_a_thousand_classes():
    network = models.load("squeezenet1_1")
    explorer = Explorer(
        [of_set("imagenet-birds", 3)], [network], methods=["gradcam", "input_x_gradient"], classes=16
    )
    view = explorer.header["pictures"][0]["views"]["squeezenet1_1"]
    assert view["rest"]["count"] == 984 and [entry["height"] for entry in view["maps"]] == [13, 32]
    image, target = explorer.pictures[0].tensor(network)[None], view["classes"][0]["index"]
    wanted = contrastlib.explain(network, image, target, upsample=False)[0].numpy()
    assert abs(explorer.map(1) - wanted).max() < 1e-3 * np.ptp(wanted)
