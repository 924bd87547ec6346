"""The nine networks of Wang & Wang 2022, sec. 5.1, random weights: each explainer runs, or says why not."""

import pytest
import torch
import torchvision
from torch import nn

from contrastlib import contrasts, explainers
from contrastlib.autograd import forward
from contrastlib.explainers.lrp import METHODS as RELEVANCE
from contrastlib.explainers.lrp import clrp1, clrp2, relevance_maps
from contrastlib.models import torchvision_hub
from contrastlib.models.classifier import Classifier

pytestmark = pytest.mark.slow

INPUT, MAPS = (1, 3, 64, 64), (1, 2, 2)  # shapes of maps in the two spaces
NETWORKS = {
    "alexnet": (1, 3, 3), "vgg16": (1, 4, 4), "resnet18": MAPS, "densenet161": MAPS, "googlenet": MAPS,
    "mobilenet_v3_small": MAPS, "mobilenet_v3_large": MAPS, "mnasnet1_0": MAPS, "efficientnet_b1": MAPS,
}  # fmt: skip
GATED = "maps of Classifier are not complete"  # squeeze and excitation multiplies activations
REFUSED = {
    ("mobilenet_v3_small", "fullgrad"): "is a Hardswish: explain this network with",
    ("mobilenet_v3_large", "fullgrad"): "is a Hardswish: explain this network with",
    ("efficientnet_b1", "fullgrad"): "is a SiLU: explain this network with",
    ("mobilenet_v3_small", "deeplift"): GATED,
    ("mobilenet_v3_large", "deeplift"): GATED,
    ("efficientnet_b1", "deeplift"): GATED,
    ("efficientnet_b1", "guided_backpropagation"): "no ReLU ran in Classifier.*use gradient instead",
    ("densenet161", "lrp"): "batch norm 'network.features.denseblock1.denselayer1.norm1' does not follow",
    (
        "mobilenet_v3_small",
        "lrp",
    ): r"no rule for an operation of Classifier \(Hardswish in 'network.features.0.2' \(Hardswish\)\)",
    (
        "mobilenet_v3_large",
        "lrp",
    ): r"no rule for an operation of Classifier \(Hardswish in 'network.features.0.2' \(Hardswish\)\)",
    (
        "efficientnet_b1",
        "lrp",
    ): r"no rule for an operation of Classifier \(Silu in 'network.features.0.2' \(SiLU\)\)",
}
FULLGRAD = {"fullgrad": (1, 64, 64)}


@pytest.fixture(scope="module", params=NETWORKS)
def network(request):
    """A classifier as ``models.load`` gives it, batch norms fitted to images: signals must not die out."""
    torch.manual_seed(0)
    made = torchvision.models.get_model(
        request.param, weights=None, **torchvision_hub.PRETRAINED.get(request.param, {})
    )
    for module in made.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
            nn.init.normal_(module.bias, std=0.3)
    with torch.no_grad():
        made.train()(torch.rand(3, *INPUT[1:]))
    layer = torchvision_hub._layer(torchvision_hub.PREFIX + request.param, made)
    names = map(str, range(1000))
    return Classifier(made, name=request.param, class_names=names, layer=layer, input_size=64, checksum="")


@pytest.fixture(scope="module")
def image():
    return torch.rand(INPUT, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("contrast", ["original", "weighted"])
def test_explainers_of_a_kept_pass(network, image, contrast):
    record = forward(network, image, ["input", network.layer])
    w = contrasts.cotangent(contrast, record.logits, [3])
    for name, method in explainers.select(needs="pass", contrast=True).items():
        of_pixels = method.space == "pixels"
        maps = method.function(record, w, "input" if of_pixels else network.layer)
        assert maps.shape == (INPUT if of_pixels else NETWORKS[network.name]), name
        assert maps.isfinite().all() and maps.any(), name


@pytest.mark.parametrize("contrast", ["original", "weighted"])
@pytest.mark.parametrize("method", explainers.select(needs="network", contrast=True))
def test_explainers_that_run_the_network(network, image, method, contrast):
    options = {"steps": 4} if method == "integrated_gradients" else {}

    def maps():
        found = explainers.EXPLAINERS[method].function(
            network, image, lambda y: contrasts.cotangent(contrast, y, [3]), **options
        )
        return found.map if method == "fullgrad" else found

    refusal = REFUSED.get((network.name, method))
    if refusal:
        with pytest.raises(ValueError, match=refusal):
            maps()
    else:
        found = maps()
        assert found.shape == FULLGRAD.get(method, INPUT)
        assert found.isfinite().all() and found.any()


def test_choices_of_relevance(network, image):
    refusal = REFUSED.get((network.name, "lrp"))
    if refusal:
        with pytest.raises(ValueError, match=refusal):
            relevance_maps(network, image, [3])
        return
    second = network(image).topk(2).indices[:, 1]  # a class whose probability does not underflow
    maps = relevance_maps(network, image, second)
    maps |= {method.__name__: method(network, image, second, signed=True) for method in (clrp1, clrp2)}
    assert maps.keys() == RELEVANCE.keys()
    for name, found in maps.items():
        assert found.shape == INPUT and found.isfinite().all() and found.any(), name


@pytest.mark.parametrize("name, layer", [
    ("vgg16_bn", "features.40"), ("alexnet", "features.10"), ("vgg16", "features.28"), ("vit_b_16", None),
])  # fmt: skip
def test_layer_of_the_published_maps(name, layer):
    with torch.device("meta"):
        network = torchvision.models.get_model(name, weights=None)
    assert torchvision_hub._layer(torchvision_hub.PREFIX + name, network) == (layer and f"network.{layer}")
