"""FullGrad: what the input and every bias add to the contrast's score (Srinivas & Fleuret 2019).

A network whose layers are piecewise linear is, around an image, an affine function of that image and of
its biases, so that by Euler's theorem

    <w, y>  =  sum x * d<w,y>/dx  +  sum_l sum b_l * d<w,y>/d(output of l),

over all modules l that run and add a bias: convolutions, linear layers, batch norms (beta - mu gamma / sigma)
and activations that saturate (ReLU6 adds a constant 6 where it clips).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from operator import attrgetter
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd
from torchvision.ops import FrozenBatchNorm2d

from contrastlib.autograd import (
    INPUT,
    ForwardPass,
    LinearInputsDropped,
    as_found,
    check_images,
    check_output,
    recording,
)
from contrastlib.contrasts import ContrastFn
from contrastlib.explainers.explainer import register
from contrastlib.explainers.lrp.rules import FAMILIAR, unfamiliar

NOT_LINEAR = (
    nn.LayerNorm, nn.GroupNorm, nn.InstanceNorm2d, nn.MultiheadAttention, nn.Softmax, nn.Sigmoid,
    nn.Hardsigmoid, nn.Hardswish, nn.SiLU, nn.GELU, nn.ELU, nn.Mish, nn.Tanh, nn.Softplus,
)  # fmt: skip
LAYERS = (_ConvNd, nn.Linear)  # with a bias or without
BATCH_NORMS = (_BatchNorm, FrozenBatchNorm2d)
SHIFTED = "what enters the first layer"
ROUNDING = 1000  # units in the last place of the absolute terms: what TF32 loses, and ten times more


class FullGrad(NamedTuple):
    """The map (B, H, W) of the terms with places, and the sum (B,) of the others; K in front where given."""

    map: Tensor
    constants: Tensor


@register(
    title="FullGrad",
    about="What pixels and biases add to the logit: each times its gradient, of all layers.",
    space="pixels", needs="network", linear=True, map_of=attrgetter("map"),
    formula=r"x \cdot g + \sum_l b_l \cdot \partial \langle w, y\rangle / \partial a_l",
    paper="srinivas2019", equation="eq. 5", cost="1 forward, 1 backward",
)
def fullgrad(
    model: nn.Module, images: Tensor, contrast_fn: ContrastFn, postprocess: str = "identity"
) -> FullGrad:
    """phi = sum_l psi(b_l * d<w,y>/da_l), the input's own term x * d<w,y>/dx among them (eq. 5 there).

    Args:
        model, images, contrast_fn: as in :func:`terms`.
        postprocess: psi, applied to the terms (C, h, w) of each layer before its channels are added up.
            "identity" is linear in w and keeps the sum: map and constants add up to <w, y>.
            "positive" drops negative terms. "absolute" is the published one: absolute values, scaled
            to [0, 1] by minimum and maximum, bilinear upsampling. "rescaled" is the same without the
            absolute value (Eriksson et al. 2025). The minimum that it subtracts leaves no sign: it
            is not linear, never negative, and the maps of w and -w add up to the number of channels.

    Returns:
        map (B, H, W) and constants (B,), the terms of linear layers as they are; with K in front where given.

    Raises:
        ValueError: unknown ``postprocess``, and as in :func:`terms`.

    >>> from contrastlib import contrasts
    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5)).double()
    >>> x = torch.rand(2, 3, 8, 8, dtype=torch.float64)
    >>> phi = fullgrad(net, x, lambda y: contrasts.original(y, 3))
    >>> torch.allclose(phi.map.sum(dim=(1, 2)) + phi.constants, net(x)[:, 3])
    True
    """
    _check_postprocess(postprocess)
    return combine(terms(model, images, contrast_fn), images.shape[-2:], postprocess)


def terms(model: nn.Module, images: Tensor, contrast_fn: ContrastFn) -> dict[str, Tensor]:
    """What each layer adds to <w, y>, by one forward and one backward pass.

    Where the model normalises its images itself (a module with ``mean`` and ``std``), x is what comes
    out of that: the terms are the same as those of the network behind it. A constant that a function adds
    to x in front of the first layer, as transform_input of torchvision's GoogLeNet does, is a bias of the
    input and counts in its term: b * d<w,y>/d(Ax + b), with b what that layer sees of x = 0.

    Args:
        model, images: as in :func:`contrastlib.autograd.forward_pass.forward`. The outputs of all layers with a bias
            and their gradients are in memory at once, the gradients K times for K contrasts.
        contrast_fn: logits (B, C) -> cotangent w (B, C) or (K, B, C).

    Returns:
        name of the layer -> (B, C, h, w), or (B,) in all where a layer has no places; K in front where
        given. The first is the input's, x * d<w,y>/dx, under the name of the normalising module or "input".

    Raises:
        ValueError: a network that is not piecewise linear (transformers, squeeze and excitation, SiLU,
            ...), or that has biases outside of its modules behind the input, so that the terms do not add up to <w, y>;
            one that runs a module with a bias more than once.

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> {name: tuple(t.shape) for name, t in terms(net, torch.rand(2, 3, 8, 8), torch.ones_like).items()}
    {'input': (2, 3, 8, 8), '0': (2, 4, 6, 6), '3': (2,)}
    """
    source, biased = _sources(model)
    record = _forward(model, images, source, biased)
    outputs, cotangent = record.activations, contrast_fn(record.logits)
    gradients = record.pull_back(cotangent)
    score = (cotangent * record.logits).sum(dim=-1)
    del record  # each gradient is let go of when its term is there
    found, total, size = {}, torch.zeros_like(score), score.abs()
    source = source if source in outputs else INPUT
    shift = _shift(model, images, source) * gradients.pop(SHIFTED) if SHIFTED in outputs else 0
    for name in (source, *(name for name in biased if name in outputs)):
        output = outputs[name]
        term = gradients.pop(name) * (output if name == source else _bias(biased[name], output))
        term = term + shift if name == source else term
        flat = term.flatten(score.ndim)
        total, size = total + flat.sum(dim=-1), size + flat.abs().sum(dim=-1)
        found[name] = term if output.ndim == 4 else flat.sum(dim=-1)
    _check_complete(model, total, score, size)
    return found


def combine(parts: dict[str, Tensor], size: tuple[int, int], postprocess: str = "identity") -> FullGrad:
    """Map of ``size`` and constants from all :func:`terms`, or from some of them; see :func:`fullgrad`.

    Raises:
        ValueError: unknown ``postprocess``; no term has places.

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> parts = terms(net, torch.rand(2, 3, 8, 8), torch.ones_like)
    >>> without_input = combine({name: parts[name] for name in ("0", "3")}, (8, 8))
    >>> without_input.map.shape, torch.equal(without_input.constants, parts["3"])
    (torch.Size([2, 8, 8]), True)
    """
    _check_postprocess(postprocess)
    process, spread = POSTPROCESS[postprocess]
    with_places = [part for part in parts.values() if part.ndim > 2]
    if not with_places:
        raise ValueError(f"none of the terms {list(parts)} has places: take the input's or a convolution's")
    maps = sum(_enlarged(process(part).sum(dim=-3), size, spread) for part in with_places)
    constants = sum((part for part in parts.values() if part.ndim <= 2), torch.zeros_like(maps[..., 0, 0]))
    return FullGrad(maps, constants)


def _check_postprocess(postprocess: str) -> None:
    if postprocess not in POSTPROCESS:
        raise ValueError(f"unknown postprocess {postprocess!r}; choose one of {', '.join(POSTPROCESS)}")


def _sources(model: nn.Module) -> tuple[str, dict[str, nn.Module]]:
    """The name of what counts as input, and the modules that add something of their own, if they run."""
    source, biased = INPUT, {}
    for name, module in model.named_modules():
        if name and not list(module.children()) and hasattr(module, "mean") and hasattr(module, "std"):
            source = name
        elif isinstance(module, (*BATCH_NORMS, nn.Hardtanh)) or (isinstance(module, LAYERS) and module.bias is not None):
            biased[name] = module
    return source, biased


def _forward(model: nn.Module, images: Tensor, source: str, biased: Iterable[str]) -> ForwardPass:
    """The pass that records the input, what the first layer sees if that differs, and those of the modules that run."""
    check_images(model, images)
    modules = {name: module for name, module in model.named_modules() if name in {source, *biased}}

    def keep(entering: Tensor) -> Tensor:
        found = recorded.get(source, recorded[INPUT])
        if not entering.requires_grad or entering.shape != found.shape or torch.equal(entering, found):
            return entering
        recorded[SHIFTED] = entering
        return entering.clone()

    with as_found(model):
        # with the images recorded, contrasts go back one after the other, which needs less memory
        recorded = {INPUT: images.detach().clone().requires_grad_()}
        with LinearInputsDropped(), _refusing(model), recording(modules, recorded), _entering(model, keep):
            logits = model(recorded[INPUT].clone())
    check_output(logits, len(images))
    return ForwardPass(model, logits, recorded, images.shape[-2:], once=True)


class _Entered(Exception):
    """What enters the first layer."""


def _shift(model: nn.Module, images: Tensor, source: str) -> Tensor:
    """What the first layer sees of a source of zeros."""

    def stop(entering: Tensor) -> None:
        raise _Entered(entering)

    with as_found(model), torch.no_grad(), _entering(model, stop), ExitStack() as blank:
        if source != INPUT:
            module = model.get_submodule(source)
            blank.callback(module.register_forward_hook(lambda *arguments: torch.zeros_like(arguments[-1])).remove)
        try:
            model(torch.zeros_like(images[:1]))
        except _Entered as entered:
            return entered.args[0]


@contextmanager
def _entering(model: nn.Module, change: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """The first layer to run sees what ``change`` makes of its input."""
    with ExitStack() as hooks:

        def first(module: nn.Module, inputs: tuple) -> tuple:
            hooks.close()
            return (change(inputs[0]), *inputs[1:]) if inputs else inputs

        for module in model.modules():
            if isinstance(module, (*LAYERS, *BATCH_NORMS)):
                hooks.callback(module.register_forward_pre_hook(first).remove)
        yield


@contextmanager
def _refusing(model: nn.Module) -> Iterator[None]:
    def refuse(module: nn.Module, inputs: tuple) -> None:
        name = next(name for name, other in model.named_modules() if other is module)
        raise ValueError(
            f"FullGrad needs a piecewise linear network, and {name!r} is a {type(module).__name__}: "
            "explain this network with a method that asks for no biases, such as input_x_gradient"
        )

    handles = [m.register_forward_pre_hook(refuse) for m in model.modules() if isinstance(m, NOT_LINEAR)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _bias(module: nn.Module, output: Tensor) -> Tensor:
    """What a module adds to a linear function of its input, broadcastable to its output."""
    if isinstance(module, nn.Hardtanh):  # ReLU6 too
        return torch.where((output == module.min_val) | (output == module.max_val), output, 0)
    if isinstance(module, LAYERS):
        bias = module.bias.detach()
    else:
        mean, variance = module.running_mean, module.running_var
        if mean is None:
            raise ValueError("FullGrad needs batch norms with running statistics: a batch's own vary")
        zero = torch.zeros_like(mean)[None]
        bias = F.batch_norm(zero, mean, variance, module.weight, module.bias, eps=module.eps)[0].detach()
    return bias if isinstance(module, nn.Linear) else bias.view(-1, *[1] * (output.ndim - 2))


def _check_complete(model: nn.Module, total: Tensor, score: Tensor, size: Tensor) -> None:
    missing = (total - score).abs() / size.clamp(min=torch.finfo(size.dtype).tiny)
    if not (missing <= ROUNDING * torch.finfo(score.dtype).eps).all():
        worst = missing.argmax()
        raise ValueError(
            f"the terms of {type(model).__name__} add up to {total.flatten()[worst]:.6g} instead of "
            f"{score.flatten()[worst]:.6g}: it is not piecewise linear, or adds a constant outside of its "
            "modules, behind its first layer; put that into a module. Modules of kinds "
            f"unknown here: {unfamiliar(model, (*FAMILIAR, *BATCH_NORMS))}"
        )


def _identity(term: Tensor) -> Tensor:
    return term


def _positive(term: Tensor) -> Tensor:
    return term.clamp(min=0)


def _rescaled(term: Tensor) -> Tensor:
    """To [0, 1] over channels and places; 0 where all is equal."""
    term = term - term.amin(dim=(-3, -2, -1), keepdim=True)
    highest = term.amax(dim=(-3, -2, -1), keepdim=True)
    return term / torch.where(highest == 0, 1, highest)


def _absolute(term: Tensor) -> Tensor:
    return _rescaled(term.abs())


def _enlarged(maps: Tensor, size: tuple[int, int], spread: Callable[[int, int], Tensor]) -> Tensor:
    """Maps (..., h, w) to (..., H, W), each cell spread over rows and columns by those weights."""
    rows, columns = (spread(cells, pixels).to(maps) for cells, pixels in zip(maps.shape[-2:], size))
    with torch.autocast(maps.device.type, enabled=False):
        return torch.einsum("...hw,hH,wW->...HW", maps, rows, columns)


def _whole(cells: int, pixels: int) -> Tensor:
    """Linear interpolation (cells, pixels) in which each cell hands out 1, so that sums are kept."""
    few, many = sorted((cells, pixels))
    weights = F.interpolate(torch.eye(few, dtype=torch.float64)[None], many, mode="linear")[0]
    return weights / weights.sum(dim=1, keepdim=True) if cells <= pixels else weights.T


def _interpolated(cells: int, pixels: int) -> Tensor:
    """Linear interpolation (cells, pixels) in which each pixel gets 1, from corner to corner."""
    unit = torch.eye(cells, dtype=torch.float64)[None]
    return F.interpolate(unit, pixels, mode="linear", align_corners=True)[0]


POSTPROCESS = {
    "identity": (_identity, _whole),
    "positive": (_positive, _whole),
    "absolute": (_absolute, _interpolated),
    "rescaled": (_rescaled, _interpolated),
}
"""name -> psi of the terms of a layer (..., C, h, w), and the weights (cells, pixels) that enlarge its map"""
