"""The same biases and gradients as pytorch-grad-cam's FullGrad, and its map where the scaling agrees."""

import numpy as np
import pytest
import torch
from torch import nn

from contrastlib import contrasts
from contrastlib.autograd import INPUT, forward
from contrastlib.explainers.fullgrad import fullgrad
from contrastlib.explainers.fullgrad_terms import _bias, _sources

peer = pytest.importorskip("pytorch_grad_cam", reason="pip install -r requirements-peers.txt")


def contrast(case):
    """The case's contrast as a function of the logits."""
    return lambda logits: contrasts.cotangent(case.contrast, logits, case.target, **case.options)


def test_biases_and_their_gradients(case):
    """They keep layers with spatial positions: biases of convolutions, effective biases of batch norms."""
    cam = peer.FullGrad(model=case.network, target_layers=[])
    with cam:
        cam(input_tensor=case.images.clone(), targets=case.targets())
        gradients = [gradient.numpy() for gradient in cam.activations_and_grads.gradients]
    source, biased = _sources(case.network)
    record = forward(case.network, case.images, [INPUT, *biased], once=True)
    ours = record.pull_back(contrast(case)(record.logits))
    spatial = [name for name in biased if record.activations[name].ndim == 4]
    assert source == INPUT and len(spatial) == len(cam.bias_data) == len(gradients)
    for name, bias, gradient in zip(spatial, cam.bias_data, gradients):
        ours_of_layer = _bias(biased[name], record.activations[name])
        np.testing.assert_allclose(ours_of_layer.flatten(), bias, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(ours[name], gradient, rtol=1e-9, atol=1e-12)


@pytest.fixture
def images_of_one_channel():
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(1, 1, 3, padding=1), nn.ReLU(), nn.Conv2d(1, 1, 3, padding=1), nn.BatchNorm2d(1),
        nn.Flatten(), nn.Linear(16 * 16, 6),
    )  # fmt: skip
    nn.init.uniform_(network[3].running_mean, 0.5, 1)
    return network.double().eval(), torch.rand(1, 1, 16, 16, dtype=torch.float64)


def test_published_map_of_single_channels(images_of_one_channel):
    """With one channel in each layer, of the images' size, their scaling by channel is ours by layer."""
    network, images = images_of_one_channel
    cam = peer.FullGrad(model=network, target_layers=[])
    target = [lambda logits: logits[3]]
    with cam:
        theirs = cam(input_tensor=images.clone(), targets=target)
    ours = fullgrad(network, images, lambda y: torch.eye(6).to(y)[[3]], "absolute").map
    scaled = (ours - ours.min()) / (ours.max() - ours.min())
    np.testing.assert_allclose(scaled, theirs, atol=1e-5)
