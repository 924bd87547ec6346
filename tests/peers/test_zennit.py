"""The same maps as zennit's own composites, on networks whose batch norms it merges exactly."""

import pytest
import torch
from torch import nn
from zennit.canonizers import SequentialMergeBatchNorm
from zennit.composites import LayerMapComposite, SpecialFirstLayerMapComposite, layer_map_base
from zennit.core import Stabilizer
from zennit.rules import Epsilon, ZBox, ZPlus
from zennit.torchvision import ResNetCanonizer
from zennit.types import Convolution, Linear

from contrastlib.explainers.propagation import propagation
from contrastlib.explainers.rules import EPSILON
from contrastlib.models import small

EXACT = Stabilizer(1e-12, clip=True)
CANONIZERS = {"birds_alexnet": [], "birds_vgg": [SequentialMergeBatchNorm()], "birds_resnet": [ResNetCanonizer()]}


@pytest.fixture(params=CANONIZERS)
def network(request):
    torch.manual_seed(0)
    network = small.build(request.param, 5).double().eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.normal_(module.bias, std=0.3)
            module.eps = 0.0  # what zennit leaves of a batch norm divides by sqrt(1 + eps)
    network.canonizers = CANONIZERS[request.param]
    return network


@pytest.fixture
def images():
    return torch.rand(2, 3, 48, 48, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def theirs(network, images, composite, start):
    leaf = images.clone().requires_grad_()
    with composite.context(network):
        return torch.autograd.grad(network(leaf), leaf, start)[0]


@pytest.mark.parametrize("biases", [False, True])
@pytest.mark.parametrize("rules", ["z_plus", "epsilon", "z"])
def test_maps(network, images, rules, biases):
    if rules == "z_plus" and isinstance(network, small.SmallResNet):
        pytest.skip("its sums go to positive contributions here, in zennit by the z rule")
    zero = None if biases else "bias"
    start = torch.rand(2, 5, dtype=torch.float64)
    if rules == "z_plus":
        layers = layer_map_base(EXACT) + [(Linear, ZPlus(EXACT, zero))]
        composite = SpecialFirstLayerMapComposite(layers, [(Convolution, ZBox(0.0, 1.0, EXACT))], network.canonizers)
    else:
        stabilizer = Stabilizer(EPSILON, norm_scale=True) if rules == "epsilon" else EXACT
        layers = layer_map_base(stabilizer) + [(Linear, Epsilon(stabilizer, zero))]
        composite = LayerMapComposite(layers, network.canonizers)
    expected = theirs(network, images, composite, start)
    with propagation(network, images, rules, biases=biases, average_pooling="proportional") as propagate:
        maps = propagate(start)
    scale = expected.abs().max()
    torch.testing.assert_close(maps / scale, expected / scale, rtol=0, atol=1e-9)
