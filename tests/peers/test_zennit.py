"""The same maps as zennit's own composites, on networks whose batch norms it merges exactly."""

import copy

import pytest
import torch
import torchvision
from torch import nn
from torchvision.models.googlenet import BasicConv2d
from torchvision.models.mobilenetv2 import InvertedResidual
from torchvision.models.resnet import BasicBlock
from zennit.canonizers import AttributeCanonizer, SequentialMergeBatchNorm
from zennit.composites import LayerMapComposite, SpecialFirstLayerMapComposite, layer_map_base
from zennit.core import Stabilizer
from zennit.layer import Sum
from zennit.rules import Epsilon, Pass, ZBox, ZPlus
from zennit.torchvision import ResNetBasicBlockCanonizer
from zennit.types import Activation, Convolution, Linear

from contrastlib import models
from contrastlib.explainers.lrp import clrp1, clrp2, propagation, sglrp
from contrastlib.explainers.lrp.rules import EPSILON

EXACT = Stabilizer(1e-12, clip=True)
CLASSES = 5


def mobilenet_v2():
    """Scaled so that a part of its ReLU6 reaches 6."""
    network = torchvision.models.mobilenet_v2(num_classes=CLASSES)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.constant_(module.weight, 3.0)
    return network


NETWORKS = {
    "birds_alexnet": lambda: models.build("birds_alexnet", CLASSES),
    "birds_vgg": lambda: models.build("birds_vgg", CLASSES),
    "birds_resnet": lambda: models.build("birds_resnet", CLASSES),
    "squeezenet1_1": lambda: torchvision.models.squeezenet1_1(num_classes=CLASSES),
    "googlenet": lambda: torchvision.models.googlenet(
        num_classes=CLASSES, aux_logits=False, init_weights=False
    ),
    "mobilenet_v2": mobilenet_v2,
    "resnet18": lambda: torchvision.models.resnet18(num_classes=CLASSES),
}


class _OfItsSign(torch.autograd.Function):
    @staticmethod
    def forward(context, pair):
        context.save_for_backward(pair)
        return pair.sum(dim=-1)

    @staticmethod
    def backward(context, relevance):
        (pair,) = context.saved_tensors
        positive = pair.sum(dim=-1, keepdim=True) >= 0
        parts = torch.where(positive, pair.clamp(min=0), pair.clamp(max=0))
        whole = parts.sum(dim=-1, keepdim=True)
        return torch.where(whole == 0, 0, parts / whole) * relevance[..., None]


class SumOfItsSign(nn.Module):
    """A sum of two activations, with relevance for addends of its own sign: zennit's has the z rule alone."""

    def forward(self, pair):
        return _OfItsSign.apply(pair)


def as_modules(total):
    """Canonizer: what torchvision writes as functions becomes modules, which zennit has rules for.

    GoogLeNet's ReLUs are functions, whose gradient stops relevance at units that are 0.

    Args:
        total: class of module that adds two activations, stacked along the last axis.
    """

    def attributes(name, module):
        if isinstance(module, BasicConv2d):
            return {"relu": nn.ReLU(), "forward": lambda x: module.relu(module.bn(module.conv(x)))}
        if isinstance(module, BasicBlock):
            return ResNetBasicBlockCanonizer._attribute_map(name, module) | {"canonizer_sum": total()}
        if isinstance(module, InvertedResidual) and module.use_res_connect:
            return {
                "total": total(),
                "forward": lambda x: module.total(torch.stack([x, module.conv(x)], dim=-1)),
            }
        if isinstance(module, torchvision.models.MobileNetV2):
            pool = nn.AdaptiveAvgPool2d(1)
            return {
                "pool": pool,
                "forward": lambda x: module.classifier(module.pool(module.features(x)).flatten(1)),
            }
        return None

    return AttributeCanonizer(attributes)


