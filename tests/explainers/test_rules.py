"""Relevance at sums of 0: nothing is passed on, and what overflows is an error that names the layer."""

import pytest
import torch
from torch import nn

from contrastlib import contrasts
from contrastlib.explainers.propagation import propagation
from contrastlib.explainers.relevance import clrp1, clrp2, contrastive_lrp, lrp, relevance_maps
from contrastlib.explainers.rules import RULES


@pytest.fixture
def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))


@pytest.fixture
def images():
    return torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))


def total(maps):
    return maps.sum(dim=(1, 2, 3))


@pytest.mark.parametrize("biases", [False, True])
@pytest.mark.parametrize("rules", RULES)
def test_a_black_image_has_a_map_of_zeros(net, images, rules, biases):
    images[0] = 0
    net[0].bias = None
    maps = contrastive_lrp(net, images, lambda y: contrasts.original(y, 1), rules=rules, biases=biases)
    assert not maps[0].any()
    assert maps[1].isfinite().all() and maps[1].any()


@pytest.mark.parametrize("rules", RULES)
def test_a_layer_that_is_dead_passes_nothing_on(net, images, rules):
    nn.init.constant_(net[0].weight, -1)
    assert not lrp(net, images, torch.ones_like, rules=rules).any()


@pytest.mark.parametrize("rules", ["z_plus", "z"])
def test_relevance_does_not_depend_on_the_scale_of_activations(net, images, rules):
    maps = lrp(net, images, torch.ones_like, rules=rules)
    net[0].weight.data *= 1e-14
    net[0].bias.data *= 1e-14
    scale = maps.abs().max()
    torch.testing.assert_close(lrp(net, images, torch.ones_like, rules=rules) / scale, maps / scale, rtol=0, atol=1e-4)


@pytest.fixture
def cancelling():
    """A network of two units; those of layer "3" get 1 and -1 + 1e-6 times nearly the same."""
    net = nn.Sequential(nn.Flatten(), nn.Linear(12, 2), nn.ReLU(), nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2))
    for i in (1, 3, 5):
        nn.init.ones_(net[i].weight)
        nn.init.ones_(net[i].bias)
    net[3].weight.data[:, 1] = -1 + 1e-6
    return net


@pytest.mark.parametrize("count", [1, 3])
def test_an_overflow_names_the_layer_and_the_remedy(cancelling, images, count):
    images = images[..., :2, :2]
    start = torch.full((count, 2, 2), 1e34)
    start[:, 1] = 0
    with propagation(cancelling, images, "z") as propagate:
        assert propagate(start / 1e4).isfinite().all()
        with pytest.raises(FloatingPointError, match="of 1 of 2 images overflows torch.float32 at layer '3'") as error:
            propagate(start)
    assert 'rules="z_plus"' in str(error.value) and "biases=True" in str(error.value)
    for remedy in ({"rules": "z_plus"}, {"rules": "z", "biases": True}):
        assert lrp(cancelling, images, lambda y: start[0], **remedy).isfinite().all()


def test_methods_that_need_the_z_plus_rules(net, images):
    with pytest.raises(ValueError, match="clrp2 needs the z_plus rules"):
        clrp2(net, images, 0, rules="epsilon")
    with pytest.raises(ValueError, match="clrp2 needs the z_plus rules"):
        relevance_maps(net, images, 0, ["lrp", "clrp2"], rules="epsilon")
    with pytest.raises(ValueError, match='dual "logits" needs the z_plus rules'):
        clrp1(net, images, 0, dual="logits", rules="z")
    assert clrp1(net, images, 0, rules="epsilon").any()
