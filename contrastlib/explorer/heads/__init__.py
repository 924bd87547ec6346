"""Heads of networks as layers that give the maps of all classes, for networks that run in a browser.

A head is what follows the explained layer. A browser computes no gradients, so the backward pass of the head
is written out as operations of a forward pass. Each head takes the activations a (1, K, h, w) of the layer,
or tokens (1, T, D), and returns the logits and the maps (1, C, h, w) of all classes s, those of the
cotangents e_s.

- :mod:`~contrastlib.explorer.heads.pooled_linear`: EfficientNet-Lite, MobileNet V2, ResNets
- :mod:`~contrastlib.explorer.heads.pooled_scores`: SqueezeNet
- :mod:`~contrastlib.explorer.heads.chain`: small networks of the kind of VGG and AlexNet
- :mod:`~contrastlib.explorer.heads.class_token`: the last block of torchvision's Vision Transformers
- :mod:`~contrastlib.explorer.heads.output`: what all heads return, and how they are read
"""

from __future__ import annotations

from torch import nn

from contrastlib.explorer.heads.chain import MOST, Chain
from contrastlib.explorer.heads.class_token import ClassToken
from contrastlib.explorer.heads.output import Output
from contrastlib.explorer.heads.pooled_linear import PooledLinear
from contrastlib.explorer.heads.pooled_scores import PooledScores
from contrastlib.models import Classifier

__all__ = ["HEADS", "Chain", "ClassToken", "Output", "PooledLinear", "PooledScores", "head_of"]

HEADS = (PooledLinear, PooledScores, Chain)
"""The kinds of heads after a layer of maps, in the order in which they are tried."""


def head_of(classifier: Classifier) -> nn.Module:
    """Return the head of a classifier, at its default layer or, of a Transformer, at its last block.

    Args:
        classifier: The classifier.

    Raises:
        ValueError: No head in ``HEADS`` fits, or the classifier names no layer.

    >>> from contrastlib import models
    >>> head_of(models.load("birds_resnet")).methods
    (('gradcam', 'linear_approximation', 'xgradcam'),)
    """
    transformer = ClassToken.of(classifier)
    if transformer is not None:
        return transformer
    if classifier.layer is None:
        raise ValueError(f"{classifier.name} names no layer with maps: it cannot be exported")
    for kind in HEADS:
        head = kind.of(classifier)
        if head is not None:
            head.reads = head.layer = classifier.layer
            return head
    raise ValueError(
        f"the head of {classifier.name} after {classifier.layer} cannot be exported: it must be global "
        "average pooling and a linear layer, the head of SqueezeNet, a chain of linear layers, ReLUs and "
        f"pools for at most {MOST} classes, or torchvision's Vision Transformer"
    )
