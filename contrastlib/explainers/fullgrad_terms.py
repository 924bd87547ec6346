"""The terms of FullGrad: what the input and each bias contribute to the score (Srinivas & Fleuret 2019).

Around an image, a network of piecewise linear layers is a linear function of the image and of its biases. So
by Euler's theorem

    <w, y>  =  sum x * d<w, y>/dx  +  sum_l sum b_l * d<w, y>/da_l.

l runs over all modules that run and add a bias b_l to their output a_l: convolutions, linear layers, batch
norms (b = beta - mu gamma / sigma) and activations that saturate (ReLU6 adds a constant 6 where it clips).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager

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
    check_visible,
    read_logits,
    recording,
    run,
)
from contrastlib.autograd.modes import recorded_output
from contrastlib.contrasts import ContrastFn
from contrastlib.explainers.lrp.graph import FAMILIAR, unfamiliar

NOT_LINEAR = (
    nn.LayerNorm, nn.GroupNorm, nn.InstanceNorm2d, nn.MultiheadAttention, nn.Softmax, nn.Sigmoid,
    nn.Hardsigmoid, nn.Hardswish, nn.SiLU, nn.GELU, nn.ELU, nn.Mish, nn.Tanh, nn.Softplus,
)  # fmt: skip
LAYERS = (_ConvNd, nn.Linear)  # with a bias or without
BATCH_NORMS = (_BatchNorm, FrozenBatchNorm2d)
FIRST_INPUT = "input of the first layer"  # its name among the recorded tensors
ROUNDING = 1000  # error allowed, in eps of the sum of absolute terms: ten times the error of TF32


def terms(model: nn.Module, images: Tensor, contrast_fn: ContrastFn) -> dict[str, Tensor]:
    """Compute the terms of the input, x * d<w, y>/dx, and of each layer, b_l * d<w, y>/da_l.

    The terms sum to <w, y>. The function takes one forward and one backward pass. The outputs of all layers
    with a bias and their gradients are in memory together, and N gradients for N cotangents.

    If a module of the model normalises the images (it has attributes ``mean`` and ``std``), x is the output
    of that module. The terms are then those of the network after it. A function can also add a constant to x
    before the first layer, as ``transform_input`` of torchvision's GoogLeNet does. The constant is a bias of
    the input and counts in the term of the input.

    Source: Srinivas & Fleuret 2019, eq. 5.

    Args:
        model: A piecewise linear network that maps images to logits (B, C).
        images: Images (B, K, H, W), floating point.
        contrast_fn: Logits (B, C) -> cotangent w (B, C) or (N, B, C).

    Returns:
        Name of a layer -> its term, (B, K, h, w) or (N, B, K, h, w), in the unit of the score <w, y>. The
        term of a layer without spatial positions is a sum, (B,) or (N, B). The first term is that of the
        input. Its name is that of the normalising module, or "input"; or "input (pixels)" if a module is
        called "input".

    Raises:
        TypeError: The images or the logits have a wrong type.
        ValueError: The images or the logits have a wrong shape or wrong values, the network is not piecewise
            linear (Transformers, squeeze-and-excitation, SiLU, ...), a constant is added outside its modules
            and after the first layer, or a module with a bias runs more than once.

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> {name: tuple(t.shape) for name, t in terms(net, torch.rand(2, 3, 8, 8), torch.ones_like).items()}
    {'input': (2, 3, 8, 8), '0': (2, 4, 6, 6), '3': (2,)}
    """
    source, biased = _sources(model)
    record = _record(model, images, source, biased)
    outputs, cotangent = record.activations, contrast_fn(record.logits)
    gradients = record.pull_back(cotangent)
    score = (cotangent * record.logits).sum(dim=-1)
    del record  # so that the memory of each gradient is freed when its term is computed
    found, total, size = {}, torch.zeros_like(score), score.abs()
    source = source if source in outputs else _pixels(model)
    shift = _shift(model, images, source) * gradients.pop(FIRST_INPUT) if FIRST_INPUT in outputs else 0
    for name in (source, *(name for name in biased if name in outputs)):
        output = outputs[name]
        if len(output) != len(images):
            raise ValueError(
                f"layer {name!r} gives {len(output)} rows for {len(images)} images, so its bias has "
                "no image: use a method that needs no biases, such as input_x_gradient"
            )
        term = gradients.pop(name) * (output if name == source else _bias(biased[name], output))
        term = term + shift if name == source else term
        flat = term.flatten(score.ndim)
        total, size = total + flat.sum(dim=-1), size + flat.abs().sum(dim=-1)
        if isinstance(biased.get(name), nn.Linear):
            term = term.movedim(-1, -3) if output.ndim == 4 else term  # of (B, h, w, K)
        found[name] = term if output.ndim == 4 else flat.sum(dim=-1)
    _check_complete(model, total, score, size)
    return found


def _sources(model: nn.Module) -> tuple[str, dict[str, nn.Module]]:
    """Return the name of the module whose output is x, and the modules that add a bias if they run."""
    source, biased = _pixels(model), {}
    for name, module in model.named_modules():
        if name and not list(module.children()) and hasattr(module, "mean") and hasattr(module, "std"):
            source = name
        elif isinstance(module, (*BATCH_NORMS, nn.Hardtanh)) or (
            isinstance(module, LAYERS) and module.bias is not None
        ):
            biased[name] = module
    return source, biased


def _pixels(model: nn.Module) -> str:
    """Return the name of the pixels, which no module of the model has."""
    return f"{INPUT} (pixels)" if isinstance(getattr(model, INPUT, None), nn.Module) else INPUT


def _record(model: nn.Module, images: Tensor, source: str, biased: Iterable[str]) -> ForwardPass:
    """Run the model once and record x, the outputs of the biased modules, and the input of the first layer.

    The input of the first layer is recorded only if it differs from x.
    """
    check_images(model, images)
    check_visible(model)
    pixels = _pixels(model)
    modules = {name: module for name, module in model.named_modules() if name in {source, *biased}}
    # A batch norm that contains its activation (timm's BatchNormAct2d) adds its bias before the activation.
    inputs = {
        name: next(module.children())
        for name, module in modules.items()
        if isinstance(module, BATCH_NORMS) and next(module.children(), None) is not None
    }
    outputs = {name: module for name, module in modules.items() if name not in inputs}

    def keep(first_input: Tensor) -> Tensor:
        found = recorded.get(source, recorded[pixels])
        is_x = first_input.shape == found.shape and torch.equal(first_input, found)
        if not first_input.requires_grad or first_input.shape != found.shape or is_x:
            return first_input
        recorded[FIRST_INPUT] = first_input
        return first_input.clone()

    with as_found(model):
        # The images are recorded, so cotangents are propagated one after the other, which needs less memory.
        recorded = {pixels: images.detach().clone().requires_grad_()}
        with (
            LinearInputsDropped(),
            _refusing(model),
            recording(outputs, recorded),
            _recording_inputs(inputs, recorded),
            _first_layer(model, keep),
        ):
            logits = read_logits(run(model, recorded[pixels].clone()), len(images))
    return ForwardPass(model, logits, recorded, images.shape[-2:], once=True)


@contextmanager
def _recording_inputs(modules: Mapping[str, nn.Module], recorded: dict[str, Tensor]) -> Iterator[None]:
    """Record the inputs of modules that run inside this context, as ``recording`` does with their outputs."""

    def hook_for(name: str) -> Callable:
        def hook(module: nn.Module, inputs: tuple) -> tuple:
            recorded[name] = recorded_output(name, inputs[0])
            return (recorded[name].clone(), *inputs[1:])

        return hook

    with ExitStack() as hooks:
        for name, module in modules.items():
            hooks.callback(module.register_forward_pre_hook(hook_for(name)).remove)
        yield


class _FirstInputReached(Exception):
    """Raised to stop the forward pass at the first layer; its argument is the input of that layer."""


def _shift(model: nn.Module, images: Tensor, source: str) -> Tensor:
    """Return the constant that is added before the first layer: the input of that layer for x = 0."""

    def stop(first_input: Tensor) -> None:
        raise _FirstInputReached(first_input)

    def zero(module: nn.Module, inputs: tuple, output: Tensor) -> Tensor:
        return torch.zeros_like(output)

    with as_found(model), torch.no_grad(), _first_layer(model, stop), ExitStack() as hooks:
        if source != _pixels(model):
            hooks.callback(model.get_submodule(source).register_forward_hook(zero).remove)
        try:
            model(torch.zeros_like(images[:1]))
        except _FirstInputReached as reached:
            return reached.args[0]


@contextmanager
def _first_layer(model: nn.Module, change: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """Replace the input of the first layer that runs by ``change(input)`` inside this context."""
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
    """Raise a ValueError inside this context when a module that is not piecewise linear runs."""

    def refuse(module: nn.Module, inputs: tuple) -> None:
        name = next(name for name, other in model.named_modules() if other is module)
        raise ValueError(
            f"FullGrad needs a piecewise linear network, and {name!r} is a {type(module).__name__}: "
            "explain this network with a method that needs no biases, such as input_x_gradient"
        )

    handles = [m.register_forward_pre_hook(refuse) for m in model.modules() if isinstance(m, NOT_LINEAR)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _bias(module: nn.Module, output: Tensor) -> Tensor:
    """Return what a module adds to a linear function of its input, broadcastable to its output."""
    if isinstance(module, nn.Hardtanh):  # ReLU6 is a Hardtanh
        return torch.where((output == module.min_val) | (output == module.max_val), output, 0)
    if isinstance(module, LAYERS):
        bias = module.bias.detach()
    else:
        mean, variance = module.running_mean, module.running_var
        if mean is None:
            raise ValueError(
                "FullGrad needs batch norms with running statistics, not with those of the batch"
            )
        zero = torch.zeros_like(mean)[None]
        bias = F.batch_norm(zero, mean, variance, module.weight, module.bias, eps=module.eps)[0].detach()
    return bias if isinstance(module, nn.Linear) else bias.view(-1, *[1] * (output.ndim - 2))


def _check_complete(model: nn.Module, total: Tensor, score: Tensor, size: Tensor) -> None:
    """Raise an error unless the terms sum to the score, up to rounding.

    Args:
        model: The network, for the message.
        total: The sums of the terms, (B,) or (N, B).
        score: The scores <w, y>, of that shape.
        size: The sums of the absolute values of the terms and of the score, of that shape.
    """
    missing = (total - score).abs() / size.clamp(min=torch.finfo(size.dtype).tiny)
    if not (missing <= ROUNDING * torch.finfo(score.dtype).eps).all():
        worst = missing.argmax()
        raise ValueError(
            f"the terms of {type(model).__name__} sum to {total.flatten()[worst]:.6g} instead of "
            f"{score.flatten()[worst]:.6g}: it is not piecewise linear, or it adds a constant outside its "
            "modules and after its first layer; put that into a module. Modules of kinds "
            f"unknown here: {unfamiliar(model, (*FAMILIAR, *BATCH_NORMS))}"
        )
