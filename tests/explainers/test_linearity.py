"""Why one backward pass is enough: every explainer is linear in its cotangent, on every kind of network."""

import pytest
import torch
from torch import nn

import contrastlib
from contrastlib import contrasts
from contrastlib.autograd import INPUT, forward
from contrastlib.contrasts import CONTRASTS, cotangent
from contrastlib.explainers import EXPLAINERS, select, upsample, xgradcam

EXACT = {"rtol": 1e-10, "atol": 1e-10}
TARGET = torch.tensor([4, 0, 2])
FOILS = {"among": [1, 3]}
OF_ONE_CLASS = [name for name, each in CONTRASTS.items() if each.is_of_one_class]


def weights_of(name, logits, target=TARGET):
    """The contrast of that name; "among" has two foils."""
    return cotangent(name, logits, target, FOILS.get(name))


def passes(network, images):
    """A forward pass for each layer of a network, with the explainers that go with it."""
    for layer in [INPUT, *network.layers]:
        fitting = (
            select(needs="pass", space="pixels") if layer == INPUT else select(needs="pass", contrast=True)
        )
        yield forward(network, images, layer), [record.function for record in fitting.values()]


def assert_linear(network, images):
    target = TARGET[: len(images)]
    for record, methods in passes(network, images):
        units = torch.eye(record.logits.shape[1], dtype=torch.float64)[:, None].expand(-1, len(images), -1)
        per_class = [method(record, units) for method in methods]
        for name in OF_ONE_CLASS:
            weights = weights_of(name, record.logits, target)
            for method, maps in zip(methods, per_class):
                expected = torch.einsum("bc,cb...->b...", weights, maps)
                assert expected.abs().max() > 1e-10  # zero would show nothing
                torch.testing.assert_close(method(record, weights), expected, **EXACT)


def test_the_contrast_of_maps_is_the_map_of_the_contrast(network, images):
    assert_linear(network, images)


@pytest.mark.slow
@pytest.mark.filterwarnings("error")
def test_the_contrast_of_maps_is_the_map_of_the_contrast_in_torchvision_networks(torchvision_network, images):
    assert_linear(torchvision_network, nn.functional.interpolate(images[:2], 64, mode="bilinear"))


def test_the_published_normaliser_is_linear_too(network, images):
    units = torch.eye(6, dtype=torch.float64)[:, None].expand(-1, 3, -1)
    for layer in network.layers:
        record = forward(network, images, layer)
        per_class = xgradcam(record, units, normaliser="sum")
        weights = contrasts.weighted(record.logits, TARGET)
        expected = torch.einsum("bc,cb...->b...", weights, per_class)
        torch.testing.assert_close(
            xgradcam(record, weights, normaliser="sum"), expected, rtol=1e-9, atol=1e-9
        )


def test_many_cotangents_at_once_are_one_by_one(network, images):
    for record, methods in passes(network, images):
        many = torch.stack([weights_of(name, record.logits) for name in OF_ONE_CLASS])
        for method in methods:
            torch.testing.assert_close(
                method(record, many), torch.stack([method(record, w) for w in many]), **EXACT
            )


@pytest.mark.parametrize("method", select(needs="pass", contrast=True))
def test_maps_of_the_top_two_classes_are_negatives_under_maximum(network, images, method):
    first, second = network(images).topk(2, dim=1).indices.T
    layer = None if EXPLAINERS[method].space == "pixels" else network.layers[0]
    one = contrastlib.explain(network, images, first, method, "maximum", layer)
    two = contrastlib.explain(network, images, second, method, "maximum", layer)
    torch.testing.assert_close(one, -two, **EXACT)


def test_weighted_maps_are_gradients_of_the_log_odds(network, images):
    leaf = images.clone().requires_grad_()
    logits = network(leaf)
    rivals = logits.scatter(1, TARGET[:, None], -torch.inf)
    score = logits.gather(1, TARGET[:, None]).squeeze(1) - rivals.logsumexp(dim=1)
    expected = torch.autograd.grad(score.sum(), leaf)[0].sum(dim=1)
    torch.testing.assert_close(contrastlib.explain(network, images, TARGET, "gradient"), expected, **EXACT)


def test_probability_maps_are_gradients_of_the_softmax(network, images):
    leaf = images.clone().requires_grad_()
    score = network(leaf).softmax(dim=1).gather(1, TARGET[:, None])
    expected = torch.autograd.grad(score.sum(), leaf)[0].sum(dim=1)
    maps = contrastlib.explain(network, images, TARGET, "gradient", "probability")
    torch.testing.assert_close(maps, expected, **EXACT)


