"""The maps of the review's code, from its formulas: VGG-16-BN at features[40], gradients through softmax.

Eriksson et al. 2025, as their public code computes it; that of Wang & Wang 2022 takes the mean
over channels where the paper has a sum.
"""

import pytest
import torch
import torchvision
from torch import nn

from contrastlib import contrasts
from contrastlib.autograd import forward
from contrastlib.explainers import gradcam, linear_approximation, upsample, xgradcam

LAYER = 40  # the last convolution, before its batch norm and ReLU
EXACT = {"rtol": 1e-9, "atol": 1e-12}


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    network = torchvision.models.vgg16_bn(init_weights=False)
    network.classifier = nn.Linear(512 * 49, 10)
    return network.double().eval()


@pytest.fixture(scope="module")
def review(network):
    """Their way: activations and gradients at the layer, for logits and for the softmax of the top two."""
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    activation = network.features[: LAYER + 1](images).detach().requires_grad_()
    logits = network.classifier(network.avgpool(network.features[LAYER + 1 :](activation.clone())).flatten(1))
    classes = logits.topk(2, dim=1).indices
    rows = torch.arange(2)
    slopes = {}
    for rank in (0, 1):
        for name, output in (("logit", logits), ("softmax", logits.softmax(dim=1))):
            score = output[rows, classes[:, rank]].sum()
            slopes[name, rank] = torch.autograd.grad(score, activation, retain_graph=True)[0]
    record = forward(network, images, f"features.{LAYER}")
    return record, classes, activation.detach(), slopes


def their_gradcam(a, slope):
    return (slope.mean(dim=(2, 3), keepdim=True) * a).sum(dim=1)


def their_linear_approximation(a, slope):
    return (slope * a).sum(dim=1)


def their_xgradcam(a, slope):
    weights = (slope * a).sum(dim=(2, 3)) / a.abs().sum(dim=(2, 3))
    return (weights[:, :, None, None] * a).sum(dim=1)


METHODS = [
    (gradcam, their_gradcam),
    (linear_approximation, their_linear_approximation),
    (xgradcam, their_xgradcam),
]


@pytest.mark.parametrize("ours, theirs", METHODS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("rank", [0, 1])
def test_original_maps(review, ours, theirs, rank):
    record, classes, activation, slopes = review
    maps = ours(record, contrasts.original(record.logits, classes[:, rank]))
    torch.testing.assert_close(maps, theirs(activation, slopes["logit", rank]), **EXACT)


@pytest.mark.parametrize("ours, theirs", METHODS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("rank", [0, 1])
def test_their_weighted_map_is_ours_times_the_variance(review, ours, theirs, rank):
    """They back-propagate from p_t: the same direction, and exactly the probability contrast."""
    record, classes, activation, slopes = review
    target = classes[:, rank]
    their_maps = theirs(activation, slopes["softmax", rank])
    torch.testing.assert_close(
        ours(record, contrasts.probability(record.logits, target)), their_maps, **EXACT
    )
    maps = ours(record, contrasts.weighted(record.logits, target))
    cosine = torch.cosine_similarity(maps.flatten(1), their_maps.flatten(1))
    torch.testing.assert_close(cosine, torch.ones(2, dtype=torch.float64), rtol=0, atol=1e-12)
    p = record.logits.softmax(dim=1).gather(1, target[:, None])[:, :, None]
    torch.testing.assert_close(p * (1 - p) * maps, their_maps, **EXACT)


def test_the_mean_over_channels_of_the_original_code_is_a_constant_factor(review):
    record, classes, activation, slopes = review
    mean_of_channels = (slopes["logit", 0] * activation).mean(dim=1)
    maps = linear_approximation(record, contrasts.original(record.logits, classes[:, 0]))
    torch.testing.assert_close(maps / 512, mean_of_channels, **EXACT)


def test_their_upsampling(review):
    record, classes, activation, slopes = review
    maps = their_gradcam(activation, slopes["logit", 0])
    theirs = nn.functional.interpolate(maps[:, None], size=(64, 64), mode="bilinear", align_corners=True)[
        :, 0
    ]
    ours = upsample(
        gradcam(record, contrasts.original(record.logits, classes[:, 0])), (64, 64), align_corners=True
    )
    torch.testing.assert_close(ours, theirs, **EXACT)


def test_the_layer_is_before_the_relu(review):
    """Which is why the absolute value in their XGradCAM matters."""
    record, classes, _, _ = review
    assert record.activations[f"features.{LAYER}"].min() < 0
    weights = contrasts.original(record.logits, classes[:, 0])
    assert not torch.allclose(xgradcam(record, weights), xgradcam(record, weights, normaliser="sum"))
