"""Tensors of a forward hook that an in-place operation overwrites, and the maps made of them (errata 4, 15).

A forward hook that keeps the output of a layer keeps a reference. If the next operation works in place, as
the ReLUs of torchvision's networks do, the tensor holds the output of that operation after the pass. Autograd
then counts it as that output, too: the gradient of a logit with respect to it is that after the ReLU.

:func:`contrastlib.autograd.forward_pass.forward` gives the network a copy of what a layer returned and keeps
the original.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass

import pandas as pd
import torch
import torchvision
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from contrastlib.autograd import as_found, forward
from contrastlib.evaluation.precision import cotangent

READINGS = ("copy", "reference", "reference, gradient before the ReLU")
"""Activations of a map, and their gradient: a copy made inside the hook, with the gradient there; the tensor
that the hook kept, with the gradient of that tensor; and the same with the gradient at the copy."""
MAPS = {
    "gradcam": lambda a, g: (g.mean(dim=(-2, -1), keepdim=True) * a).sum(dim=-3),
    "linear_approximation": lambda a, g: (g * a).sum(dim=-3),
}
"""Method -> its map (B, h, w) of activations and gradients (B, K, h, w)."""
TORCHVISION = {
    "vgg16": ("features.28", "features.29"),
    "alexnet": ("features.10", "features.11"),
    "vgg16_bn": ("features.40", "features.42"),
}
"""Network of torchvision -> its last convolution, and the ReLU after it."""


@dataclass(frozen=True, eq=False)
class Hooked:
    """What a forward hook kept of a layer, and what it was when the hook ran.

    Attributes:
        logits: Logits (B, C) with their graph.
        copy: Copy (B, K, h, w) of the output, made inside the hook.
        reference: The output that the hook kept, with its graph, as it is after the pass.
    """

    logits: Tensor
    copy: Tensor
    reference: Tensor


def hooked(model: nn.Module, images: Tensor, layer: str) -> Hooked:
    """Run a network with a forward hook that keeps the output of a layer, as public code of heat maps does.

    Args:
        model: A network that maps images to logits (B, C).
        images: Images (B, K, H, W).
        layer: Name of the layer.

    Returns:
        What the hook kept.

    >>> net = nn.Sequential(nn.Conv2d(1, 2, 1), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(8, 3))
    >>> kept = hooked(net, torch.rand(1, 1, 2, 2), "0")
    >>> torch.equal(kept.reference, kept.copy.relu())
    True
    """
    kept = {}

    def hook(module: nn.Module, inputs: tuple, output: Tensor) -> None:
        kept.update(copy=output.detach().clone(), reference=output)

    with as_found(model):
        handle = model.get_submodule(layer).register_forward_hook(hook)
        try:
            # the graph reaches the layer because the images require a gradient
            logits = model(images.detach().clone().requires_grad_() * 1)
        finally:
            handle.remove()
    return Hooked(logits, kept["copy"], kept["reference"])


def compare(
    model: nn.Module,
    images: Tensor,
    labels: Tensor | None = None,
    layers: Sequence[str] = (),
    contrasts: Sequence[str] = ("original", "weighted"),
    folded: bool = False,
) -> pd.DataFrame:
    """Compare the tensor that a hook keeps, and its maps, with what the layer returned.

    The network is copied, its ReLUs are set to work in place, and all is computed in float64. The maps are
    those of the most probable class.

    Args:
        model: A network with logits (B, C).
        images: Images (B, K, H, W).
        labels: Not used, because the class is the predicted one.
        layers: Names of the hooked layer and of the layer whose output overwrites it, or would do so.
        contrasts: Names for :func:`contrastlib.evaluation.precision.cotangent`.
        folded: Whether batch norms are folded into the convolutions first, see :func:`without_batch_norm`.

    Returns:
        One row for each image, reading (of ``READINGS``), method (of ``MAPS``) and contrast, with

        - negative: share of the map below 0
        - tensor_negative: share of the values of the activations below 0
        - changed: share of the values of the tensor that the pass changed after the hook
        - gap_recorded: largest absolute difference of the copy and the tensor that
          :func:`contrastlib.autograd.forward_pass.forward` records
        - gap_after: largest absolute difference of the map and that of the second of ``layers``, relative to
          the largest absolute value of the latter
        - p_2: second-highest probability of the image
    """
    before, after = layers
    model = with_in_place_relus(model).double()
    model = without_batch_norm(model) if folded else model
    images = images.double()
    kept = hooked(model, images, before)
    record, later_record = forward(model, images, before), forward(model, images, after)
    probabilities, classes = kept.logits.softmax(dim=1).topk(2, dim=1)
    changed = _share(kept.reference != kept.copy)
    gap_recorded = (record.activations[before] - kept.copy).flatten(1).abs().amax(dim=1)
    tables = []
    for contrast in contrasts:
        w = cotangent(contrast, record.logits, classes[:, 0])
        (own,) = torch.autograd.grad(kept.logits, kept.reference, w, retain_graph=True)
        earlier, later = record.pull_back(w)[before], later_record.pull_back(w)[after]
        pairs = ((kept.copy, earlier), (kept.reference.detach(), own), (kept.reference.detach(), earlier))
        for reading, (activations, gradients) in zip(READINGS, pairs):
            for method, map_of in MAPS.items():
                heat, other = map_of(activations, gradients), map_of(later_record.activations[after], later)
                columns = {
                    "negative": _share(heat < 0),
                    "tensor_negative": _share(activations < 0),
                    "changed": changed,
                    "gap_recorded": gap_recorded,
                    "gap_after": _largest(heat - other) / _largest(other),
                    "p_2": probabilities[:, 1],
                }
                table = pd.DataFrame({name: values.numpy(force=True) for name, values in columns.items()})
                tables.append(
                    table.assign(image=range(len(images)), reading=reading, method=method, contrast=contrast)
                )
    return pd.concat(tables, ignore_index=True)


def of_torchvision(images: int = 1, seed: int = 0, size: int = 224) -> pd.DataFrame:
    """:func:`compare` for torchvision's networks of ``TORCHVISION`` with random weights, and random images.

    Args:
        images: Number of images.
        seed: Seed of the weights and images.
        size: Height and width of the images in pixels.

    Returns:
        The table of :func:`compare`, with network (such as "vgg16, random weights") and group (the image).
    """
    tables = []
    for name, layers in TORCHVISION.items():
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = getattr(torchvision.models, name)(weights=None).eval()
            pixels = torch.rand(images, 3, size, size)
        table = compare(model, pixels, layers=layers)
        tables.append(table.assign(network=f"{name}, random weights", group=table["image"]))
    return pd.concat(tables, ignore_index=True)


def with_in_place_relus(model: nn.Module) -> nn.Module:
    """Copy a network and let all activations work in place that can, as torchvision builds its networks.

    >>> with_in_place_relus(nn.Sequential(nn.ReLU()))[0].inplace
    True
    """
    model = deepcopy(model)
    for module in model.modules():
        if hasattr(module, "inplace"):
            module.inplace = True
    return model


def without_batch_norm(model: nn.Module) -> nn.Module:
    """Copy a network in evaluation mode and fold each batch norm into the convolution before it.

    The copy is the same function of the images, and a trained network without batch norm. An identity, which
    returns the tensor that it gets, takes the place of each folded batch norm. So layers keep their names.

    Raises:
        ValueError: No batch norm follows a convolution in a sequence of layers.

    >>> without_batch_norm(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU()).eval())[1]
    Identity()
    """
    model, count = deepcopy(model), 0
    for sequence in [each for each in model.modules() if isinstance(each, nn.Sequential)]:
        for i, (first, second) in enumerate(zip([*sequence], [*sequence][1:])):
            if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
                sequence[i], sequence[i + 1] = fuse_conv_bn_eval(first, second), nn.Identity()
                count += 1
    if not count:
        raise ValueError(f"{type(model).__name__} has no batch norm that follows a convolution in a sequence")
    return model


def _share(where: Tensor) -> Tensor:
    """Share of True in each image."""
    return where.flatten(1).double().mean(dim=1)


def _largest(maps: Tensor) -> Tensor:
    return maps.flatten(1).abs().amax(dim=1)
