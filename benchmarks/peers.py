"""One map, the way others make it."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def captum_gradcam(network: nn.Module, images: Tensor, target: Tensor, layer: str) -> Tensor:
    from captum.attr import LayerGradCam

    return LayerGradCam(network, network.get_submodule(layer)).attribute(images, target)


def pytorch_grad_cam(network: nn.Module, images: Tensor, target: Tensor, layer: str):
    from pytorch_grad_cam import GradCAM
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    with GradCAM(model=network, target_layers=[network.get_submodule(layer)]) as cam:
        return cam(input_tensor=images, targets=[ClassifierOutputTarget(int(t)) for t in target])


def zennit_lrp(network: nn.Module, images: Tensor, relevance: Tensor) -> Tensor:
    """z+ and, at the pixels, z^B, biases bypassed; for a network that has no batch norms and adds nothing up."""
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
    """Weighted map as in the review's code: one pass for the activations, one for the gradient of the softmax."""
    kept = []
    handle = network.get_submodule(layer).register_forward_hook(lambda module, inputs, output: kept.append(output))
    network(images)
    probabilities = network(images).softmax(dim=1)
    handle.remove()
    kept[1].retain_grad()
    probabilities.gather(1, target[:, None]).sum().backward()
    weights = kept[1].grad.mean(dim=(2, 3), keepdim=True)
    network.zero_grad()
    return (weights * kept[0]).sum(dim=1).detach()
