"""Receptive fields, measured and computed."""

import torch
from torch import nn

from contrastlib.evaluation import receptive_fields


def test_measured_as_computed_through_strides_pooling_and_relus_in_place():
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 8, 5, stride=2, padding=2),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 8, 3, padding=1),
        nn.ReLU(inplace=True),
    )
    steps = [(layer.kernel_size, layer.stride) for layer in network if not isinstance(layer, nn.ReLU)]
    steps = [tuple(each[0] if isinstance(each, tuple) else each for each in step) for step in steps]
    sides = receptive_fields.measured(network, torch.rand(4, 3, 48, 48), ["0", "2", "3"])
    assert sides.tolist() == receptive_fields.computed(steps) == [5, 7, 15]
    assert (
        network[0].weight.dtype == torch.float32 and not network[0]._forward_hooks
    )  # the copy was changed, not the network


def test_a_unit_that_nothing_reaches():
    network = nn.Sequential(nn.Conv2d(1, 1, 3))
    nn.init.zeros_(network[0].weight)
    assert receptive_fields.measured(network, torch.rand(1, 1, 8, 8), ["0"])["0"] == 0


def test_the_weights_are_drawn_from_the_seed_alone():
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    first, second = receptive_fields.vgg16_features(), receptive_fields.vgg16_features()
    assert torch.equal(first[0].weight, second[0].weight) and torch.equal(torch.rand(1), expected)
