"""Batch norms merged into the layers before them, so that they need no rule of their own.

A merged layer computes what the layer and its batch norm computed before. The signs of the batch norm's
scales then count in the z+ rule. Nothing but the batch norm may read the output of a merged layer, which
:meth:`contrastlib.explainers.lrp.trace.Trace.check_merged` checks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from weakref import ref

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from zennit.canonizers import MergeBatchNorm
from zennit.types import ConvolutionTranspose, Linear

from contrastlib.autograd import run
from contrastlib.explainers.lrp.operations import Merged, only_input


def merged_batch_norms(model: nn.Module, images: Tensor) -> dict[str, str]:
    """Find the layer that each batch norm can be merged into.

    In most networks it is the layer that is defined directly before the batch norm. If a batch norm has no
    such layer, a forward pass of one image tells which layer's output each batch norm gets.

    Args:
        model: The network.
        images: Images (B, K, H, W).

    Returns:
        Name of a batch norm -> name of the layer, or "" if the batch norm cannot be merged.

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.ReLU(), nn.BatchNorm2d(4)).eval()
    >>> merged_batch_norms(net, torch.rand(1, 3, 8, 8))
    {'1': '0', '3': ''}
    """
    defined = _defined_before(model)
    return defined if all(defined.values()) else _run_before(model, defined, images)


def _defined_before(model: nn.Module) -> dict[str, str]:
    """Map each batch norm to the layer that is defined directly before it, or to ""."""
    merged, before = {}, ("", None)
    for name, module in model.named_modules():
        if isinstance(module, _BatchNorm):
            merged[name] = before[0] if _can_merge(before[1], module) else ""
        elif next(module.children(), None) is not None:
            continue
        before = name, module
    return merged


def _run_before(model: nn.Module, batch_norms: Iterable[str], images: Tensor) -> dict[str, str]:
    """Map each batch norm to the layer whose output it gets in a forward pass, or to ""."""
    modules = dict(model.named_modules())
    found, outputs = dict.fromkeys(batch_norms, ""), {}

    def keep(name: str, module: nn.Module, inputs: tuple, output: Tensor) -> None:
        outputs[name] = ref(output)

    def find(name: str, module: nn.Module, inputs: tuple) -> None:
        given = only_input(module, inputs)
        source = next((each for each, output in outputs.items() if output() is given), "")
        found[name] = source if _can_merge(modules.get(source), module) else ""

    with ExitStack() as hooks, torch.no_grad():
        for name, module in modules.items():
            if isinstance(module, Linear):
                hooks.callback(module.register_forward_hook(partial(keep, name)).remove)
            elif name in found:
                hooks.callback(module.register_forward_pre_hook(partial(find, name)).remove)
        run(model, images[:1].clone())
    return found


def _can_merge(layer: nn.Module | None, norm: _BatchNorm) -> bool:
    fits = isinstance(layer, Linear) and _width(layer) == norm.num_features
    return fits and norm.affine and norm.track_running_stats and not _computed(norm) + _computed(layer)


def _width(layer: nn.Module) -> int:
    """Return the number of outputs that have weights of their own.

    A transposed convolution with groups has more outputs than that.
    """
    return layer.weight.shape[1 if isinstance(layer, ConvolutionTranspose) else 0]


@contextmanager
def merged(model: nn.Module, batch_norms: Mapping[str, str]) -> Iterator[None]:
    """Merge batch norms into their layers inside this context. A merged batch norm returns its input.

    A batch norm that contains its activation (timm's ``BatchNormAct2d``) then returns the activation of its
    input.

    Args:
        model: The network, in evaluation mode. Its weights are restored afterwards.
        batch_norms: Name of a batch norm -> name of its layer or "", from :func:`merged_batch_norms`.

    Yields:
        Nothing.

    Raises:
        ValueError: A tensor that would change is shared with another module.

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4, eps=3.)).eval()
    >>> with merged(net, {"1": "0"}):
    ...     merged_weight = net[0].weight.clone()
    >>> torch.allclose(net[0].weight, 2 * merged_weight)
    True
    """
    modules, owners = dict(model.named_modules()), _owners(model)
    pairs = [(modules[linear], modules[norm]) for norm, linear in batch_norms.items() if linear]
    with ExitStack() as undo:
        for linear, norm in pairs:
            tensors = [*_own_tensors(linear), *_own_tensors(norm)]
            _check_unshared(tensors, owners)
            values = [(tensor, tensor.data) for tensor in tensors]
            undo.callback(_restore, linear, linear.bias is not None, values)
            MergeBatchNorm.merge_batch_norm([linear], norm)
            undo.callback(setattr, norm, "eps", norm.eps)
            norm.eps = 0.0  # so that it changes nothing
            if next(norm.children(), None) is None:
                undo.enter_context(_without_effect(norm))
        yield


@contextmanager
def _without_effect(norm: _BatchNorm) -> Iterator[None]:
    """Let a batch norm return its input inside this context, as a node of the graph without a computation."""
    own = {"forward": norm.forward} if "forward" in vars(norm) else {}
    norm.forward = Merged.apply
    try:
        yield
    finally:
        del norm.forward
        vars(norm).update(own)


def check_plain(name: str, module: nn.Module) -> None:
    """Raise an error if a layer computes its weight or bias at every call, so that it cannot be replaced.

    Args:
        name: The name of the layer, for the message.
        module: The layer.

    Raises:
        ValueError: The layer is pruned, or has weight norm or spectral norm; the message says how to undo
            that.

    >>> check_plain("0", nn.utils.parametrizations.weight_norm(nn.Linear(2, 1)))
    Traceback (most recent call last):
    ...
    ValueError: layer '0' computes its weight at every call (pruning, weight norm, spectral norm), ...
    """
    for parameter in _computed(module):
        raise ValueError(
            f"layer {name!r} computes its {parameter} at every call (pruning, weight norm, spectral norm), "
            "and relevance propagation needs it fixed: undo that in a copy of the model, by "
            f'torch.nn.utils.prune.remove(layer, "{parameter}"), '
            f'torch.nn.utils.parametrize.remove_parametrizations(layer, "{parameter}"), '
            "torch.nn.utils.remove_weight_norm(layer) or torch.nn.utils.remove_spectral_norm(layer)"
        )


def _computed(module: nn.Module) -> list[str]:
    """Return which of weight and bias are not parameters of the module itself."""
    return [name for name in ("weight", "bias") if name not in module._parameters]


def _own_tensors(module: nn.Module) -> list[Tensor]:
    return [*module.parameters(recurse=False), *module.buffers(recurse=False)]


def _owners(model: nn.Module) -> dict[Tensor, list[str]]:
    """Map each parameter and buffer to the names of the modules that have it."""
    owners: dict[Tensor, list[str]] = {}
    for name, module in model.named_modules():
        for tensor in _own_tensors(module):
            owners.setdefault(tensor, []).append(name)
    return owners


def _check_unshared(tensors: Sequence[Tensor], owners: Mapping[Tensor, Sequence[str]]) -> None:
    for tensor in tensors:
        if len(owners[tensor]) > 1:
            raise ValueError(
                f"modules {' and '.join(map(repr, owners[tensor]))} share weights, and relevance propagation "
                "merges a batch norm into one of them: in a copy of the model give each its own, "
                "module.weight = nn.Parameter(module.weight.detach().clone())"
            )


def _restore(linear: nn.Module, has_bias: bool, tensors: Sequence[tuple[Tensor, Tensor]]) -> None:
    """Restore the values of tensors, and remove the bias that the merge added."""
    if not has_bias:
        linear.bias = None
    for tensor, values in tensors:
        tensor.data = values
