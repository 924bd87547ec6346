"""GradCAM of a Vision Transformer as pytorch-grad-cam makes it, with its own reshape_transform."""

import numpy as np
import pytest

from contrastlib import contrasts
from contrastlib.explainers.vit import vit_forward, vit_gradcam

peer = pytest.importorskip("pytorch_grad_cam", reason="pip install -r requirements-peers.txt")
reshape_transforms = pytest.importorskip("pytorch_grad_cam.utils.reshape_transforms")


@pytest.mark.parametrize("block, layer", [(0, "block"), (1, "block"), (2, "norm")])
def test_gradcam(transformer, images, block, layer, scheme):
    images, (name, options, scores) = images[:2], scheme
    record = vit_forward(transformer, images, once=True)
    maps = vit_gradcam(record, contrasts.cotangent(name, record.logits, **options), f"{layer}.{block}")

    module = transformer.encoder.layers[block]
    module = module.ln_1 if layer == "norm" else module

    def to_places(tokens):
        return reshape_transforms.vit_reshape_transform(tokens, height=4, width=4)

    with peer.GradCAM(transformer, [module], reshape_transform=to_places) as cam:
        cam(input_tensor=images, targets=scores)
        activations, gradients = (kept[0].numpy() for kept in (
            cam.activations_and_grads.activations, cam.activations_and_grads.gradients
        ))  # fmt: skip
        weights = cam.get_cam_weights(images, None, None, activations, gradients)
    expected = (weights[:, :, None, None] * activations).sum(axis=1)
    np.testing.assert_allclose(maps, expected, rtol=1e-9, atol=1e-10)
    assert np.abs(expected).max() > 1e-3
