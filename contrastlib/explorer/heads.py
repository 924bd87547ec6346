"""Heads of networks as layers that give the maps of all classes, for networks that run in a browser.

A head is what follows the explained layer. A browser computes no gradients, so the backward pass of the head
is written out as operations of a forward pass. Each head takes the activations a (1, K, h, w) of the layer
and returns the logits and the maps (1, C, h, w) of all classes s, those of the cotangents e_s.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from contrastlib.autograd import forward
from contrastlib.models import Classifier

CHUNK = 50
"""Number of classes in one backward pass while a head is read."""
SAME = 1e-5
"""Largest difference, relative to the largest value, of numbers that are treated as equal."""


class Output(NamedTuple):
    """What a head returns."""

    logits: Tensor
    """Logits (1, C)."""
    maps: tuple[Tensor, ...]
    """Maps (1, C, h, w) of all classes, one for each group of methods."""


class PooledLinear(nn.Module):
    """Global average pooling and a linear layer: y_s = sum_k W_sk mean_ij a^k_ij + b_s.

    The gradient of y_s is W_sk / (h w) at every position. So the maps of GradCAM, of the linear approximation
    and of XGradCAM are the same: phi^s = sum_k W_sk a^k / (h w). A map sums to y_s - b_s. Source: Zhou et al.
    2016, "Learning Deep Features for Discriminative Localization", and Selvaraju et al. 2017.

    Args:
        weight: The weights W (C, K).
        bias: The biases b (C,).

    Attributes:
        methods: Names of the methods of each tensor of maps.

    >>> head = PooledLinear(torch.eye(3, 2), torch.ones(3))
    >>> logits, (maps,) = head(torch.ones(1, 2, 4, 4))
    >>> logits, maps.shape
    (tensor([[2., 2., 1.]]), torch.Size([1, 3, 4, 4]))
    """

    methods = (("gradcam", "linear_approximation", "xgradcam"),)

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.register_buffer("weight", weight)
        self.register_buffer("bias", bias)

    def forward(self, activation: Tensor) -> Output:
        """Compute logits and maps from activations (1, K, h, w)."""
        positions = activation.shape[-2] * activation.shape[-1]
        maps = nn.functional.conv2d(activation, self.weight[:, :, None, None]) / positions
        return Output(maps.sum(dim=(2, 3)) + self.bias, (maps,))

    @classmethod
    def of(cls, classifier: Classifier) -> PooledLinear | None:
        """Read the head of a classifier from its gradients.

        The gradients at the default layer, of all logits and for one image, give W. They must be the same at
        all positions. The logits of another image must then follow from its activations.

        Args:
            classifier: The classifier.

        Returns:
            The head, or None if the network has another one.
        """
        side, count = classifier.input_size, len(classifier.class_names)
        images = torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(0))
        record = forward(classifier, images[:1], classifier.layer)
        weights = []
        for units in torch.eye(count).split(CHUNK):
            gradient = record.pull_back(units[:, None])[classifier.layer][:, 0].flatten(2)
            if gradient.shape[2] > 1 and not _same(gradient, gradient[:, :, :1].expand_as(gradient)):
                return None
            weights.append(gradient.double().sum(dim=2))
        weight = torch.cat(weights)
        other = forward(classifier, images[1:], classifier.layer)
        means = [each.activations[classifier.layer].double().mean(dim=(2, 3)) for each in (record, other)]
        bias = record.logits.double()[0] - weight @ means[0][0]
        if not _same(weight @ means[1][0] + bias, other.logits.double()[0]):
            return None
        return cls(weight.float(), bias.float())


def _same(found: Tensor, wanted: Tensor) -> bool:
    return bool((found - wanted).abs().max() <= SAME * wanted.abs().max())


HEADS = (PooledLinear,)
"""The kinds of heads, in the order in which they are tried."""


def head_of(classifier: Classifier) -> nn.Module:
    """Return the head of a classifier, at its default layer.

    Args:
        classifier: The classifier.

    Raises:
        ValueError: No head in ``HEADS`` fits, or the classifier names no layer.

    >>> from contrastlib import models
    >>> head_of(models.load("birds_resnet")).methods
    (('gradcam', 'linear_approximation', 'xgradcam'),)
    """
    if classifier.layer is None:
        raise ValueError(f"{classifier.name} names no layer with maps: it cannot be exported")
    for kind in HEADS:
        head = kind.of(classifier)
        if head is not None:
            return head
    raise ValueError(
        f"the head of {classifier.name} after {classifier.layer} cannot be exported: it must be global "
        "average pooling and a linear layer; name the last layer with spatial positions as its layer"
    )
