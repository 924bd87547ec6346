"""Class activation maps: weighted sums of the activations a^k of a convolutional layer.

Each function takes

- ``record``: A forward pass that recorded the layer, from :func:`contrastlib.autograd.forward_pass.forward`.
- ``cotangent``: The cotangent w, (B, C) or (N, B, C).
- ``layer``: The name of the layer to explain, whose activations are (B, K, h, w). If None, it is the only
  recorded layer.

and returns maps (B, h, w) or (N, B, h, w), in the unit of the score <w, y>. All functions are linear in w.
None applies a ReLU, because negative values support the other classes (Wang & Wang 2022, sec. 4).

Each function raises ``ValueError`` if the layer is not recorded, if its output is not (B, K, h, w), if it has
a single spatial position, or if the sums of the formula are 0 up to rounding because a norm follows the layer
directly; the message names another layer. It raises what
:meth:`contrastlib.autograd.forward_pass.ForwardPass.pull_back` raises.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from contrastlib._choices import check_choice
from contrastlib.autograd import ForwardPass
from contrastlib.explainers.explainer import register

NORMALISERS = {
    "absolute": lambda activation: activation.abs().sum(dim=(-2, -1)),
    "sum": lambda activation: activation.sum(dim=(-2, -1)),
}
"""Name -> normaliser (B, K) of the activations (B, K, h, w), for :func:`xgradcam`."""
OVER_CHANNELS, OVER_POSITIONS = (-3,), (-2, -1)
CANCELLED = 1e-3  # largest sum that counts as 0, in units of the sum of absolute values


@register(
    title="GradCAM",
    about="Each channel of a layer, weighted by its mean gradient.",
    space="layer",
    needs="pass",
    linear=True,
    formula=r"\sum_k \big(\frac{1}{hw} \sum_{ij} g^k_{ij}\big)\, a^k",
    paper="selvaraju2017",
    equation="without ReLU, as Wang & Wang 2022, eq. 2",
    cost="1 forward, 1 backward to the layer",
    for_transformers="vit_gradcam",
)
def gradcam(record: ForwardPass, cotangent: Tensor, layer: str | None = None) -> Tensor:
    """GradCAM: phi = sum_k (1/(h w) sum_ij d<w, y>/da^k_ij) a^k.

    Source: Selvaraju et al. 2017, without the ReLU as in Wang & Wang 2022, eq. 2.

    Args:
        record: A forward pass that recorded the layer.
        cotangent: The cotangent w, (B, C) or (N, B, C).
        layer: The name of the layer to explain. If None, it is the only recorded layer.

    Returns:
        Class activation maps (B, h, w) or (N, B, h, w), in the unit of the score <w, y>.

    Raises:
        ValueError: The layer is not recorded, or its output has no spatial positions.

    >>> from contrastlib.autograd import forward
    >>> net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Flatten(), torch.nn.Linear(144, 5))
    >>> gradcam(forward(net, torch.rand(2, 3, 8, 8), "0"), torch.eye(5)[[1, 2]]).shape
    torch.Size([2, 6, 6])
    """
    activation, gradient = _activation_and_gradient(record, cotangent, layer)
    _check_sums(record, cotangent, layer, gradient, lambda a, g: g, OVER_POSITIONS)
    return _channel_sum(gradient.mean(dim=OVER_POSITIONS), activation)


@register(
    title="Linear Approximation",
    about="Each activation times its gradient, over channels.",
    space="layer",
    needs="pass",
    linear=True,
    formula=r"\sum_k g^k a^k",
    paper="wang2022",
    equation="sec. 4",
    cost="1 forward, 1 backward to the layer",
)
def linear_approximation(record: ForwardPass, cotangent: Tensor, layer: str | None = None) -> Tensor:
    """Linear approximation: phi = sum_k a^k * d<w, y>/da^k, where * is the product element by element.

    Source: Wang & Wang 2022, sec. 4.

    Args:
        record: A forward pass that recorded the layer.
        cotangent: The cotangent w, (B, C) or (N, B, C).
        layer: The name of the layer to explain. If None, it is the only recorded layer.

    Returns:
        Class activation maps (B, h, w) or (N, B, h, w), in the unit of the score <w, y>. If the score is a
        linear function of the activations, a map sums to the score.

    Raises:
        ValueError: The layer is not recorded, or its output has no spatial positions.

    >>> from contrastlib.autograd import forward
    >>> layers = torch.nn.Conv2d(3, 4, 3), torch.nn.Flatten(), torch.nn.Linear(144, 5, bias=False)
    >>> record = forward(torch.nn.Sequential(*layers), torch.rand(2, 3, 8, 8), "0")
    >>> map_of_class_0 = linear_approximation(record, torch.eye(5)[[0, 0]])
    >>> torch.allclose(map_of_class_0.sum(dim=(1, 2)), record.logits[:, 0], atol=1e-6)
    True
    """
    activation, gradient = _activation_and_gradient(record, cotangent, layer)
    _check_sums(record, cotangent, layer, gradient, lambda a, g: g * a, OVER_CHANNELS)
    # six times as fast as einsum, which transposes both tensors
    return (gradient * activation).sum(dim=OVER_CHANNELS)


@register(
    title="XGradCAM",
    about="Each channel of a layer, weighted by its gradients where it is active.",
    space="layer",
    needs="pass",
    linear=True,
    formula=r"\sum_k \big(\sum_{ij} \frac{a^k_{ij}}{\lVert a^k\rVert_1}\, g^k_{ij}\big)\, a^k",
    paper="fu2020",
    equation="normalised as Eriksson et al. 2025, eq. 3",
    cost="1 forward, 1 backward to the layer",
)
def xgradcam(
    record: ForwardPass, cotangent: Tensor, layer: str | None = None, normaliser: str = "absolute"
) -> Tensor:
    """XGradCAM: phi = sum_k (sum_ij a^k_ij / norm_k * d<w, y>/da^k_ij) a^k.

    Source: Fu et al. 2020, with the normaliser of Eriksson et al. 2025, eq. 3, by default.

    Args:
        record: A forward pass that recorded the layer.
        cotangent: The cotangent w, (B, C) or (N, B, C).
        layer: The name of the layer to explain. If None, it is the only recorded layer.
        normaliser: "absolute" is norm_k = sum_ij abs(a^k_ij) (Eriksson et al. 2025, eq. 3). "sum" is
            norm_k = sum_ij a^k_ij (Fu et al. 2020), which can be close to 0 if activations have both signs.
            The two are the same for activations that are not negative. A channel that is 0 at all positions
            adds nothing.

    Returns:
        Class activation maps (B, h, w) or (N, B, h, w), in the unit of the score <w, y>.

    Raises:
        ValueError: The normaliser is unknown, the layer is not recorded, or its output has no spatial
            positions.

    >>> from contrastlib.autograd import forward
    >>> layers = torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(144, 5)
    >>> record = forward(torch.nn.Sequential(*layers), torch.rand(2, 3, 8, 8), "1")
    >>> w = torch.eye(5)[[0, 0]]
    >>> torch.allclose(xgradcam(record, w), xgradcam(record, w, normaliser="sum"))
    True
    """
    check_choice("normaliser", normaliser, NORMALISERS)
    activation, gradient = _activation_and_gradient(record, cotangent, layer)
    _check_sums(record, cotangent, layer, gradient, lambda a, g: g * a, OVER_POSITIONS)
    weights = (gradient * activation).sum(dim=OVER_POSITIONS)
    norm = NORMALISERS[normaliser](activation)
    weights = torch.where(norm == 0, torch.zeros_like(weights), weights / norm)
    return _channel_sum(weights, activation)


def _activation_and_gradient(
    record: ForwardPass, cotangent: Tensor, layer: str | None
) -> tuple[Tensor, Tensor]:
    """Return the activations (B, K, h, w) of a layer and the gradient of <w, y> with respect to them."""
    layer = record.layer(layer)
    activation = record.activations[layer]
    if activation.ndim != 4:
        raise ValueError(
            f"layer {layer!r} gives {tuple(activation.shape)}, not (B, K, h, w): "
            "class activation maps need a layer with spatial positions, such as a convolution"
        )
    check_spatial_positions(layer, activation.shape, record.size)
    return activation, record.pull_back(cotangent)[layer]


def check_spatial_positions(layer: str, shape: torch.Size, size: torch.Size) -> None:
    """Check that a layer has several spatial positions, and that they are its last two dimensions.

    The spatial positions have the aspect ratio of the images, up to the rounding of one position.

    Args:
        layer: The name of the layer.
        shape: The shape of its activations, with four dimensions.
        size: Height and width (H, W) of the images.

    Raises:
        ValueError: The activations look like (B, h, w, K), or have a single position.

    >>> check_spatial_positions("conv", torch.Size([1, 8, 4, 4]), torch.Size([16, 16]))
    """
    (_, channels, h, w), (height, width) = shape, size

    def same_aspect_ratio(a: int, b: int) -> bool:
        return abs(a * width - b * height) < max(height, width)

    if not same_aspect_ratio(h, w) and same_aspect_ratio(channels, h):
        raise ValueError(
            f"layer {layer!r} gives {tuple(shape)}, which for images of {height} x {width} "
            "looks like (B, h, w, K): a map needs (B, K, h, w), such as "
            'the layer "permute" of torchvision\'s Swin'
        )
    if h * w == 1 and height * width > 1:
        raise ValueError(
            f"layer {layer!r} has a single spatial position, so its map is one number: "
            "name an earlier layer, or enlarge the images"
        )


def _check_sums(
    record: ForwardPass,
    cotangent: Tensor,
    layer: str | None,
    gradient: Tensor,
    terms: Callable[[Tensor, Tensor], Tensor],
    dims: Sequence[int],
) -> None:
    """Check that the sums of a method are not all 0 up to rounding, as where a norm follows directly.

    A norm of the channels does not change with the length of its input a, so that the products g a sum to 0
    over the channels. A norm of each channel does not change with a constant added to its input either, so
    that the gradients g of a channel sum to 0 over its positions.

    Args:
        record: A forward pass.
        cotangent: The cotangent w. Only the first one of several is checked, because the others have the same
            norm.
        layer: The name of the layer.
        gradient: The gradient of <w, y> there.
        terms: Activations and gradients -> the terms that are summed.
        dims: The dimensions of the sum.
    """

    def cancel(activation: Tensor, gradient: Tensor) -> bool:
        each = terms(activation, gradient)
        exact = torch.promote_types(each.dtype, torch.float32)
        sums, sizes = (part.sum(dim=dims, dtype=exact).abs().max() for part in (each, each.abs()))
        return bool((sizes > 0) & (sums <= max(CANCELLED, torch.finfo(each.dtype).eps) * sizes))

    layer = record.layer(layer)
    if not cancel(record.activations[layer], gradient if gradient.ndim == 4 else gradient[0]):
        return
    over = "the channels" if dims == OVER_CHANNELS else "the positions"
    other = record.layer_instead(cotangent, cancel)
    instead = f'name layer="{other}"' if other else "use a method of the pixels, such as input_x_gradient"
    raise ValueError(
        f"the map of layer {layer!r} is 0 up to rounding: the next operation is a norm, so that what the "
        f"method sums over {over} adds up to 0; {instead}"
    )


def _channel_sum(weights: Tensor, activation: Tensor) -> Tensor:
    """Sum the channels of activations (B, K, h, w) with weights (..., B, K)."""
    return torch.einsum("...bk,bkhw->...bhw", weights, activation)
