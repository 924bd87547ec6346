"""What the explorer takes for a picture and for a network, and what it says about anything else."""

import re

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torchvision.transforms.functional import to_pil_image

import contrastlib
from contrastlib import models
from contrastlib.datasets.birds import SyntheticBirds
from contrastlib.explorer import Explorer, bird, first_birds, first_scenes, photograph


def explorer(picture, network="birds_vgg", **options):
    return Explorer([picture], [network], methods=["gradcam"], classes=2, **options)


@pytest.fixture(scope="module")
def pixels():
    return SyntheticBirds("test", size=64).picture(31)


def test_a_photograph_is_enough(tmp_path, pixels):
    Image.fromarray(pixels).save(tmp_path / "finch.png")
    wrapped = explorer(photograph(tmp_path / "finch.png"))
    given = explorer(tmp_path / "finch.png")
    assert given.header == wrapped.header and given.chunks == wrapped.chunks
    assert explorer(str(tmp_path / "finch.png")).chunks == wrapped.chunks
    shown = explorer(Image.fromarray(pixels))
    assert shown.chunks == wrapped.chunks and shown.header["pictures"][0]["title"] == "Your picture"
    shown.add(tmp_path / "finch.png")
    assert [each["title"] for each in shown.header["pictures"]] == ["Your picture", "finch"]


@pytest.mark.parametrize("picture, complaint", [
    (torch.zeros(3, 64, 64), "a picture cannot be a Tensor: wrap a tensor"),
    (np.zeros((64, 64, 3), np.uint8), "a picture cannot be a ndarray: wrap an array"),
    (3, "a picture cannot be a int: give a PIL image"),
    (None, "a picture cannot be a NoneType"),
    (b"bird.png", "a picture cannot be a bytes"),
])  # fmt: skip
def test_what_is_no_picture(picture, complaint):
    with pytest.raises(TypeError, match=complaint):
        explorer(picture)


def test_the_remedies_for_tensors_and_arrays_work(pixels):
    for wrapped in (to_pil_image(torch.zeros(3, 64, 64)), Image.fromarray(pixels)):
        assert explorer(wrapped).map().shape == (16, 16)


@pytest.mark.parametrize("size", [(0, 0), (0, 5), (5, 0)])
def test_a_photograph_without_pixels(size):
    with pytest.raises(ValueError, match=r"the image has \d x \d pixels: each side must be at least 1"):
        explorer(Image.new("RGB", size))
    with pytest.raises(ValueError, match="each side must be at least 1"):
        models.load("birds_vgg").preprocess(Image.new("RGB", size))


@pytest.mark.parametrize(
    "make",
    [
        lambda network: explorer(bird(31), network),
        lambda network: first_birds(network, 1, lambda p: True),
        lambda network: first_scenes(network, 1),
    ],
)
def test_a_plain_module_and_the_line_that_wraps_it(make):
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=4), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 7)
    )
    with pytest.raises(
        TypeError, match="a Sequential has no class names and no preprocessing: wrap it"
    ) as error:
        make(network)
    line = re.search(r"contrastlib\.models\.Classifier\(.*\)$", str(error.value))[0]
    wrapped = eval(line, {"contrastlib": contrastlib, "network": network})
    assert explorer(bird(31), wrapped).header["networks"]["own"]["classes"] == 7


@pytest.mark.parametrize("name", [3, None, b"birds_vgg", ["birds_vgg"], 1.5])
def test_a_name_that_is_no_text(name):
    for load in (models.load, models.as_classifier):
        with pytest.raises(
            TypeError,
            match="a network is loaded by its name, got .*: give text, such as 'efficientnet_lite0'",
        ):
            load(name)


@pytest.mark.parametrize(
    "name", ["", " ", "/", "torchvision/", "birds_vgg/", "a/b/c", "x" * 400, "birds_vgg\0"]
)
def test_a_name_that_is_unknown(name):
    with pytest.raises(ValueError, match="unknown network"):
        models.load(name)


@pytest.mark.parametrize("pictures, networks, complaint", [
    (bird(31), ["birds_vgg"], r"pictures must be a list, got a _Synthetic: write pictures=\[...\]"),
    ("bird.png", ["birds_vgg"], r"pictures must be a list, got 'bird.png': write pictures=\['bird.png'\]"),
    ([bird(31)], "birds_vgg", r"networks must be a list, got 'birds_vgg': write networks=\['birds_vgg'\]"),
    ([bird(31)], nn.Sequential(nn.Flatten()),
     r"networks must be a list, got a Sequential: write networks=\[...\]"),
    (torch.zeros(1, 3, 8, 8), ["birds_vgg"], "pictures must be a list, got a Tensor"),
    (None, ["birds_vgg"], "pictures must be a list"),
])  # fmt: skip
def test_what_is_no_list(pictures, networks, complaint):
    with pytest.raises(TypeError, match=complaint):
        Explorer(pictures, networks)


@pytest.mark.parametrize("options, kind, complaint", [
    ({"classes": "3"}, TypeError, "classes is '3': give the number of classes"),
    ({"classes": 2.5}, TypeError, "classes is 2.5"),
    ({"classes": None}, TypeError, "classes is None"),
    ({"name": 3}, TypeError, "name is 3: give text"),
    ({"view": {"opacity": "high"}}, ValueError, "opacity is 'high' in view: choose one from 0 to 1"),
    ({"view": {"opacity": float("nan")}}, ValueError, "opacity is nan"),
    ({"view": "dark"}, TypeError, "view is 'dark': give a dictionary"),
    ({"panes": ["original", "mean"]}, TypeError, "panes is .*: give a list of two dictionaries"),
])  # fmt: skip
def test_options_of_a_wrong_type(options, kind, complaint):
    with pytest.raises(kind, match=complaint):
        Explorer([bird(31)], ["birds_vgg"], **{"methods": ["gradcam"], "classes": 2, **options})


@pytest.mark.parametrize("count", [0, -1, 2.0, "3", None])
def test_a_network_without_classes(count):
    with pytest.raises(ValueError, match="num_classes is .*: a network has a whole number of classes"):
        models.build("birds_vgg", count)
