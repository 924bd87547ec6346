"""Cost of maps: those of a layer relative to a forward pass, those of the pixels relative to bare passes."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from functools import partial

import pandas as pd
import torch
from torch import Tensor, nn

import contrastlib
from benchmarks import peers
from benchmarks.networks import torchvision_network
from benchmarks.timing import side_by_side
from contrastlib import contrasts, explainers
from contrastlib.autograd import INPUT, forward, last_convolution, predict
from contrastlib.explainers import vit
from contrastlib.explainers.all_classes import class_maps
from contrastlib.explainers.lrp import lrp

SCHEMES = ("original", "mean", "maximum", "weighted")
METHODS = tuple(explainers.select(space="layer", contrast=True))
RANKS, RELEVANCES = 2, 4
MAPS = len(METHODS) * len(SCHEMES) * RANKS


def activation_maps(network: nn.Module, images: Tensor) -> list[Tensor]:
    """Return maps of 3 methods, 4 contrasts and the 2 most probable classes."""
    record = forward(network, images, last_convolution(network), once=True)
    cotangents = all_cotangents(record.logits)
    return [explainers.EXPLAINERS[method].function(record, cotangents) for method in METHODS]


def all_cotangents(logits: Tensor) -> Tensor:
    """Return the cotangents (contrasts · ranks, B, C) of the most probable classes."""
    classes = logits.topk(RANKS, dim=1).indices
    return torch.stack([contrasts.cotangent(name, logits, t) for name in SCHEMES for t in classes.T])


def input_maps(network: nn.Module, images: Tensor) -> Tensor:
    """Return the gradients of 4 contrasts of the predicted class with respect to the pixels."""
    record = forward(network, images, INPUT, once=True)
    target = record.logits.argmax(dim=1)
    cotangents = torch.stack([contrasts.cotangent(name, record.logits, target) for name in SCHEMES])
    return explainers.gradient(record, cotangents)


def input_maps_by_hand(network: nn.Module, images: Tensor) -> list[Tensor]:
    """Run one forward pass and four backward passes to the images, without gradients of parameters."""
    parameters = [p.requires_grad_(False) for p in network.parameters()]
    leaf = images.clone().requires_grad_()
    logits = network(leaf)
    ones = torch.ones_like(logits)
    gradients = [torch.autograd.grad(logits, leaf, ones, retain_graph=k < 3)[0] for k in range(4)]
    for parameter in parameters:
        parameter.requires_grad_(True)
    return gradients


def activation_table(network: nn.Module, images: Tensor, repetitions: int) -> pd.DataFrame:
    """Measure maps of the last convolution, relative to a forward pass of the same batch."""
    layer, target = last_convolution(network), predict(network, images).argmax(dim=1)
    ours, bare = f"contrastlib, {MAPS} maps at once", "a bare forward pass"
    table = side_by_side(
        {
            bare: lambda: predict(network, images),
            ours: lambda: activation_maps(network, images),
            "captum LayerGradCam, one map": lambda: peers.captum_gradcam(network, images, target, layer),
            "pytorch-grad-cam GradCAM, one map": lambda: peers.pytorch_grad_cam(
                network, images, target, layer
            ),
            "the review's way, one map": lambda: peers.review_gradcam(network, images, target, layer),
        },
        bare,
        repetitions,
        "maps of a layer",
    )
    many = table["what"] == ours
    for clock in ("wall", "cpu"):  # the peers share no computation between maps
        table[f"{MAPS} maps, {clock}"] = table[clock].where(many, MAPS * table[clock])
        table[f"one map, {clock}"] = table[clock].where(~many, table[clock] / MAPS)
    table.loc[table["what"] == bare, table.columns[3:]] = float("nan")
    return table.drop(columns=["wall", "cpu"])


def classes_table(network: nn.Module, images: Tensor, repetitions: int) -> pd.DataFrame:
    """Measure GradCAM of every class: batched backward passes, a loop over classes, and a peer's calls."""
    layer = last_convolution(network)
    record = forward(network, images, layer)
    fresh = copy(record)
    count = record.logits.shape[1]
    units = torch.eye(count)[:, None].expand(-1, len(images), -1)
    hand, peer = f"by hand: a loop over {count} classes", f"captum LayerGradCam, {count} times one class"
    table = side_by_side(
        {
            hand: lambda: [explainers.gradcam(record, unit.clone()) for unit in units],
            # a forward pass caches its latest result; a copy of an unused one has an empty cache
            f"contrastlib, {count} classes in batched pull-backs": lambda: class_maps(
                copy(fresh), explainers.gradcam
            ),
            peer: lambda: peers.captum_gradcam(network, images, torch.zeros(len(images), dtype=int), layer),
        },
        hand,
        repetitions,
        "maps of all classes",
    )
    table.loc[table["what"] == peer, ["wall", "cpu"]] *= count  # its calls share no computation
    return table


