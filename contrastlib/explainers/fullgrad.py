"""FullGrad: the map of what the input and each bias contribute to the score (Srinivas & Fleuret 2019)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from contrastlib._choices import check_choice
from contrastlib.contrasts import ContrastFn
from contrastlib.explainers.explainer import register
from contrastlib.explainers.fullgrad_terms import terms


class FullGrad(NamedTuple):
    """The map of the terms with spatial positions, and the sum of the other terms.

    ``map`` is (B, H, W) or (N, B, H, W). ``constants`` is (B,) or (N, B): the sum of the terms of layers
    without spatial positions. Both have the unit of the score <w, y>.
    """

    map: Tensor
    constants: Tensor


@register(
    title="FullGrad",
    about="What pixels and biases add to the logit: each times its gradient, of all layers.",
    space="pixels",
    needs="network",
    linear=True,
    map_of=attrgetter("map"),
    formula=r"x \cdot g + \sum_l b_l \cdot \partial \langle w, y\rangle / \partial a_l",
    paper="srinivas2019",
    equation="eq. 5",
    cost="1 forward, 1 backward",
    through_attention=False,
)
def fullgrad(
    model: nn.Module, images: Tensor, contrast_fn: ContrastFn, postprocess: str = "identity"
) -> FullGrad:
    """FullGrad: phi = psi(x * d<w, y>/dx) + sum_l psi(b_l * d<w, y>/da_l).

    b_l is the bias of layer l and a_l its output. Each term is summed over its channels. Each layer's map (h,
    w) is interpolated to (H, W).

    Source: Srinivas & Fleuret 2019, eq. 5.

    Args:
        model: A piecewise linear network that maps images to logits (B, C); see
            :func:`contrastlib.explainers.fullgrad_terms.terms`.
        images: Images x (B, K, H, W), floating point.
        contrast_fn: Logits (B, C) -> cotangent w (B, C) or (N, B, C).
        postprocess: The function psi of the terms (K, h, w) of a layer. "identity" is linear in w and
            complete: map and constants sum to <w, y>. "positive" sets negative terms to 0. "absolute" is the
            published function: absolute values, scaled to [0, 1] by minimum and maximum; the interpolation is
            then bilinear. "rescaled" is the same without the absolute value (Eriksson et al. 2025). It
            subtracts the minimum, so it is not linear and never negative, and the maps of w and -w sum to the
            number of channels.

    Returns:
        The map and the constants. The constants are not postprocessed.

    Raises:
        TypeError: The images or the logits have a wrong type.
        ValueError: ``postprocess`` is unknown, the images or logits have a wrong shape or wrong values, or
            the network is not piecewise linear.

    >>> from contrastlib import contrasts
    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5)).double()
    >>> x = torch.rand(2, 3, 8, 8, dtype=torch.float64)
    >>> phi = fullgrad(net, x, lambda y: contrasts.original(y, 3))
    >>> torch.allclose(phi.map.sum(dim=(1, 2)) + phi.constants, net(x)[:, 3])
    True
    """
    check_choice("postprocess", postprocess, POSTPROCESS)
    return combine(terms(model, images, contrast_fn), images.shape[-2:], postprocess)


def combine(parts: Mapping[str, Tensor], size: tuple[int, int], postprocess: str = "identity") -> FullGrad:
    """Combine terms, all or some of them, into a map and constants.

    Args:
        parts: Name of a layer -> its term, as :func:`contrastlib.explainers.fullgrad_terms.terms` returns
            them.
        size: Height and width (H, W) of the map.
        postprocess: The function psi, as in :func:`fullgrad`.

    Returns:
        The map (B, H, W) or (N, B, H, W), and the constants (B,) or (N, B).

    Raises:
        ValueError: ``postprocess`` is unknown, or no term has spatial positions.

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> parts = terms(net, torch.rand(2, 3, 8, 8), torch.ones_like)
    >>> without_input = combine({name: parts[name] for name in ("0", "3")}, (8, 8))
    >>> without_input.map.shape, torch.equal(without_input.constants, parts["3"])
    (torch.Size([2, 8, 8]), True)
    """
    check_choice("postprocess", postprocess, POSTPROCESS)
    function, interpolation = POSTPROCESS[postprocess]
    spatial = [part for part in parts.values() if part.ndim > 2]
    if not spatial:
        raise ValueError(
            f"none of the terms {list(parts)} has spatial positions: "
            "take the term of the input or of a convolution"
        )
    maps = sum(_resized(function(part).sum(dim=-3), size, interpolation) for part in spatial)
    constants = sum((part for part in parts.values() if part.ndim <= 2), torch.zeros_like(maps[..., 0, 0]))
    return FullGrad(maps, constants)


def _identity(term: Tensor) -> Tensor:
    return term


def _positive(term: Tensor) -> Tensor:
    return term.clamp(min=0)


def _rescaled(term: Tensor) -> Tensor:
    """Scale a term (..., K, h, w) to [0, 1] by its minimum and maximum. A constant term becomes 0."""
    term = term - term.amin(dim=(-3, -2, -1), keepdim=True)
    highest = term.amax(dim=(-3, -2, -1), keepdim=True)
    return term / torch.where(highest == 0, 1, highest)


def _absolute(term: Tensor) -> Tensor:
    return _rescaled(term.abs())


def _resized(maps: Tensor, size: tuple[int, int], interpolation: Callable[[int, int], Tensor]) -> Tensor:
    """Resize maps (..., h, w) to (..., H, W), rows and columns with the weights of ``interpolation``."""
    rows, columns = (interpolation(cells, pixels).to(maps) for cells, pixels in zip(maps.shape[-2:], size))
    with torch.autocast(maps.device.type, enabled=False):
        return torch.einsum("...hw,hH,wW->...HW", maps, rows, columns)


def _sum_preserving(cells: int, pixels: int) -> Tensor:
    """Weights (cells, pixels) of a linear interpolation; the weights of each cell sum to 1."""
    few, many = sorted((cells, pixels))
    weights = F.interpolate(torch.eye(few, dtype=torch.float64)[None], many, mode="linear")[0]
    return weights / weights.sum(dim=1, keepdim=True) if cells <= pixels else weights.T


def _value_preserving(cells: int, pixels: int) -> Tensor:
    """Weights (cells, pixels) of linear interpolation with aligned corners; those of each pixel sum to 1."""
    unit = torch.eye(cells, dtype=torch.float64)[None]
    return F.interpolate(unit, pixels, mode="linear", align_corners=True)[0]


POSTPROCESS = {
    "identity": (_identity, _sum_preserving),
    "positive": (_positive, _sum_preserving),
    "absolute": (_absolute, _value_preserving),
    "rescaled": (_rescaled, _value_preserving),
}
"""Name -> function psi of the terms (..., K, h, w) of a layer, and weights that resize its map."""
