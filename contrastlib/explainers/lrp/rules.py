"""What relevance does at each operation of a network: its rules, and which operations have none.

Zennit supplies the rules of linear layers. What this module adds is what makes them hold on networks as
they are written, and cost no more than they must:

- A rule stands in the place of an operation's gradient, which is neither computed nor prepared for.
- Batch norms are merged into the convolution before them, so that they take no relevance of their own
  and the signs of their scales count in the z+ rule. Merged layers compute what they did before.
- Additions (residual blocks) and average pooling written as functions get rules as well.
- ReLUs pass relevance unchanged, modules and functions alike; maximum pooling gives all to the winner.

A network with any other operation is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn.modules.batchnorm import _BatchNorm
from torch.overrides import TorchFunctionMode
from torch.utils.hooks import RemovableHandle
from zennit.canonizers import MergeBatchNorm
from zennit.core import BasicHook, Stabilizer
from zennit.rules import Epsilon, NoMod, Norm, ZBox, ZPlus
from zennit.types import ConvolutionTranspose, Linear

RULES = ("z_plus", "epsilon", "z")
POOLING = ("even", "proportional")
EPSILON = 0.25  # of the epsilon rule, in units of the root mean square of a layer's outputs

AVERAGES = {"mean", "avg_pool2d", "adaptive_avg_pool2d"}
PASSED = {"Relu", "Hardtanh"}
# steps whose gradient moves relevance and changes none of it
MOVING = {
    "View", "UnsafeView", "ReshapeAlias", "Squeeze", "Unsqueeze", "Cat", "Slice", "Split", "ConstantPadNd", "Permute",
    "Transpose", "AsStrided", "Clone", "Alias", "Copy", "MaxPool2DWithIndices", "AdaptiveMaxPool2D", "Mean",
    "AvgPool2D", "AdaptiveAvgPool2D", "AccumulateGrad",
}  # fmt: skip
FAMILIAR = (Linear, _BatchNorm, nn.ReLU, nn.ReLU6, nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.Dropout,
            nn.Flatten, nn.Identity)


def zennit_rules(rules: str, biases: bool, low: Tensor, high: Tensor) -> tuple[BasicHook, BasicHook, BasicHook]:
    """Zennit's rules of the first layer, of the other linear layers, and of sums and averages.

    Args:
        rules, biases: see :func:`contrastlib.explainers.lrp.propagation.propagation`.
        low, high: range of what enters the first layer, for the rule of z_plus there.

    >>> zennit_rules("z_plus", False, torch.zeros(1), torch.ones(1))[0].__class__.__name__
    'ZBox'
    """
    zero = None if biases else ["bias"]
    if rules == "z_plus":
        agreeing = BasicHook(
            input_modifiers=[lambda x: x.clamp(min=0), lambda x: x.clamp(max=0)],
            param_modifiers=[NoMod(param_keys=[])] * 2,
            gradient_mapper=_to_those_that_agree,
        )
        return ZBox(low, high, stabilizer=divisor), _ZPlus(zero_params=zero), agreeing
    stabilizer = partial(divisor, epsilon=EPSILON) if rules == "epsilon" else divisor
    linear = Epsilon(stabilizer, zero_params=zero)
    return linear, linear, Norm(stabilizer)


class _ZPlus(ZPlus):
    """Zennit's rule, without its half for negative inputs where there are none, as behind a ReLU."""

    def __init__(self, zero_params: list[str] | None):
        super().__init__(zero_params=zero_params)
        self.gradient_mapper = lambda relevance, halves: [relevance / divisor(sum(halves))] * len(halves)
        self.reducer = self._default_reducer

    def forward(self, module: nn.Module, inputs: tuple, output: Tensor) -> None:
        super().forward(module, inputs, output)
        if not (inputs[0] < 0).any():
            self.input_modifiers, self.param_modifiers = self.input_modifiers[:1], self.param_modifiers[:1]


class _Ruled(Function):
    """What an operation made of ``x``; on the way back relevance follows its rule."""

    @staticmethod
    def forward(ctx, x: Tensor, module: nn.Module, inputs: tuple, output: Tensor, rule: BasicHook) -> Tensor:
        rule.forward(module, inputs, output)
        ctx.module, ctx.inputs, ctx.rule = module, inputs, rule
        return output.clone()  # what is handed in comes back as a view, which nothing could change in place

    @staticmethod
    def backward(ctx, relevance: Tensor) -> tuple[Tensor | None, ...]:
        return *ctx.rule.backward(ctx.module, ctx.inputs, (relevance,)), None, None, None, None