def methods_table(network: nn.Module, images: Tensor, repetitions: int) -> pd.DataFrame:
    """Measure a map of each method for convolutional networks, and zennit's LRP, in forward passes."""
    bare, logits = "a bare forward pass", predict(network, images)
    relevance = contrasts.original(logits, logits.argmax(dim=1)) * logits
    made = {
        f"{method}, {contrast}": lambda m=method, c=contrast: contrastlib.explain(
            network, images, method=m, contrast=c
        )
        for method in (*METHODS, *explainers.select(space="pixels", contrast=True))
        for contrast in ("original", "weighted")
    }
    peer = {"zennit: LRP": lambda: peers.zennit_lrp(network, images, relevance)}
    contestants = {bare: lambda: predict(network, images), **made, **peer}
    return side_by_side(contestants, bare, repetitions, "methods")


def relevance_table(network: nn.Module, images: Tensor, repetitions: int) -> pd.DataFrame:
    """Measure an LRP map, relative to a forward pass of the same batch, and the linear operations alone."""
    bare, relevance = "a bare forward pass", _relevances(network, images)[0]
    linear = "by hand: its linear operations alone"
    calls = linear_operations(network, images)
    return side_by_side(
        {
            bare: lambda: predict(network, images),
            "contrastlib": lambda: lrp(network, images, lambda logits: relevance),
            linear: lambda: [call() for call in calls],
        },
        bare,
        repetitions,
        "LRP",
    )


def relevances_table(network: nn.Module, images: Tensor, repetitions: int) -> pd.DataFrame:
    """Measure LRP maps of several relevances together, relative to the map of one."""
    relevances = _relevances(network, images)
    one, several = "an LRP map of one relevance", f"contrastlib, {RELEVANCES} relevances at once"
    return side_by_side(
        {
            one: lambda: lrp(network, images, lambda logits: relevances[0]),
            several: lambda: lrp(network, images, lambda logits: relevances),
        },
        one,
        repetitions,
        "relevances",
    )


def _relevances(network: nn.Module, images: Tensor) -> Tensor:
    """Return relevances (N, B, C) that have no basis of fewer vectors."""
    logits = predict(network, images)
    return torch.rand(RELEVANCES, *logits.shape, generator=torch.Generator().manual_seed(0))


def linear_operations(network: nn.Module, images: Tensor) -> list[Callable[[], Tensor]]:
    """Return the calls of convolutions and matrices that the z+ rule cannot do without.

    For each layer these are the forward operation, that with positive weights, and the transposed one.
    """
    calls: list[Callable[[], Tensor]] = []

    def keep(layer: nn.Module, inputs: tuple, output: Tensor) -> None:
        x, result = inputs[0].clone().requires_grad_(), torch.rand_like(output)
        with torch.enable_grad():
            graph = layer.forward(x)
        forward = partial(torch.no_grad()(layer.forward), x)
        calls.extend([forward, forward, partial(torch.autograd.grad, graph, x, result, retain_graph=True)])

    layers = [layer for layer in network.modules() if isinstance(layer, (nn.Conv2d, nn.Linear))]
    handles = [layer.register_forward_hook(keep) for layer in layers]
    predict(network, images)
    for handle in handles:
        handle.remove()
    return calls


def transformer_table(images: Tensor, repetitions: int) -> pd.DataFrame:
    """Measure GradCAM of all blocks and the rollout, of two contrasts, relative to the bare passes."""
    network = torchvision_network("vit_b_16")

    def by_hand() -> Tensor:
        """Run one forward pass, and a backward pass to the first block for each contrast."""
        record = forward(network, images, "encoder.layers.encoder_layer_0", once=True)
        return record.pull_back(_two_contrasts(record.logits))

    hand = "by hand: a forward pass and two backward passes to the first block"
    ours = "contrastlib, 12 blocks and rollout"
    contestants = {hand: by_hand, ours: lambda: transformer_maps(network, images)}
    return side_by_side(contestants, hand, repetitions, "Transformer")


def transformer_maps(network: nn.Module, images: Tensor) -> tuple[list[Tensor], Tensor]:
    """Return GradCAM of each block of ViT-B/16, and the rollout, of two contrasts."""
    record = vit.vit_forward(network, images, once=True)
    w = _two_contrasts(record.logits)
    gradcam = [vit.vit_gradcam(record, w, f"norm.{block}") for block in range(12)]
    return gradcam, vit.gradient_attention_rollout(record, w)


def _two_contrasts(logits: Tensor) -> Tensor:
    target = logits.argmax(dim=1)
    return torch.stack([contrasts.original(logits, target), contrasts.weighted(logits, target)])


def input_table(network: nn.Module, images: Tensor, repetitions: int) -> pd.DataFrame:
    """Measure four contrasts of the pixels, relative to the same passes by hand."""
    hand = "by hand: 1 forward, 4 backward passes to the images"
    return side_by_side(
        {
            hand: lambda: input_maps_by_hand(network, images),
            "contrastlib": lambda: input_maps(network, images),
        },
        hand,
        repetitions,
        "maps of the pixels",
    )
