"""The same maps as captum, for every contrast."""

import pytest
import torch

captum = pytest.importorskip("captum.attr", reason="pip install -r requirements-peers.txt")

EXACT = {"rtol": 1e-9, "atol": 1e-10}


def test_gradient(case):
    theirs = captum.Saliency(case.score).attribute(case.images.clone().requires_grad_(), abs=False)
    torch.testing.assert_close(case.explain("gradient"), theirs.sum(dim=1), **EXACT)


def test_input_x_gradient(case):
    theirs = captum.InputXGradient(case.score).attribute(case.images.clone().requires_grad_())
    torch.testing.assert_close(case.explain("input_x_gradient"), theirs.detach().sum(dim=1), **EXACT)


def test_gradcam(case):
    for layer in case.layers:
        peer = captum.LayerGradCam(case.score, case.network.get_submodule(layer))
        theirs = peer.attribute(case.images, relu_attributions=False)
        torch.testing.assert_close(case.explain("gradcam", layer), theirs.detach().squeeze(1), **EXACT)


def test_linear_approximation(case):
    for layer in case.layers:
        peer = captum.LayerGradientXActivation(case.score, case.network.get_submodule(layer))
        theirs = peer.attribute(case.images).detach().sum(dim=1)
        torch.testing.assert_close(case.explain("linear_approximation", layer), theirs, **EXACT)