@contextmanager
def ruled_layers(model: nn.Module, first: nn.Module, pixels: BasicHook, linear: BasicHook) -> Iterator[None]:
    """While active, layers with weights run with a rule.

    Args:
        first: the layer of ``pixels``, the rule at the pixels.
        linear: the rule of all others.

    >>> net, x = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1)), torch.ones(1, 2, requires_grad=True)
    >>> with ruled_layers(net, net[0], *zennit_rules("z", True, None, None)[:2]):
    ...     output = net(x)
    >>> relevance, = torch.autograd.grad(output.sum(), x)
    """
    handles = []
    for module in model.modules():
        if isinstance(module, Linear):
            handles += _attach(module, (pixels if module is first else linear).copy())
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _attach(module: nn.Module, rule: BasicHook) -> tuple[RemovableHandle, RemovableHandle]:
    entered = []

    def enter(module: nn.Module, inputs: tuple) -> Tensor:
        entered.append(inputs[0])
        return _own(inputs[0])

    def leave(module: nn.Module, inputs: tuple, output: Tensor) -> Tensor:
        return _Ruled.apply(entered.pop(), module, inputs, output.detach(), rule)

    # nearest to the layer, so that the hooks of others see what is on the way back
    return module.register_forward_pre_hook(enter), module.register_forward_hook(leave, prepend=True)


def _own(x: Tensor) -> Tensor:
    """What a rule keeps, and the operation sees: others may change ``x`` in place."""
    return x.detach().clone()


def divisor(sums: Tensor, epsilon: float = 0.0) -> Tensor:
    """Sums of contributions, moved away from 0 by ``epsilon`` of their root mean square, as divisors of relevance.

    A sum of 0 becomes infinite: a unit that nothing contributes to passes nothing on, 0 / 0 = 0.

    >>> 5 / divisor(torch.tensor([[2., -2., 0.]]))
    tensor([[ 2.5000, -2.5000,  0.0000]])
    """
    moved = Stabilizer(epsilon, norm_scale=True)(sums) if epsilon else sums
    return torch.where(moved.abs() < torch.finfo(moved.dtype).tiny ** 0.5, torch.inf, moved)


def _to_those_that_agree(relevance: Tensor, outputs: list[Tensor]) -> list[Tensor]:
    """z+ for sums that may be negative, as between MobileNet V2's blocks: contributions of the sum's own sign count."""
    positive, negative = outputs
    up = positive + negative >= 0
    return [relevance * up / divisor(positive), relevance * ~up / divisor(negative)]


def merged_batch_norms(model: nn.Module) -> dict[str, str]:
    """Name of each batch norm -> that of the layer defined just before it, "" where it cannot be merged.

    >>> merged_batch_norms(nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.ReLU(), nn.BatchNorm2d(4)))
    {'1': '0', '3': ''}
    """
    merged, before = {}, ("", None)
    for name, module in model.named_modules():
        if next(module.children(), None) is not None:
            continue
        if isinstance(module, _BatchNorm):
            fits = isinstance(before[1], Linear) and _width(before[1]) == module.num_features
            fixed = fits and module.affine and module.track_running_stats and not _computed(module) + _computed(before[1])
            merged[name] = before[0] if fixed else ""
        before = name, module
    return merged


def _width(layer: nn.Module) -> int:
    """The outputs that a layer's weights tell apart, fewer than it has if it is transposed and in groups."""
    return layer.weight.shape[1 if isinstance(layer, ConvolutionTranspose) else 0]


@contextmanager
def merged(model: nn.Module, batch_norms: dict[str, str]) -> Iterator[None]:
    """While active, layers do what the batch norms behind them did, and these pass on what they get.

    Args:
        batch_norms: name of each batch norm -> that of its layer or "", from :func:`merged_batch_norms`.

    Raises:
        ValueError: what would be changed is shared with another module.

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4, eps=3.)).eval()
    >>> with merged(net, merged_batch_norms(net)):
    ...     merged_weight = net[0].weight.clone()
    >>> torch.allclose(net[0].weight, 2 * merged_weight)
    True
    """
    modules, owners = dict(model.named_modules()), _owners(model)
    with ExitStack() as undo:
        for linear, norm in [(modules[linear], modules[norm]) for norm, linear in batch_norms.items() if linear]:
            tensors = [*_own_tensors(linear), *_own_tensors(norm)]
            _check_unshared(tensors, owners)
            undo.callback(_put_back, linear, linear.bias is not None, [(tensor, tensor.data) for tensor in tensors])
            MergeBatchNorm.merge_batch_norm([linear], norm)
            undo.callback(norm.register_forward_hook(_pass_on).remove)
        yield


def _pass_on(module: nn.Module, inputs: tuple, output: Tensor) -> Tensor:
    return inputs[0]


def check_plain(name: str, module: nn.Module) -> None:
    """Refuse a layer whose weight or bias is computed at every call: what rules put there would not be used.

    >>> check_plain("0", nn.utils.parametrizations.weight_norm(nn.Linear(2, 1)))
    Traceback (most recent call last):
    ...
    ValueError: layer '0' computes its weight at every call (pruning, weight norm, spectral norm), ...
    """
    for parameter in _computed(module):
        raise ValueError(
            f"layer {name!r} computes its {parameter} at every call (pruning, weight norm, spectral norm), and relevance "
            "propagation needs it fixed: undo that in a copy of the model, by torch.nn.utils.prune.remove(layer, "
            f'"{parameter}"), torch.nn.utils.parametrize.remove_parametrizations(layer, "{parameter}"), '
            "torch.nn.utils.remove_weight_norm(layer) or torch.nn.utils.remove_spectral_norm(layer)"
        )


