"""The same maps as pytorch-grad-cam, before its ReLU and its scaling, for every contrast."""

import numpy as np
import pytest

from contrastlib import contrasts
from contrastlib.autograd import forward
from contrastlib.explainers import xgradcam

peer = pytest.importorskip("pytorch_grad_cam", reason="pip install -r requirements-peers.txt")
AFTER_RELU = {"features.12", "features.27", "layer4"}


@pytest.fixture
def theirs(case):
    """``theirs(kind, layer)``: the map of one of their methods, all from one forward and backward pass."""
    modules = [case.network.get_submodule(layer) for layer in case.layers]
    with peer.GradCAM(model=case.network, target_layers=modules) as cam:
        cam(input_tensor=case.images, targets=case.targets())
        recorded = cam.activations_and_grads
        activations = {layer: a.numpy() for layer, a in zip(case.layers, recorded.activations)}
        gradients = {layer: g.numpy() for layer, g in zip(case.layers, recorded.gradients)}

    def map_of(kind, layer):
        weights = kind.get_cam_weights(cam, case.images, None, None, activations[layer], gradients[layer])
        return (weights[:, :, None, None] * activations[layer]).sum(axis=1)

    return map_of


def test_gradcam_and_xgradcam(case, theirs):
    for layer in case.layers:
        expected = theirs(peer.GradCAM, layer)
        np.testing.assert_allclose(case.explain("gradcam", layer), expected, rtol=1e-9, atol=1e-10)

        expected = theirs(peer.XGradCAM, layer)
        tolerance = {"rtol": 1e-4, "atol": 1e-4 * np.abs(expected).max()}  # they add 1e-7 to the normaliser
        record = forward(case.network, case.images, layer)
        weights = contrasts.cotangent(case.contrast, record.logits, case.target, **case.options)
        np.testing.assert_allclose(xgradcam(record, weights, normaliser="sum"), expected, **tolerance)
        if layer in AFTER_RELU:  # there the absolute normaliser is the same
            np.testing.assert_allclose(case.explain("xgradcam", layer), expected, **tolerance)
