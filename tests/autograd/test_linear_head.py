"""Gradients of many contrasts go through the linear head together, and further down a few at a time."""

import pytest
import torch
from torch import nn

from contrastlib.autograd import INPUT, forward
from contrastlib.autograd import forward_pass as module
from contrastlib.autograd._linear_head import below_head

EXACT = {"rtol": 1e-10, "atol": 1e-10}
CLASSES = 6


class Branched(nn.Module):
    """Two paths join in a vector; with ``around``, one more passes that vector by."""

    def __init__(self, around: bool = False, hook=None):
        super().__init__()
        self.stem, self.left, self.right = (nn.Conv2d(n, 4, 3, padding=1) for n in (3, 4, 4))
        self.hidden, self.classes = nn.Linear(4 * 4, 8), nn.Linear(8, CLASSES)
        self.beside = nn.Linear(4 * 8 * 8, CLASSES) if around else None
        self.hook = hook

    def forward(self, images):
        stem = self.stem(images).tanh()
        joined = self.left(stem).sigmoid() + self.right(stem)
        vector = nn.functional.adaptive_avg_pool2d(joined, 2).flatten(1)
        if self.hook:
            vector.register_hook(self.hook)
        logits = self.classes(self.hidden(vector).tanh())
        return logits + self.beside(joined.flatten(1)) if self.beside else logits


def made(network_class=Branched, **options):
    torch.manual_seed(1)
    return network_class(**options).double().eval(), torch.rand(2, 3, 8, 8, dtype=torch.float64)


def head_of(network, images, layers):
    record = forward(network, images, layers)
    edge = below_head(record._outputs, list(record._recorded.values()))
    return edge and edge.node.name()


@pytest.mark.parametrize("layers", [INPUT, "stem", ["stem", "right"], [INPUT, "stem"]])
def test_the_head_begins_where_maps_become_a_vector(layers):
    assert head_of(*made(), layers) in ("ViewBackward0", "UnsafeViewBackward0", "ReshapeAliasBackward0")


@pytest.mark.parametrize("layers", ["hidden", ["stem", "hidden"]])
def test_it_ends_above_all_that_is_recorded(layers):
    record = forward(*made(), layers)
    edge = below_head(record._outputs, list(record._recorded.values()))
    assert edge.node._input_metadata[0].shape == [2, 8]  # not the (2, 16) that are flattened further down


def test_a_path_around_it_leaves_none():
    assert head_of(*made(around=True), INPUT) is None


@pytest.mark.parametrize(
    "options", [{}, {"around": True}, {"hook": lambda g: g.pow(3)}, {"hook": lambda g: g.clamp(min=0)}]
)
@pytest.mark.parametrize("layers", [INPUT, "stem", ["stem", "right", "hidden"]])
@pytest.mark.parametrize("count", [2, 5])
@pytest.mark.parametrize("once", [True, False])
def test_in_parts_or_at_once_or_one_by_one_gradients_are_the_same(options, layers, count, once, monkeypatch):
    network, images = made(**options)
    cotangents = torch.randn(count, 2, CLASSES, dtype=torch.float64)
    expected = [forward(network, images, layers).pull_back(one) for one in cotangents]
    activation = forward(network, images, layers).activations
    for together in (1, 3, count):
        monkeypatch.setattr(module, "CHUNK_BYTES", together * max(8 * a.numel() for a in activation.values()))
        gradients = forward(network, images, layers, once=once).pull_back(cotangents)
        for name, gradient in gradients.items():
            torch.testing.assert_close(gradient, torch.stack([one[name] for one in expected]), **EXACT)


@pytest.mark.parametrize("hook", [lambda g: g.pow(3), lambda g: 2 * g, lambda g: g.clamp(min=0)])
def test_nothing_is_cut_where_a_hook_changes_the_gradient(hook):
    assert head_of(*made(hook=hook), INPUT) is None


def test_all_gradients_pass_the_head_together_and_the_layers_below_one_by_one():
    seen = {"classes": 0, "stem": 0}

    class Counting(torch.autograd.Function):
        @staticmethod
        def forward(context, x, place):
            context.place = place
            return x.clone()

        @staticmethod
        def backward(context, gradient):
            seen[context.place] += 1
            return gradient, None

    network, images = made()
    network.classes.register_forward_hook(lambda *a: Counting.apply(a[2], "classes"))
    network.stem.register_forward_hook(lambda *a: Counting.apply(a[2], "stem"))
    forward(network, images, INPUT, once=True).pull_back(torch.randn(5, 2, CLASSES, dtype=torch.float64))
    assert seen == {"classes": 1, "stem": 5}


def test_classes_many_at_a_time_of_a_network_without_linear_layers(monkeypatch):
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, CLASSES, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    ).double()
    images = torch.rand(2, 3, 8, 8, dtype=torch.float64)
    assert head_of(network, images, "0") is None
    units = torch.eye(CLASSES, dtype=torch.float64)[:, None].expand(-1, 2, -1)
    expected = [forward(network, images, "0").pull_back(one)["0"] for one in units]
    monkeypatch.setattr(module, "CHUNK_BYTES", 1)
    torch.testing.assert_close(
        forward(network, images, "0").pull_back(units)["0"], torch.stack(expected), **EXACT
    )
