"""Integrated gradients: the mean gradient along a path to the image (Sundararajan et al. 2017)."""

from __future__ import annotations

from numbers import Integral

import torch
from torch import Tensor, nn

from contrastlib._choices import check_choice
from contrastlib.autograd import check_images, forward, predict
from contrastlib.contrasts import ContrastFn
from contrastlib.explainers._arguments import Baseline, as_baseline, cotangent_of
from contrastlib.explainers.explainer import register


@register(
    title="Integrated Gradients",
    about="The mean gradient along a path from a baseline to the image, times their difference.",
    space="pixels",
    needs="network",
    linear=True,
    formula=r"(x - x_0) \int_0^1 g(x_0 + \lambda (x - x_0))\, d\lambda",
    paper="sundararajan2017",
    equation="eq. 1",
    cost="1 forward; 1 forward and 1 backward for each of the steps",
)
def integrated_gradients(
    model: nn.Module,
    images: Tensor,
    contrast_fn: ContrastFn,
    baseline: Baseline | None = None,
    steps: int = 128,
    contrast_at: str = "image",
    batch: int = 16,
) -> Tensor:
    """Integrated gradients: phi = (x - x0) * int_0^1 g(x0 + a (x - x0)) da, with g = d<w, y>/dx.

    The cotangent w can be taken at the image x or at each point x_a = x0 + a (x - x0) of the path. These are
    two readings of Wang & Wang 2022, sec. 4:

    ===============  ==============  =============================================  ======================
    ``contrast_at``  cotangent       the map is                                     the map sums to
    ===============  ==============  =============================================  ======================
    ``"image"``      w = w(y(x))     sum_s w_s phi(e_s), the contrast of the maps   <w, y(x) - y(x0)>
                                     of all classes
    ``"path"``       w = w(y(x_a))   integrated gradients of the function of y      difference of that
                                     whose gradient is w(y)                         function at x and x0
    ===============  ==============  =============================================  ======================

    With "path", ``weighted`` gives the integrated gradients of the log-odds, and ``probability`` those of
    p_t. With "image", the maps of both are the same up to the factor p_t (1 - p_t). The two readings agree if
    w does not depend on the logits (``original``, ``mean``).

    The integral is computed by the midpoint rule, so the sums are exact up to its error, which falls with
    ``steps``.

    Source: Sundararajan et al. 2017, eq. 1.

    Args:
        model: A network that maps images to logits (B, C).
        images: Images x (B, K, H, W), floating point.
        contrast_fn: Logits (B, C) -> cotangent w (B, C) or (N, B, C), such as
            ``lambda y: contrasts.weighted(y, target)``. It is called with the logits of the B images in their
            order, once for the images, or once for each point of the path. So one target class for each image
            is possible.
        baseline: The baseline x0: a number, a colour (K values) or a tensor that broadcasts to the images. If
            None, it is 0, which is black for images in [0, 1].
        steps: The number of points on the path.
        contrast_at: "image" or "path", the point whose logits give the cotangent.
        batch: The number of points, over all images, that go through the network together. It changes the
            memory that is needed, and not the result. At least one point of each image goes through together.

    Returns:
        Maps (B, K, H, W) or (N, B, K, H, W), in the unit of the score <w, y>.

    Raises:
        TypeError: The images, the cotangent, the baseline, ``steps`` or ``batch`` have a wrong type.
        ValueError: They have a wrong shape or wrong values, ``steps`` or ``batch`` is below 1, or
            ``contrast_at`` is unknown.
        FloatingPointError: The map of an image is not finite.

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
        if isinstance(number, bool) or not isinstance(number, Integral):
            raise TypeError(f"{name} must be a whole number, got {number!r}")
        if number < 1:
            raise ValueError(f"{name} is {number}: it must be at least 1")
    check_choice("contrast_at", contrast_at, ("image", "path"))
    images = images.detach()
    start = as_baseline(baseline, images)
    fixed = cotangent_of(contrast_fn, predict(model, images)) if contrast_at == "image" else None
    total, wide = 0, torch.promote_types(images.dtype, torch.float32)
    for chunk in _midpoints(steps, images).split(max(1, batch // len(images))):
        points = torch.lerp(start, images, chunk.view(-1, 1, 1, 1, 1))
        record = forward(model, points.flatten(0, 1), once=True)
        logits = record.logits.unflatten(0, (len(chunk), -1))
        weights = [cotangent_of(contrast_fn, y) if fixed is None else fixed for y in logits]
        cotangent = torch.stack(weights, dim=-3).flatten(-3, -2)
        gradients = record.pull_back(cotangent)["input"]
        total = total + gradients.unflatten(-4, points.shape[:2]).sum(dim=-5, dtype=wide)
    maps = ((images - start) * total / steps).to(images.dtype)
    _check_finite(maps)
    return maps


def _check_finite(maps: Tensor) -> None:
    """Raise an error if maps (..., B, K, H, W) overflow. A finite sum, which is quick, means finite maps."""
    if maps.sum().isfinite():
        return
    bad = ~maps.isfinite().all(dim=-1).all(dim=-1).all(dim=-1)
    if bad.any():
        rows = bad.view(-1, bad.shape[-1]).any(dim=0).nonzero().flatten().tolist()
        raise FloatingPointError(
            f"integrated gradients of image {', '.join(map(str, rows))} overflow {maps.dtype}: scale the "
            "images as the model was trained, such as to [0, 1], or use float64 with model.double()"
        )


def _midpoints(steps: int, like: Tensor) -> Tensor:
    """Return the midpoints (steps,) of equal parts of [0, 1].

    Gradients of ReLU networks jump along the path, so quadrature rules for smooth functions would not be
    better. They are rounded last, because k + 0.5 is not exact in 16 bits.
    """
    return ((torch.arange(steps, dtype=torch.float64) + 0.5) / steps).to(like)
