"""GradCAM of a Vision Transformer as pytorch-grad-cam makes it, with its own reshape_transform."""

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.models import VisionTransformer

from contrastlib import contrasts
from contrastlib.explainers.vit import vit_forward, vit_gradcam

peer = pytest.importorskip("pytorch_grad_cam", reason="pip install -r requirements-peers.txt")
reshape_transforms = pytest.importorskip("pytorch_grad_cam.utils.reshape_transforms")
TARGET = [4, 0]
SCORES = {
    "original": lambda y, t: y[t],
    "weighted": lambda y, t: y[t] - torch.cat([y[:t], y[t + 1 :]]).logsumexp(dim=0),
    "probability": lambda y, t: y.softmax(dim=0)[t],
}


@pytest.fixture(scope="module")
def transformer():
    torch.manual_seed(0)
    network = VisionTransformer(32, 8, num_layers=3, num_heads=2, hidden_dim=8, mlp_dim=16, num_classes=6)
    for weights in network.parameters():
        nn.init.normal_(weights, std=0.5)
    return network.double().eval()


@pytest.mark.parametrize("contrast", SCORES)
@pytest.mark.parametrize("block, layer", [(0, "block"), (1, "block"), (2, "norm")])
def test_gradcam(transformer, images, block, layer, contrast):
    images = images[:2]
    passed = vit_forward(transformer, images, once=True)
    maps = vit_gradcam(passed, contrasts.cotangent(contrast, passed.logits, TARGET), block, layer=layer)

    module = transformer.encoder.layers[block]
    module = module.ln_1 if layer == "norm" else module
    targets = [lambda row, t=t: SCORES[contrast](row, t) for t in TARGET]

    def to_places(tokens):
        return reshape_transforms.vit_reshape_transform(tokens, height=4, width=4)

    with peer.GradCAM(transformer, [module], reshape_transform=to_places) as cam:
        cam(input_tensor=images, targets=targets)
        activations, gradients = (kept[0].numpy() for kept in (
            cam.activations_and_grads.activations, cam.activations_and_grads.gradients
        ))  # fmt: skip
        weights = cam.get_cam_weights(images, None, None, activations, gradients)
    expected = (weights[:, :, None, None] * activations).sum(axis=1)
    np.testing.assert_allclose(maps, expected, rtol=1e-9, atol=1e-10)
    assert np.abs(expected).max() > 1e-3
