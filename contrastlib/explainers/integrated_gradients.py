"""Integrated gradients: the network is run at points of a path to the image (Sundararajan et al. 2017)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from contrastlib.autograd import check_images, forward, predict
from contrastlib.contrasts import ContrastFn
from contrastlib.explainers._arguments import Baseline, as_baseline, cotangent_of
from contrastlib.explainers.explainer import register


@register(
    title="Integrated Gradients",
    about="The mean gradient along a path from a baseline to the image, times their difference.",
    space="pixels", needs="network", linear=True,
    formula=r"(x - x_0) \int_0^1 g(x_0 + \lambda (x - x_0))\, d\lambda",
    paper="sundararajan2017", equation="eq. 1", cost="1 forward; 1 forward and 1 backward for each of the steps",
)
def integrated_gradients(
    model: nn.Module, images: Tensor, contrast_fn: ContrastFn, baseline: Baseline | None = None, steps: int = 128,
    contrast_at: str = "image", batch: int = 16,
) -> Tensor:
    """phi(x) = (x - x0) * int_0^1 grad <w, y>(x0 + a (x - x0)) da, element by element.

    Sundararajan et al. 2017, eq. 1, in two readings of Wang & Wang 2022, sec. 4:

    ===========  ======================  ===================================  ===========================
    contrast_at  w at the point x_a      what it is                           sums to
    ===========  ======================  ===================================  ===========================
    "image"      w(y(x)), the image's    sum_s w_s IG of the logit y_s: the   <w, y(x) - y(x0)>
                                         contrast of the maps of all classes
    "path"       w(y(x_a)), its own      IG of the score whose gradient w is  score(x) - score(x0)
    ===========  ======================  ===================================  ===========================

    Along the path ``weighted`` gives the IG of the log-odds and ``probability`` that of p_t, while
    at the image both give the same map up to the factor p_t (1 - p_t). The readings agree where w does
    not depend on the logits (``original``, ``mean``). Both are complete: maps sum to the difference
    named above, up to the error of the midpoint rule, which falls with ``steps``.

    Args:
        model: maps images to logits (B, C).
        images: x, (B, channels, H, W), floating point.
        contrast_fn: logits (B, C) -> cotangent (B, C) or (K, B, C), such as
            ``lambda y: contrasts.weighted(y, target)``. It always gets the logits of the B images in
            their order, so a target for each image is right: once for the images themselves, or once
            for each step of the path.
        baseline: x0, where the path starts: a number, a colour (one value per channel) or a tensor that
            broadcasts to the images; 0 when None, which is black for images in [0, 1].
        steps: points of the path.
        contrast_at: "image" or "path", where the contrast is taken.
        batch: points that go through the network together, over all images; at least one step of all
            images does. Sets the memory, not the result.

    Returns:
        (B, channels, H, W), or with K in front, in the unit of the score.

    Raises:
        TypeError, ValueError: images, logits or a baseline that do not fit, steps or batch below 1,
            unknown ``contrast_at``.

    >>> from contrastlib.contrasts import probability
    >>> _ = torch.manual_seed(0)
    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(144, 5))
    >>> x = torch.rand(2, 3, 8, 8)
    >>> maps = integrated_gradients(net, x, lambda y: probability(y, [1, 4]), contrast_at="path")
    >>> p, p0 = net(x).softmax(dim=1)[[0, 1], [1, 4]], net(0 * x).softmax(dim=1)[[0, 1], [1, 4]]
    >>> maps.shape, torch.allclose(maps.sum(dim=(1, 2, 3)), p - p0, atol=1e-5)
    (torch.Size([2, 3, 8, 8]), True)
    """
    check_images(model, images)
    for name, number in (("steps", steps), ("batch", batch)):
        if number < 1:
            raise ValueError(f"{name} is {number}: it must be at least 1")
    if contrast_at not in ("image", "path"):
        raise ValueError(f"unknown contrast_at {contrast_at!r}; choose one of image, path")
    images = images.detach()
    start = as_baseline(baseline, images)
    fixed = cotangent_of(contrast_fn, predict(model, images)) if contrast_at == "image" else None
    total = 0
    for chunk in _midpoints(steps, images).split(max(1, batch // len(images))):
        points = torch.lerp(start, images, chunk.view(-1, 1, 1, 1, 1))
        record = forward(model, points.flatten(0, 1), once=True)
        at_points = record.logits.unflatten(0, (len(chunk), -1))
        weights = torch.stack([cotangent_of(contrast_fn, y) if fixed is None else fixed for y in at_points], dim=-3)
        slopes = record.pull_back(weights.flatten(-3, -2))["input"]
        total = total + slopes.unflatten(-4, points.shape[:2]).sum(dim=-5)
    return (images - start) * total / steps


def _midpoints(steps: int, like: Tensor) -> Tensor:
    # Gradients of ReLU networks jump along the path, so that rules for smooth functions gain nothing.
    return (torch.arange(steps, dtype=like.dtype, device=like.device) + 0.5) / steps
