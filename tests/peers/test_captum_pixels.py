"""The same maps of the pixels as captum where it runs the network its own way."""

import copy
import warnings

import pytest
import torch
from torch import nn

from contrastlib import contrasts
from contrastlib.explainers.deeplift import deeplift
from contrastlib.explainers.guided_backpropagation import guided_backpropagation
from contrastlib.explainers.integrated_gradients import integrated_gradients

captum = pytest.importorskip("captum.attr", reason="pip install -r requirements-peers.txt")

EXACT = {"rtol": 1e-9, "atol": 1e-10}


def contrast_of(case):
    return lambda y: contrasts.cotangent(case.contrast, y, case.target, **case.options)


class Score(nn.Module):
    """<w, y> of each image, for peers that want a module with one output."""

    def __init__(self, network, weights, separate=False):
        super().__init__()
        self.network, self.weights = copy.deepcopy(network).requires_grad_(False), weights
        for module in self.network.modules():
            if separate and not list(module.children()):
                module.register_forward_pre_hook(lambda _, inputs: tuple(one.clone() for one in inputs))

    def forward(self, images):
        logits = self.network(images)
        return (logits * self.weights.repeat(len(logits) // len(self.weights), 1)).sum(dim=1)


def attributed(peer, images, *args, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says that it sets hooks
        return peer.attribute(images.clone().requires_grad_(), *args, **options).detach()


def fixed_score(case, **options):
    return Score(case.network, contrast_of(case)(case.network(case.images).detach()), **options)


@pytest.mark.parametrize("contrast_at", ["image", "path"])
def test_integrated_gradients(case, contrast_at):
    """Midpoints are their riemann_middle; they integrate the score, or <w, y> with w fixed."""
    steps, start = 2, torch.full_like(case.images, 0.4)
    along = Steps(case) if contrast_at == "path" else fixed_score(case)
    peer = captum.IntegratedGradients(along)
    theirs = attributed(peer, case.images, start, n_steps=steps, method="riemann_middle")
    maps = integrated_gradients(
        case.network, case.images, contrast_of(case), 0.4, steps, contrast_at, batch=4
    )
    torch.testing.assert_close(maps, theirs, **EXACT)


class Steps:
    """The score of images of which there are several steps, one after the other."""

    def __init__(self, case):
        self.case = case

    def __call__(self, images):
        return torch.cat([self.case.score(step) for step in images.split(len(self.case.images))])


def test_guided_backpropagation(case):
    maps = guided_backpropagation(case.network, case.images, contrast_of(case))
    network = copy.deepcopy(case.network)
    for module in network.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False
    case.network = network
    theirs = attributed(captum.GuidedBackprop(fixed_score(case)), case.images)
    torch.testing.assert_close(maps, theirs, **EXACT)
    assert theirs.any()


def test_deeplift(case):
    """Captum wants modules that run once, and is not complete where windows overlap.

    It skips the rule of a maximum right after a ReLU, since both hooks sit on one tensor; a copy between the
    two keeps them apart.
    """
    start = torch.full_like(case.images, 0.4)
    maps = deeplift(case.network, case.images, contrast_of(case), start)
    if "layer4" in case.layers:  # ResNet's ReLUs run twice
        with pytest.raises(RuntimeError, match="used more than once"):
            attributed(captum.DeepLift(fixed_score(case)), case.images, start)
        return
    gap = (attributed(captum.DeepLift(fixed_score(case)), case.images, start) - maps).sum(dim=(1, 2, 3))
    assert gap.abs().max() > 1e-3 * maps.sum(dim=(1, 2, 3)).abs().max()
    if "features.27" in case.layers:  # VGG, whose windows do not overlap
        theirs = attributed(captum.DeepLift(fixed_score(case, separate=True)), case.images, start)
        torch.testing.assert_close(maps, theirs, rtol=1e-9, atol=1e-9 * theirs.abs().max().item())