@pytest.fixture(scope="module", params=NETWORKS)
def network(request):
    torch.manual_seed(0)
    network = NETWORKS[request.param]().double().eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.normal_(module.bias, std=0.3)
            module.eps = 0.0  # what zennit leaves of a batch norm divides by sqrt(1 + eps)
    return network


@pytest.fixture
def images():
    return torch.rand(2, 3, 48, 48, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def theirs(network, images, composite, start):
    leaf = images.clone().requires_grad_()
    with composite.context(network):
        return torch.autograd.grad(network(leaf), leaf, start)[0]


def z_plus(layers, zero):
    """Their composite with the box rule at the pixels and z+ elsewhere."""
    layers = [*layers, (Linear, ZPlus(EXACT, zero))]
    canonizers = [SequentialMergeBatchNorm(), as_modules(SumOfItsSign)]
    return SpecialFirstLayerMapComposite(layers, [(Convolution, ZBox(0.0, 1.0, EXACT))], canonizers)


def assert_same(maps, expected):
    scale = expected.abs().max()
    assert scale > 0
    torch.testing.assert_close(maps / scale, expected / scale, rtol=0, atol=1e-9)


@pytest.mark.parametrize("biases", [False, True])
@pytest.mark.parametrize("rules", ["z_plus", "epsilon", "z"])
def test_maps(network, images, rules, biases):
    zero = None if biases else "bias"
    start = torch.rand(2, CLASSES, dtype=torch.float64)
    if rules == "z_plus":
        composite = z_plus(layer_map_base(EXACT), zero)
    else:
        stabilizer = Stabilizer(EPSILON, norm_scale=True) if rules == "epsilon" else EXACT
        layers = layer_map_base(stabilizer) + [(Linear, Epsilon(stabilizer, zero))]
        composite = LayerMapComposite(layers, [SequentialMergeBatchNorm(), as_modules(Sum)])
    expected = theirs(network, images, composite, start)
    with propagation(network, images, rules, biases=biases, average_pooling="proportional") as propagate:
        maps = propagate(start)
    assert_same(maps, expected)


# --- contrasts of relevance -------------------------------------------------------------------------


@pytest.fixture
def gu(network, images):
    """``gu(start)``: the map as in Gu et al. 2018, sec. 3.1, biases bypassed, average pooling even.

    ``gu.logits`` with a ``gu.target`` for each image, the first class of one and the second of the other.
    """

    def explain(start, network=network):
        return theirs(network, images, z_plus([(Activation, Pass())], "bias"), start)

    explain.logits = network(images).detach()
    explain.target = explain.logits.topk(2).indices.diagonal()
    explain.chosen = nn.functional.one_hot(explain.target, CLASSES).double()
    # absolute, as the published code has it
    explain.score = (explain.chosen * explain.logits).abs().sum(dim=1, keepdim=True)
    return explain


def test_clrp1(network, images, gu):
    """Sec. 4: max(0, R - R_dual), for the dual the score of the target spread evenly over other classes."""
    dual = gu.score * (1 - gu.chosen) / (CLASSES - 1)
    expected = gu(gu.score * gu.chosen) - gu(dual)
    assert_same(clrp1(network, images, gu.target), expected.clamp(min=0))


def test_clrp2(network, images, gu):
    """Sec. 4: the dual is a network whose last weights are the negative ones."""
    start, negated = gu.score * gu.chosen, copy.deepcopy(network)
    last = [module for module in negated.modules() if isinstance(module, (nn.Linear, nn.Conv2d))][-1]
    last.weight.data.neg_()
    expected = gu(start) - gu(start, negated)
    assert_same(clrp2(network, images, gu.target), expected.clamp(min=0))


def test_sglrp(network, images, gu):
    """Iwana et al. 2019, eq. 8: p_t (1 - p_t) at the target, -p_t p_s at every other class."""
    p = gu.logits.softmax(dim=1)
    of_target = p.gather(1, gu.target[:, None])
    start = of_target * (1 - of_target) * gu.chosen - of_target * p * (1 - gu.chosen)
    assert_same(sglrp(network, images, gu.target), gu(start))
