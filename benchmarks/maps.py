"""What maps cost: those of a layer in forward passes, those of the pixels in backward passes."""

from __future__ import annotations

import pandas as pd
import torch
from torch import Tensor, nn

from benchmarks import peers
from benchmarks.timing import side_by_side
from contrastlib import contrasts, explainers
from contrastlib.forward import INPUT, forward, last_convolution, predict

SCHEMES = ("original", "mean", "maximum", "weighted")
METHODS = tuple(explainers.ACTIVATION_SPACE)
RANKS = 2
MAPS = len(METHODS) * len(SCHEMES) * RANKS


def activation_maps(network: nn.Module, images: Tensor) -> list[Tensor]:
    """3 methods x 4 contrasts x the 2 most probable classes, from one forward and one backward pass."""
    passed = forward(network, images, last_convolution(network), once=True)
    cotangents = all_cotangents(passed.logits)
    return [explainers.METHODS[method](passed, cotangents) for method in METHODS]


def all_cotangents(logits: Tensor) -> Tensor:
    """(contrasts * ranks, B, C)."""
    classes = logits.topk(RANKS, dim=1).indices
    return torch.stack([contrasts.cotangent(name, logits, t) for name in SCHEMES for t in classes.T])


def input_maps(network: nn.Module, images: Tensor) -> Tensor:
    """4 contrasts of the predicted class, back to the pixels."""
    passed = forward(network, images, INPUT, once=True)
    target = passed.logits.argmax(dim=1)
    return explainers.gradient(passed, torch.stack([contrasts.cotangent(c, passed.logits, target) for c in SCHEMES]))


def input_maps_by_hand(network: nn.Module, images: Tensor) -> list[Tensor]:
    """One forward pass and four backward passes to the images and no parameter: the least there is."""
    parameters = [p.requires_grad_(False) for p in network.parameters()]
    leaf = images.clone().requires_grad_()
    logits = network(leaf)
    gradients = [torch.autograd.grad(logits, leaf, torch.ones_like(logits), retain_graph=k < 3)[0] for k in range(4)]
    for parameter in parameters:
        parameter.requires_grad_(True)
    return gradients


def activation_table(network: nn.Module, images: Tensor, repetitions: int) -> pd.DataFrame:
    """Maps of the last convolution, in forward passes of the same batch."""
    layer, target = last_convolution(network), predict(network, images).argmax(dim=1)
    ours, bare = f"contrastlib, {MAPS} maps at once", "a bare forward pass"
    table = side_by_side({
        bare: lambda: predict(network, images),
        ours: lambda: activation_maps(network, images),
        "captum LayerGradCam, one map": lambda: peers.captum_gradcam(network, images, target, layer),
        "pytorch-grad-cam GradCAM, one map": lambda: peers.pytorch_grad_cam(network, images, target, layer),
        "the review's way, one map": lambda: peers.review_gradcam(network, images, target, layer),
    }, bare, repetitions, "maps of a layer")
    many = table["what"] == ours
    for clock in ("wall", "cpu"):  # no peer shares anything between maps
        table[f"{MAPS} maps, {clock}"] = table[clock].where(many, MAPS * table[clock])
        table[f"one map, {clock}"] = table[clock].where(~many, table[clock] / MAPS)
    table.loc[table["what"] == bare, table.columns[3:]] = float("nan")
    return table.drop(columns=["wall", "cpu"]).assign(target=pd.Series(1.15, table.index).where(many))


def input_table(network: nn.Module, images: Tensor, repetitions: int) -> pd.DataFrame:
    """Four contrasts of the pixels, against the same passes by hand."""
    hand = "by hand: 1 forward, 4 backward passes to the images"
    table = side_by_side({
        hand: lambda: input_maps_by_hand(network, images), "contrastlib": lambda: input_maps(network, images),
    }, hand, repetitions, "maps of the pixels")
    return table.assign(target=[None, 1.05])