# --- the sanity check of section 3.1 ---------------------------------------------------------------


def linear_classifier(shift=None):
    """y^s = sum_i w_i^s x_i + b^s; with a shift, w_i^s += shift_i for all s."""
    torch.manual_seed(3)
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 5)).double()
    if shift is not None:
        with torch.no_grad():
            network[1].weight += shift
    return network


@pytest.mark.parametrize("method", select(needs="pass", space="pixels"))
@pytest.mark.parametrize("contrast", [name for name in OF_ONE_CLASS if CONTRASTS[name].sums_to_zero])
def test_what_all_classes_share_does_not_enter_a_contrast(images, method, contrast):
    images = images[..., :8, :8]
    shift = torch.randn(3 * 8 * 8, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    foils = FOILS.get(contrast)
    before, after = (
        contrastlib.explain(linear_classifier(s), images, TARGET, method, contrast, foils=foils)
        for s in (None, shift)
    )
    torch.testing.assert_close(after, before, **EXACT)


def test_what_all_classes_share_does_enter_the_original(images):
    images = images[..., :8, :8]
    shift = torch.ones(3 * 8 * 8, dtype=torch.float64)
    maps = [
        contrastlib.explain(linear_classifier(s), images, TARGET, "input_x_gradient", "original")
        for s in (None, shift)
    ]
    torch.testing.assert_close(maps[1] - maps[0], images.sum(dim=1), **EXACT)


def test_input_x_gradient_of_a_linear_classifier_adds_up_to_the_contrast_of_its_logits(images):
    images, network = images[..., :8, :8], linear_classifier()
    with torch.no_grad():
        network[1].bias.zero_()
    logits = network(images).detach()
    for contrast in OF_ONE_CLASS:
        maps = contrastlib.explain(
            network, images, TARGET, "input_x_gradient", contrast, foils=FOILS.get(contrast)
        )
        expected = (weights_of(contrast, logits) * logits).sum(dim=1)
        torch.testing.assert_close(maps.sum(dim=(1, 2)), expected, **EXACT)


# --- two classes ----------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["gradient", *select(space="layer", contrast=True)])
def test_with_two_classes_all_contrasts_agree(images, method):
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(True), nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(64, 2)
    )
    network = network.double()
    maps = [
        contrastlib.explain(network, images, [0, 1, 1], method, c) for c in ("mean", "maximum", "weighted")
    ]
    torch.testing.assert_close(maps[1], maps[0], **EXACT)
    torch.testing.assert_close(maps[2], maps[0], **EXACT)


# --- large margins ---------------------------------------------------------------------------------


@pytest.mark.parametrize("margin", [20.0, 200.0])
def test_confident_networks_get_the_right_direction_in_float32(images, margin):
    """The map of the log-odds keeps its direction where the one through a float32 softmax loses it."""
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(128, 5)
    )
    with torch.no_grad():
        network[4].bias.copy_(torch.tensor([margin, 0, 0, 0, 0]))
    exact = contrastlib.explain(network.double(), images, 0, "gradient").flatten(1)
    network, images = network.float(), images.float()
    maps = contrastlib.explain(network, images, 0, "gradient").double().flatten(1)
    assert torch.cosine_similarity(maps, exact).min() > 1 - 1e-6
    leaf = images.clone().requires_grad_()
    through_softmax = torch.autograd.grad(network(leaf).softmax(dim=1)[:, 0].sum(), leaf)[0].sum(dim=1)
    assert torch.cosine_similarity(through_softmax.double().flatten(1), exact).max() < 0.9


# --- upsampling ------------------------------------------------------------------------------------


def test_upsampling_keeps_leading_dimensions_and_constants():
    maps = torch.randn(2, 3, 4, 5, 6)
    full = upsample(maps, (20, 30))
    assert full.shape == (2, 3, 4, 20, 30)
    torch.testing.assert_close(full[1, 2], upsample(maps[1, 2], (20, 30)))
    torch.testing.assert_close(upsample(torch.full((1, 7, 7), 0.3), (50, 50)), torch.full((1, 50, 50), 0.3))


def test_upsampling_corners():
    maps = torch.arange(4.0).view(1, 2, 2)
    aligned = upsample(maps, (5, 5), align_corners=True)
    torch.testing.assert_close(aligned[0, 0], torch.linspace(0, 1, 5))
    assert upsample(maps, (4, 4))[0, 0].tolist() == pytest.approx([0, 0.25, 0.75, 1])
