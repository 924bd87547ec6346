"""Batch norms that are merged into a layer, and pixels: what relevance would miss is refused, by name."""

import pytest
import torch
from torch import nn

from contrastlib.explainers.lrp import POOLING, lrp, propagation

EXACT = {"rtol": 1e-10, "atol": 1e-10}


@pytest.fixture
def images():
    return torch.rand(2, 3, 10, 10, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def total(maps):
    return maps.flatten(1).sum(dim=1)


def fitted(norm):
    """Give a batch norm statistics and weights, one of them negative."""
    count = norm.num_features
    norm.running_mean.copy_(torch.linspace(-0.2, 0.3, count))
    norm.running_var.copy_(torch.linspace(0.5, 2, count))
    norm.weight.data.copy_(torch.linspace(-1, 2, count))
    norm.bias.data.copy_(torch.linspace(0.1, 0.9, count))
    return norm


class OneNorm(nn.Module):
    """A convolution with a batch norm, whose outputs ``between`` reads."""

    def __init__(self, between):
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.norm, self.head = nn.Conv2d(3, 4, 3), fitted(nn.BatchNorm2d(4)), nn.Linear(4, 5)
        self.between = between
        self.double().eval()

    def forward(self, x):
        return self.head(self.between(self.conv(x), self.norm).mean(dim=(2, 3)))


@pytest.mark.parametrize("inplace", [False, True])
def test_a_merged_network_is_the_same_network(images, inplace):
    model = OneNorm(lambda h, norm: nn.functional.relu(norm(h), inplace=inplace))
    expected = model(images)
    with propagation(model, images, rules="z", biases=True) as propagate:
        torch.testing.assert_close(propagate.outputs, expected, **EXACT)


@pytest.mark.parametrize(
    "between",
    [
        lambda h, norm: h.relu(),
        lambda h, norm: norm(h).relu() + h.relu(),
        lambda h, norm: torch.cat([norm(h[:, :2].repeat(1, 2, 1, 1)), h], dim=1)[:, :4],
        lambda h, norm: norm(h.relu_()),
    ],
    ids=["it never runs", "another branch", "a part of the output", "a ReLU in place before it"],
)
def test_a_layer_that_others_read_is_not_merged_in_silence(images, between):
    with pytest.raises(ValueError, match="layer 'conv' is read by other|batch norm 'norm' does not follow"):
        lrp(OneNorm(between), images, torch.ones_like)


def test_the_remedy_for_a_norm_that_never_runs(images):
    model = OneNorm(lambda h, norm: h.relu())
    model.norm, expected = nn.Identity(), model(images)
    with propagation(model, images) as propagate:
        torch.testing.assert_close(propagate.outputs, expected, **EXACT)


class OtherOrder(nn.Module):
    """Each batch norm follows its convolution where it runs, and not where it is defined."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3)
        self.first_norm, self.second_norm = fitted(nn.BatchNorm2d(4)), fitted(nn.BatchNorm2d(4))
        self.head = nn.Linear(4, 5)
        self.double().eval()

    def forward(self, x):
        x = self.first_norm(self.first(x)).relu()
        return self.head(self.second_norm(self.second(x)).relu().mean(dim=(2, 3)))


def test_norms_are_found_where_they_run(images):
    model = OtherOrder()
    in_order = nn.Sequential(
        model.first, model.first_norm, nn.ReLU(), model.second, model.second_norm, nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), model.head,
    )  # fmt: skip
    maps = lrp(model, images, torch.ones_like)
    assert maps.any()
    torch.testing.assert_close(maps, lrp(in_order, images, torch.ones_like), **EXACT)


class TwoStems(nn.Module):
    """Two convolutions that see the pixels."""

    def __init__(self, dense):
        super().__init__()
        torch.manual_seed(0)
        self.one, self.other = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(3, 4, 3, padding=1)
        self.head, self.dense = nn.Linear(7 if dense else 8, 5), dense
        self.double()

    def forward(self, x):
        beside = x if self.dense else self.other(x).relu()
        return self.head(torch.cat([self.one(x).relu(), beside], dim=1).mean(dim=(2, 3)))


@pytest.mark.parametrize("dense", [False, True])
def test_pixels_that_pass_the_first_layer_by_are_no_silent_loss(images, dense):
    with pytest.raises(ValueError, match="pixels reach the outputs of TwoStems past its first layer"):
        lrp(TwoStems(dense), images, torch.ones_like)


def test_images_may_be_changed_in_place_before_the_first_layer(images):
    class Normalising(nn.Sequential):
        def forward(self, x):
            return super().forward(x.sub_(0.5))

    layers = nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(256, 5)
    assert lrp(Normalising(*layers).double(), images, torch.ones_like).any()


@pytest.mark.parametrize("average_pooling", POOLING)
@pytest.mark.parametrize(
    "pool",
    [
        nn.AvgPool2d(3, 1, 1),
        nn.AvgPool2d(3, 2, 1, ceil_mode=True),
        nn.AvgPool2d(3, 2, ceil_mode=True),
        nn.AvgPool2d(3, 1, 1, count_include_pad=False),
        nn.AvgPool2d(3, 1, divisor_override=4),
    ],
    ids=str,
)
def test_no_relevance_is_lost_to_the_padding_of_an_average(images, pool, average_pooling):
    layers = nn.Conv2d(3, 4, 1, bias=False), pool, nn.Conv2d(4, 4, 1, bias=False)
    model = nn.Sequential(
        *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5, bias=False)
    ).double()
    for weight in model.parameters():
        weight.data.abs_()
    expected = model(images)
    with propagation(model, images, average_pooling=average_pooling) as propagate:
        torch.testing.assert_close(propagate.outputs, expected, **EXACT)
        relevance = total(propagate(expected))
    torch.testing.assert_close(relevance, expected.sum(dim=1), **EXACT)


def test_an_input_that_is_given_by_name_is_named(images):
    class ByName(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.head = nn.Conv2d(3, 4, 3), nn.Linear(4, 5)

        def forward(self, x):
            return self.head(self.conv(input=x).relu().mean(dim=(2, 3)))

    with pytest.raises(ValueError, match=r"gives the layer Conv2d\(.* its input by name.* write layer\(x\)"):
        lrp(ByName().double(), images, torch.ones_like)


def test_a_box_with_its_ends_exchanged(images):
    model = OneNorm(lambda h, norm: norm(h).relu())
    with pytest.raises(ValueError, match=r"lowest value is above its highest: write box=\(low, high\)"):
        lrp(model, images, torch.ones_like, box=(1.0, 0.0))
