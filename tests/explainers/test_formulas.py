"""Each explainer against its formula written with plain loops over channels."""

import pytest
import torch
from torch import nn

from contrastlib import contrasts
from contrastlib.autograd import forward
from contrastlib.explainers import (
    gradcam,
    gradient,
    input_x_gradient,
    linear_approximation,
    select,
    xgradcam,
)

EXACT = {"rtol": 1e-10, "atol": 1e-10}


@pytest.fixture
def recorded(network, images):
    """A forward pass at a layer with signed activations, a cotangent, and what autograd says there."""
    record = forward(network, images, network.layers[0])
    weights = contrasts.weighted(record.logits, torch.tensor([1, 2, 3]))
    activation = record.activations[network.layers[0]]
    assert activation.min() < 0 < activation.max()
    return record, weights, activation, record.pull_back(weights)[network.layers[0]]


def per_image_and_channel(activation, slope, weight):
    """sum_k weight(a^k, slope^k) a^k, for one image after the other."""
    maps = [sum(weight(a, s) * a for a, s in zip(*one)) for one in zip(activation, slope)]
    return torch.stack(maps)


def test_gradcam_is_the_mean_slope_times_the_activation(recorded):
    record, weights, activation, slope = recorded
    expected = per_image_and_channel(activation, slope, lambda a, s: s.mean())
    torch.testing.assert_close(gradcam(record, weights), expected, **EXACT)
    assert expected.min() < 0  # no ReLU


def test_linear_approximation_is_the_slope_times_the_activation(recorded):
    record, weights, activation, slope = recorded
    expected = per_image_and_channel(activation, slope, lambda a, s: s)
    torch.testing.assert_close(linear_approximation(record, weights), expected, **EXACT)


def test_xgradcam_weights_slopes_by_the_share_of_the_activation(recorded):
    record, weights, activation, slope = recorded
    absolute = per_image_and_channel(activation, slope, lambda a, s: (s * a).sum() / a.abs().sum())
    published = per_image_and_channel(activation, slope, lambda a, s: (s * a).sum() / a.sum())
    torch.testing.assert_close(xgradcam(record, weights), absolute, **EXACT)
    torch.testing.assert_close(xgradcam(record, weights, normaliser="sum"), published, **EXACT)
    assert not torch.allclose(absolute, published)


def test_the_normalisers_of_xgradcam_agree_after_a_relu(images):
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(128, 5)
    )
    record = forward(network.double(), images, "1")
    weights = contrasts.weighted(record.logits, 0)
    torch.testing.assert_close(
        xgradcam(record, weights), xgradcam(record, weights, normaliser="sum"), **EXACT
    )


def test_a_channel_without_activation_adds_nothing_to_xgradcam(images):
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(128, 5)
    )
    network = network.double()
    with torch.no_grad():
        network[0].weight[3], network[0].bias[3] = 0, -1
    record = forward(network, images, "1")
    for normaliser in ("absolute", "sum"):
        maps = xgradcam(record, contrasts.weighted(record.logits, 0), normaliser=normaliser)
        assert maps.isfinite().all() and maps.any()


def test_input_space(network, images):
    record = forward(network, images)
    weights = contrasts.mean(record.logits, 2)
    slope = record.pull_back(weights)["input"]
    assert torch.equal(gradient(record, weights), slope)
    assert torch.equal(input_x_gradient(record, weights), slope * images)


def test_maps_before_global_pooling_add_up_to_the_logit(images):
    """With a linear layer on pooled activations (CAM), the map adds up to the logit without its bias."""
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5, bias=False)
    )
    record = forward(network.double(), images, "0")
    for method in (gradcam, linear_approximation):
        maps = method(record, contrasts.original(record.logits, 3))
        torch.testing.assert_close(maps.sum(dim=(1, 2)), record.logits[:, 3], **EXACT)


def test_of_several_recorded_layers_one_is_named(network, images):
    first, second = network.layers[:2]
    both = forward(network, images, [first, second])
    weights = contrasts.maximum(both.logits, 0)
    for method in [explainer.function for explainer in select(space="layer", contrast=True).values()]:
        alone = method(forward(network, images, second), weights)
        torch.testing.assert_close(method(both, weights, layer=second), alone, **EXACT)
        with pytest.raises(ValueError, match="not recorded"):
            method(both, weights)


def test_activation_maps_need_places(network, images):
    flat = next(name for name, module in network.named_modules() if isinstance(module, nn.Linear))
    record = forward(network, images, flat)
    for method in [explainer.function for explainer in select(space="layer", contrast=True).values()]:
        with pytest.raises(ValueError, match=r"not \(B, K, h, w\)"):
            method(record, contrasts.weighted(record.logits, 0))


def test_an_unknown_normaliser(recorded):
    with pytest.raises(ValueError, match="unknown normaliser 'abs'; choose one of absolute, sum"):
        xgradcam(recorded[0], recorded[1], normaliser="abs")
