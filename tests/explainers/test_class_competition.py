"""VAR, written out place by place."""

import math

import pytest
import torch
from torch import nn

import contrastlib
from contrastlib.autograd import forward
from contrastlib.explainers import class_competition, class_maps, gradcam

EXACT = {"rtol": 1e-10, "atol": 1e-10}


@pytest.fixture
def record():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 7)).double()
    return forward(network, torch.rand(2, 3, 8, 8, dtype=torch.float64), "1")


def by_hand(maps, competing, threshold, temperature):
    """The map (h, w) of the first of the competing classes, from the maps (C, h, w) of all."""
    largest = max(abs(maps[s]).max().item() for s in competing)
    result = torch.zeros_like(maps[0])
    for i, j in ((i, j) for i in range(result.shape[0]) for j in range(result.shape[1])):
        powers = [math.exp(abs(maps[s, i, j].item()) / largest / temperature) for s in competing]
        share = powers[0] / sum(powers)
        if share - 1 / len(competing) > threshold:
            result[i, j] = maps[competing[0], i, j] * share
    return result


@pytest.mark.parametrize("count", [1, 3, 6, 50])
@pytest.mark.parametrize("threshold, temperature", [(0.05, 0.1), (0.0, 0.5)])
def test_the_formula(record, count, threshold, temperature):
    maps = class_maps(record, gradcam)
    found = class_competition(record, [2, 5], count=count, threshold=threshold, temperature=temperature)
    for i, target in enumerate([2, 5]):
        others = [s for s in record.logits[i].argsort(descending=True).tolist() if s != target]
        competing = [target, *dict.fromkeys([*others[: count - 1], others[-1]])]
        torch.testing.assert_close(found[i], by_hand(maps[:, i], competing, threshold, temperature), **EXACT)
    assert found.any() and not found.all()


def test_the_scale_of_the_logits_does_not_choose_the_places(record):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 7)).double()
    images = torch.rand(2, 3, 8, 8, dtype=torch.float64)
    before = class_competition(forward(network, images, "1"), 2)
    with torch.no_grad():
        network[3].weight *= 100
        network[3].bias *= 100
    torch.testing.assert_close(class_competition(forward(network, images, "1"), 2), 100 * before, **EXACT)


def test_it_is_a_method_of_explain(record):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 7)).double()
    images = torch.rand(2, 3, 8, 8, dtype=torch.float64)
    found = contrastlib.explain(network, images, 2, "class_competition", layer="1", upsample=False, count=3)
    torch.testing.assert_close(found, class_competition(forward(network, images, "1"), 2, count=3), **EXACT)
    other = contrastlib.explain(
        network, images, 2, "class_competition", layer="1", method_of_classes="xgradcam"
    )
    assert other.shape == (2, 8, 8)


def test_of_equal_maps_none_wins():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(144, 5)).double()
    with torch.no_grad():
        network[2].weight.copy_(network[2].weight[:1].expand(5, -1))
    images = torch.rand(2, 3, 8, 8, dtype=torch.float64)
    assert not class_competition(forward(network, images, "0"), 1).any()


@pytest.mark.parametrize(
    "options, says",
    [
        ({"count": 0}, "count is 0"),
        ({"threshold": 1.0}, "threshold is 1.0"),
        ({"threshold": math.nan}, "threshold is nan"),
        ({"temperature": 0.0}, "temperature is 0.0"),
        ({"temperature": math.inf}, "temperature is inf"),
        ({"method_of_classes": "lrp"}, "unknown method of the classes 'lrp'; choose one of gradcam"),
    ],
)
def test_bad_options(record, options, says):
    with pytest.raises(ValueError, match=says):
        class_competition(record, 1, **options)


@pytest.mark.parametrize(
    "options, says",
    [
        ({"count": None}, "count must be a whole number, got None"),
        ({"count": 2.5}, "count must be a whole number, got 2.5"),
        ({"threshold": "0.1"}, "threshold must be a number, got '0.1'"),
        ({"temperature": True}, "temperature must be a number, got True"),
    ],
)
def test_options_of_a_wrong_type(record, options, says):
    with pytest.raises(TypeError, match=says):
        class_competition(record, 1, **options)
