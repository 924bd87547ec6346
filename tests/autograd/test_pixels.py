"""A network can have a module that is called "input", as the pixels are."""

import pytest
import torch
from torch import nn

import contrastlib
from contrastlib.autograd import INPUT, forward
from contrastlib.explainers import EXPLAINERS, select
from contrastlib.explainers.fullgrad_terms import terms


class Net(nn.Module):
    """The same network, whatever its first layer is called."""

    def __init__(self, name):
        super().__init__()
        torch.manual_seed(0)
        self.name = name
        self.add_module(name, nn.Conv2d(3, 4, 3))
        self.classes = nn.Linear(4 * 36, 5)

    def forward(self, x):
        return self.classes(getattr(self, self.name)(x).relu().flatten(1))


@pytest.fixture
def networks():
    return Net("input").eval(), Net("first").eval()


@pytest.fixture
def images():
    return torch.rand(2, 3, 8, 8)


@pytest.mark.parametrize(
    "method", select(space="layer", contrast=True) | select(needs="pass", space="pixels")
)
def test_the_layer_is_the_module(networks, images, method):
    named, other = (
        contrastlib.explain(net, images, 1, method, layer=net.name, upsample=False) for net in networks
    )
    assert torch.equal(named, other) and named.shape == (2, 6, 6)


@pytest.mark.parametrize("method", select(space="pixels") | select(space="layer", contrast=True))
def test_every_method_works_without_a_layer(networks, images, method):
    named, other = (contrastlib.explain(net, images, 1, method) for net in networks)
    assert torch.equal(named, other) and named.shape == (2, 8, 8)


def test_the_text_is_the_module_and_the_constant_is_the_pixels(networks, images):
    named, other = networks
    w = torch.randn(2, 5)
    assert forward(named, images, "input").activations["input"].shape == (2, 4, 6, 6)
    for net, layers in ((named, INPUT), (named, [INPUT, "classes"]), (other, "input"), (other, INPUT)):
        record = forward(net, images, layers)
        assert torch.equal(record.activations["input"], images)
        assert torch.equal(record.pull_back(w)[INPUT], forward(other, images).pull_back(w)["input"])
    with pytest.raises(
        ValueError, match="has a module called 'input', which one pass cannot record together"
    ):
        forward(named, images, [INPUT, "input"])


def test_the_terms_of_fullgrad(networks, images):
    named, other = (terms(net, images, torch.ones_like) for net in networks)
    assert list(named) == ["input (pixels)", "input", "classes"] and list(other) == [
        "input",
        "first",
        "classes",
    ]
    assert all(torch.equal(one, two) for one, two in zip(named.values(), other.values()))


def test_an_attribute_is_no_module(images):
    network = Net("first")
    network.input = "pixels"
    assert torch.equal(forward(network, images, "input").activations["input"], images)
    assert (
        EXPLAINERS["gradient"].function(forward(network, images, "input"), torch.ones(2, 5)).shape
        == images.shape
    )
