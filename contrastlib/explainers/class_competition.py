"""VAR: the map of a class where it exceeds the maps of the other classes."""

from __future__ import annotations

import math
from numbers import Integral, Real

import torch
from torch import Tensor

from contrastlib import contrasts
from contrastlib._choices import check_choice
from contrastlib._logits import checked
from contrastlib.autograd import ForwardPass
from contrastlib.explainers.explainer import RECORDS, register


@register(
    title="VAR",
    about="GradCAM of a class, where it exceeds the GradCAM maps of other classes.",
    space="layer",
    needs="pass",
    linear=False,
    contrast=False,
    formula=r"\phi^t m^t \text{ where } m^t > \tfrac{1}{K+1} + \tau, \;"
    r" m = \mathrm{softmax}_s\big(10\, \lvert\phi^s\rvert\big)",
    paper="walter2026",
    equation="scaled by the largest value",
    cost="1 forward, 1 backward to the layer",
)
def class_competition(
    record: ForwardPass,
    target: contrasts.Classes,
    layer: str | None = None,
    method_of_classes: str = "gradcam",
    count: int = 5,
    threshold: float = 0.05,
    temperature: float = 0.1,
) -> Tensor:
    """VAR: the map of a class, times its share of the maps of all classes, where the share is large.

    At each position m^t = softmax_s(abs(phi^s) / temperature)_t, over the maps phi^s of K + 1 classes: the
    target class, the K - 1 most probable others and the least probable one. The map is phi^t * m^t where
    m^t - 1/(K + 1) is above the threshold, and 0 elsewhere. The maps of an image are first divided by their
    largest absolute value, so that the unit of the logits does not matter; this is our reading. The result is
    no linear function of a cotangent, so VAR is no contrast. Source: Walter et al. 2026.

    Args:
        record: A forward pass that recorded the layer.
        target: Target class, or one target class for each image.
        layer: The name of the layer to explain. If None, it is the only recorded layer.
        method_of_classes: The explainer of a layer that makes the maps of the classes.
        count: The number K. If there are fewer than K + 1 classes, all of them compete.
        threshold: The smallest excess of the share over 1/(K + 1), 0.01 to 0.1 in the paper.
        temperature: The temperature of the softmax.

    Returns:
        Class activation maps (B, h, w), in the unit of a logit.

    Raises:
        TypeError: The target classes are not integers, or an option is no number.
        ValueError: The method is unknown, ``count`` is below 1, the threshold is not in [0, 1), the
            temperature is not above 0, or the explainer raises it.
        IndexError: A target is not a class.

    >>> from contrastlib.autograd import forward
    >>> net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Flatten(), torch.nn.Linear(144, 9))
    >>> class_competition(forward(net, torch.rand(2, 3, 8, 8), "0"), 2).shape
    torch.Size([2, 6, 6])
    """
    known = [name for name, each in RECORDS.items() if each.space == "layer" and each.contrast]
    check_choice("method of the classes", method_of_classes, known)
    for name, value, kind in (
        ("count", count, Integral),
        ("threshold", threshold, Real),
        ("temperature", temperature, Real),
    ):
        if not isinstance(value, kind) or isinstance(value, bool):
            what = "a whole number" if kind is Integral else "a number"
            raise TypeError(f"{name} must be {what}, got {value!r}")
    if count < 1:
        raise ValueError(f"count is {count}: at least one class competes with the least probable one")
    if not 0 <= threshold < 1:
        raise ValueError(f"threshold is {threshold}: it is the excess of a share, in [0, 1)")
    if not (temperature > 0 and math.isfinite(temperature)):
        raise ValueError(f"temperature is {temperature}: choose a number above 0, such as 0.1")
    classes = _competitors(*checked(record.logits, target)[:2], count)
    cotangents = torch.stack([contrasts.original(record.logits, each) for each in classes.T])
    maps = RECORDS[method_of_classes].function(record, cotangents, layer)
    largest = maps.abs().amax(dim=(0, -2, -1), keepdim=True)
    shares = (maps.abs() / largest.where(largest > 0, 1) / temperature).softmax(dim=0)
    own, share = maps[0], shares[0]
    return torch.where(share - 1 / len(maps) > threshold, own * share, 0)


def _competitors(logits: Tensor, target: Tensor, count: int) -> Tensor:
    """The target class, the most probable others and the least probable one, (B, count + 1)."""
    others = logits.scatter(1, target[:, None], torch.inf).argsort(dim=1, descending=True, stable=True)
    return torch.cat([others[:, : min(count, others.shape[1] - 1)], others[:, -1:]], dim=1)
