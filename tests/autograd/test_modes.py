"""Modules with a ``train`` of their own are left as they were found."""

import pytest
import torch
from torch import nn

import contrastlib
from contrastlib.autograd import predict


class Folding(nn.Linear):
    """A linear layer with an adapter: evaluation mode adds it to the weights, training mode takes it out."""

    folded = False

    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.adapter = nn.Parameter(torch.randn_like(self.weight))

    def train(self, mode=True):
        super().train(mode)
        if mode == self.folded:
            self.weight.data += -self.adapter.data if mode else self.adapter.data
            self.folded = not mode
        return self

    def forward(self, x):
        return (
            super().forward(x)
            if self.folded
            else nn.functional.linear(x, self.weight + self.adapter, self.bias)
        )


class WithFrozenNorms(nn.Module):
    """Keeps its batch norms in evaluation mode."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten())
        self.classes = Folding(144, 5)

    def train(self, mode=True):
        super().train(mode)
        self.body[1].eval()
        return self

    def forward(self, x):
        return self.classes(self.body(x))


def folding():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), Folding(144, 5))


def state(network):
    return (
        [
            (name, module.training, getattr(module, "folded", None))
            for name, module in network.named_modules()
        ],
        {name: value.clone() for name, value in network.state_dict().items()},
    )


@pytest.mark.parametrize("make", [folding, WithFrozenNorms])
@pytest.mark.parametrize("evaluated", [(), ("classes", "3"), ("body", "0")])
@pytest.mark.parametrize("method", ["gradcam", "gradient", "fullgrad", "lrp"])
def test_a_module_with_a_train_of_its_own(make, evaluated, method):
    torch.manual_seed(0)
    network, images = make(), torch.rand(2, 3, 8, 8)
    network.eval()
    expected = contrastlib.explain(network, images, 1, method)
    network.train()
    for name, module in network.named_modules():
        if name in evaluated:
            module.eval()
    modes, values = state(network)
    for _ in range(3):
        given = contrastlib.explain(network, images, 1, method)
        torch.testing.assert_close(given, expected, rtol=1e-4, atol=1e-5)
    modes_after, after = state(network)
    assert modes_after == modes
    assert all(torch.equal(after[name], value) for name, value in values.items())


def test_one_of_several_stays_folded():
    network, images = nn.Sequential(nn.Flatten(), Folding(192, 6), Folding(6, 4)), torch.rand(1, 3, 8, 8)
    network[1].eval()
    modes, values = state(network)
    predict(network, images)
    modes_after, after = state(network)
    assert modes_after == modes and network[1].folded and not network[2].folded
    assert all(torch.equal(after[name], value) for name, value in values.items())


def test_left_as_found_after_an_error():
    network = nn.Sequential(nn.Flatten(), Folding(192, 6))
    modes, values = state(network)
    with pytest.raises(ValueError, match="cannot run on images"):
        predict(network, torch.rand(1, 3, 9, 9))
    modes_after, after = state(network)
    assert modes_after == modes and all(torch.equal(after[name], value) for name, value in values.items())
