"""Finer-CAM and ReST as pytorch-grad-cam has them: the same cotangents, and the same maps."""

import numpy as np
import pytest
import torch
from torch import nn

import contrastlib
from contrastlib.contrasts import finer_cam_coded, rest, similar_foils

peer = pytest.importorskip("pytorch_grad_cam", reason="pip install -r requirements-peers.txt")
targets = pytest.importorskip("pytorch_grad_cam.utils.model_targets")


@pytest.fixture
def logits():
    return 2 * torch.randn(5, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.fixture
def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 8)).double()


def gradient_of(score, row):
    row = row.clone().requires_grad_()
    return torch.autograd.grad(score(row), row)[0]


@pytest.mark.parametrize("strength", [0.6, 1.0])
def test_the_cotangent_of_finer_weighted_target(logits, strength):
    """Up to the 1e-9 that they add to the probability of the foils."""
    foils = similar_foils(logits, 2)
    for row, chosen in zip(logits, foils.tolist()):
        expected = gradient_of(targets.FinerWeightedTarget(2, chosen, strength), row)
        found = finer_cam_coded(row[None], 2, chosen, strength=strength)[0]
        torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-7)


def test_where_the_foils_are_improbable_their_small_number_decides():
    row = torch.tensor([40.0, 4.0, 3.5, 1.0], dtype=torch.float64)
    theirs = gradient_of(targets.FinerWeightedTarget(0, [1, 2, 3], 1.0), row)
    assert -1e-4 < theirs[0] < 0  # and not 1: 1e-9 is more than the probability of the foils
    assert finer_cam_coded(row[None], 0, [1, 2, 3])[0, 0] == 1


def test_the_cotangent_of_rest(logits):
    for row in logits:
        torch.testing.assert_close(rest(row[None], 3)[0], gradient_of(targets.ClassifierOutputReST(3), row))


def test_the_maps_of_finer_cam(network):
    images = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    foils = similar_foils(network(images).detach(), 2)
    theirs = [targets.FinerWeightedTarget(2, row, 1.0) for row in foils.tolist()]
    with peer.GradCAM(model=network, target_layers=[network[1]]) as cam:
        cam(input_tensor=images, targets=theirs)
        activations, gradients = (
            getattr(cam.activations_and_grads, name)[0].numpy() for name in ("activations", "gradients")
        )
    expected = (gradients.mean(axis=(2, 3), keepdims=True) * activations).sum(axis=1)
    found = contrastlib.explain(network, images, 2, contrast="finer_cam_coded", layer="1", upsample=False)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-8)