def _computed(module: nn.Module) -> list[str]:
    return [name for name in ("weight", "bias") if name not in module._parameters]


def _own_tensors(module: nn.Module) -> list[Tensor]:
    return [*module.parameters(recurse=False), *module.buffers(recurse=False)]


def _owners(model: nn.Module) -> dict[Tensor, list[str]]:
    owners: dict[Tensor, list[str]] = {}
    for name, module in model.named_modules():
        for tensor in _own_tensors(module):
            owners.setdefault(tensor, []).append(name)
    return owners


def _check_unshared(tensors: list[Tensor], owners: dict[Tensor, list[str]]) -> None:
    for tensor in tensors:
        if len(owners[tensor]) > 1:
            raise ValueError(
                f"modules {' and '.join(map(repr, owners[tensor]))} share weights, and relevance propagation merges a batch "
                "norm into one of them: in a copy of the model give each its own, module.weight = "
                "nn.Parameter(module.weight.detach().clone())"
            )


def _put_back(linear: nn.Module, has_bias: bool, tensors: list[tuple[Tensor, Tensor]]) -> None:
    if not has_bias:
        linear.bias = None  # the merging gave it one
    for tensor, values in tensors:
        tensor.data = values


class RuledFunctions(TorchFunctionMode):
    """While active, additions of two activations, and averages if ``averages``, run with a rule."""

    def __init__(self, rule: BasicHook, averages: bool):
        super().__init__()
        self.rule, self.averages = rule, AVERAGES if averages else set()
        self.stacks: set = set()  # steps of the graph from the addends of an addition to one tensor

    def __torch_function__(self, func: Callable, types: tuple, args: tuple = (), kwargs: dict | None = None):
        kwargs, name = kwargs or {}, getattr(func, "__name__", "")
        if name in ("add", "add_", "__add__", "__iadd__") and not kwargs and _same_places(args):
            addends = torch.stack(args, dim=-1)
            self.stacks.add(addends.grad_fn)
            total = self._with_rule(_Function(torch.sum, (), {"dim": -1}), addends)
            return args[0].copy_(total) if name in ("add_", "__iadd__") else total
        if name in self.averages and args and getattr(args[0], "requires_grad", False):
            return self._with_rule(_Function(func, args[1:], kwargs), args[0])
        return func(*args, **kwargs)

    def _with_rule(self, module: _Function, x: Tensor) -> Tensor:
        inputs = (_own(x),)
        return _Ruled.apply(x, module, inputs, module(*inputs), self.rule.copy())


class _Function(nn.Module):
    """A function as a module, which rules can be attached to."""

    def __init__(self, function: Callable, args: tuple, kwargs: dict):
        super().__init__()
        self.function, self.args, self.kwargs = function, args, kwargs

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x, *self.args, **self.kwargs)


def _same_places(args: tuple) -> bool:
    return (
        len(args) == 2 and all(isinstance(a, Tensor) and a.requires_grad for a in args) and args[0].shape == args[1].shape
    )


def check_graph(model: nn.Module, outputs: Tensor, stacks: set) -> None:
    """Refuse steps without a rule; let ReLUs pass relevance.

    Args:
        outputs: where relevance enters.
        stacks: of :class:`RuledFunctions`, the only ones that belong to a rule.

    Raises:
        ValueError: there is another step than these, rules and those that only move relevance.

    >>> x = torch.rand(2, 3, requires_grad=True)
    >>> check_graph(nn.Sigmoid(), x.sigmoid(), set())
    Traceback (most recent call last):
    ...
    ValueError: relevance propagation has no rule for an operation of Sigmoid (Sigmoid). ...
    """
    seen, waiting = set(), [outputs.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        waiting += [parent for parent, _ in node.next_functions]
        kind = re.sub(r"^torch::autograd::|Backwards?\d*$", "", node.name())
        if kind in PASSED:
            node.register_hook(lambda below, above: above)
        elif node not in stacks and kind != _Ruled.__name__ and kind not in MOVING:
            raise ValueError(
                f"relevance propagation has no rule for an operation of {type(model).__name__} ({kind}). It covers "
                "convolutions, linear layers, batch norm after them, ReLU, pooling, concatenation and the addition of "
                f"equally large activations; modules of other kinds here: {unfamiliar(model, FAMILIAR)}"
            )


def unfamiliar(model: nn.Module, familiar: tuple[type, ...]) -> str:
    """Names and kinds of at most three modules that are none of these and hold no others, for error messages.

    >>> unfamiliar(nn.Sequential(nn.Linear(2, 2), nn.Tanh()), FAMILIAR)
    '1 (Tanh)'
    """
    strange = [
        f"{name} ({type(module).__name__})" for name, module in model.named_modules()
        if next(module.children(), None) is None and not isinstance(module, familiar)
    ]
    return ", ".join(strange[:3]) or "none"
