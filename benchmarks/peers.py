"""One map, as other packages and the review compute it."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn


def captum_gradcam(network: nn.Module, images: Tensor, target: Tensor, layer: str) -> Tensor:
    """Return the GradCAM maps of captum."""
    from captum.attr import LayerGradCam

    return LayerGradCam(network, network.get_submodule(layer)).attribute(images, target)


def pytorch_grad_cam(network: nn.Module, images: Tensor, target: Tensor, layer: str) -> np.ndarray:
    """Return the GradCAM maps of pytorch-grad-cam."""
    from pytorch_grad_cam import GradCAM
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    with GradCAM(model=network, target_layers=[network.get_submodule(layer)]) as cam:
        return cam(input_tensor=images, targets=[ClassifierOutputTarget(int(t)) for t in target])


def zennit_lrp(network: nn.Module, images: Tensor, relevance: Tensor) -> Tensor:
    """Return the LRP maps of zennit, with z+ and, at the pixels, z^B, both without biases.

    The network must not have batch norms or additions of branches.
    """
    from zennit.composites import SpecialFirstLayerMapComposite
    from zennit.rules import Pass, ZBox, ZPlus
    from zennit.types import Activation, Convolution, Linear

    rules = SpecialFirstLayerMapComposite(
        [(Activation, Pass()), (Linear, ZPlus(zero_params=["bias"]))], [(Convolution, ZBox(0.0, 1.0))]
    )
    leaf = images.clone().requires_grad_()
    with rules.context(network):
        return torch.autograd.grad(network(leaf), leaf, relevance)[0]


def review_gradcam(network: nn.Module, images: Tensor, target: Tensor, layer: str) -> Tensor:
    """Return the weighted maps of the review's code, with a pass for activations and one for gradients."""
    kept = []
    module = network.get_submodule(layer)
    handle = module.register_forward_hook(lambda module, inputs, output: kept.append(output))
    network(images)
    probabilities = network(images).softmax(dim=1)
    handle.remove()
    kept[1].retain_grad()
    probabilities.gather(1, target[:, None]).sum().backward()
    weights = kept[1].grad.mean(dim=(2, 3), keepdim=True)
    network.zero_grad()
    return (weights * kept[0]).sum(dim=1).detach()
