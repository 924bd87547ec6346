"""The rules by which relevance passes linear layers, sums and averages.

Zennit has the rules. This module makes them hold for networks as they are usually written:

- A rule replaces the gradient of an operation, which is not computed.
- Additions (residual blocks) and average pooling have rules too, also if they are functions and not modules.

ReLUs pass relevance unchanged, and maximum pooling passes all of it to the maximum.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from numbers import Number
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import FunctionCtx
from torch.autograd.graph import Node
from torch.overrides import TorchFunctionMode
from torch.utils.hooks import RemovableHandle
from zennit.core import BasicHook, Stabilizer
from zennit.rules import Epsilon, NoMod, Norm, ZBox, ZPlus
from zennit.types import Linear

from contrastlib.explainers._functions import MASKING, function_name, is_in_place, relu_by_mask

RULES = ("z_plus", "epsilon", "z")
"""Names of the rules; :func:`contrastlib.explainers.lrp.propagation.propagation` has their formulas."""
POOLING = ("even", "proportional")
"""Rules of average pooling."""
EPSILON = 0.25  # of the epsilon rule, in units of the root mean square of the outputs of a layer

AVERAGES = {"mean", "avg_pool2d", "adaptive_avg_pool2d"}
IN_PLACE = {"add_", "__iadd__"}
ADDITIONS = {"add", "add_", "__add__", "__iadd__", "__radd__"}


def zennit_rules(
    rules: str, biases: bool, low: Tensor, high: Tensor
) -> tuple[BasicHook, BasicHook, BasicHook]:
    """Make the rules of the first layer, of the other linear layers, and of sums and averages.

    Args:
        rules: A name in ``RULES``.
        biases: Whether biases take relevance.
        low: The lowest input of the first layer, for the z+ rule.
        high: The highest input of the first layer, for the z+ rule.

    Returns:
        The three rules.

    >>> zennit_rules("z_plus", False, torch.zeros(1), torch.ones(1))[0].__class__.__name__
    'ZBox'
    """
    zero = None if biases else ["bias"]
    if rules == "z_plus":
        sums = BasicHook(
            input_modifiers=[lambda x: x.clamp(min=0), lambda x: x.clamp(max=0)],
            param_modifiers=[NoMod(param_keys=[])] * 2,
            gradient_mapper=_to_same_sign,
        )
        return ZBox(low, high, stabilizer=divisor), _ZPlus(zero_params=zero), sums
    stabilizer = partial(divisor, epsilon=EPSILON) if rules == "epsilon" else divisor
    linear = Epsilon(stabilizer, zero_params=zero)
    return linear, linear, Norm(stabilizer)


class _ZPlus(ZPlus):
    """Zennit's z+ rule, without its computation for negative inputs if there are none, as after a ReLU."""

    def __init__(self, zero_params: list[str] | None) -> None:
        super().__init__(zero_params=zero_params)
        self.gradient_mapper = lambda relevance, parts: [relevance / divisor(sum(parts))] * len(parts)
        self.reducer = self._default_reducer

    def forward(self, module: nn.Module, inputs: tuple, output: Tensor) -> None:
        super().forward(module, inputs, output)
        if not (inputs[0] < 0).any():
            self.input_modifiers, self.param_modifiers = self.input_modifiers[:1], self.param_modifiers[:1]


def _to_same_sign(relevance: Tensor, outputs: Sequence[Tensor]) -> list[Tensor]:
    """The z+ rule of a sum: the terms that have the sign of the sum take its relevance.

    Sums can be negative, as between the blocks of MobileNet V2.
    """
    positive, negative = outputs
    is_positive = positive + negative >= 0
    return [relevance * is_positive / divisor(positive), relevance * ~is_positive / divisor(negative)]


def divisor(sums: Tensor, epsilon: float = 0.0) -> Tensor:
    """Turn sums of contributions into divisors of relevance.

    Args:
        sums: Sums of contributions (B, ...).
        epsilon: The distance by which sums are moved away from 0, in units of their root mean square.

    Returns:
        The divisors (B, ...). A sum of 0 becomes infinite, so that a unit without contributions passes no
        relevance: 0 / 0 counts as 0.

    >>> 5 / divisor(torch.tensor([[2., -2., 0.]]))
    tensor([[ 2.5000, -2.5000,  0.0000]])
    """
    moved = Stabilizer(epsilon, norm_scale=True)(sums) if epsilon else sums
    return torch.where(moved.abs() < torch.finfo(moved.dtype).tiny ** 0.5, torch.inf, moved)


class Ruled(Function):
    """An operation whose backward pass is a rule instead of its gradient."""

    @staticmethod
    def forward(
        ctx: FunctionCtx, x: Tensor, module: nn.Module, inputs: tuple, output: Tensor, rule: BasicHook
    ) -> Tensor:
        """Return the output of the operation.

        Args:
            ctx: The context of the function.
            x: The input of the operation, with its graph.
            module: The operation.
            inputs: The input of the operation, detached, in a tuple.
            output: The output of the operation, detached.
            rule: The rule of the operation.

        Returns:
            The output.
        """
        rule.forward(module, inputs, output)
        ctx.module, ctx.inputs, ctx.rule = module, inputs, rule
        return output.clone()  # an input that is returned would be a view, which cannot be changed in place

    @staticmethod
    def backward(ctx: FunctionCtx, relevance: Tensor) -> tuple[Tensor | None, ...]:
        """Propagate relevance to the input of the operation by its rule."""
        return *ctx.rule.backward(ctx.module, ctx.inputs, (relevance,)), None, None, None, None


@contextmanager
def ruled_layers(model: nn.Module, first: nn.Module, pixels: BasicHook, linear: BasicHook) -> Iterator[None]:
    """Give each linear layer and convolution a rule inside this context.

    Args:
        model: The network.
        first: The first layer, whose inputs are the pixels.
        pixels: The rule of the first layer.
        linear: The rule of the other layers.

    Yields:
        Nothing.

    >>> net = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1))
    >>> x = torch.ones(1, 2, requires_grad=True)
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
    """Run a layer on a copy of its input without a graph, and apply its rule to the result."""
    waiting = []

    def before(module: nn.Module, inputs: tuple) -> Tensor:
        waiting.append(inputs[0])
        return _copy(inputs[0])

    def after(module: nn.Module, inputs: tuple, output: Tensor) -> Tensor:
        return Ruled.apply(waiting.pop(), module, inputs, output.detach(), rule)

    # These hooks are the closest to the layer, so that other hooks see the tensors that have a graph.
    return module.register_forward_pre_hook(before), module.register_forward_hook(after, prepend=True)


def _copy(x: Tensor) -> Tensor:
    """Copy an input for a rule to keep. The network can change ``x`` in place later."""
    return x.detach().clone()


class RuledFunctions(TorchFunctionMode):
    """A context in which additions of two activations, sums and averages have a rule.

    Adding 0 changes nothing. A ReLU that is written with a mask becomes ``torch.relu``.

    Args:
        rule: The rule.
        averages: Whether averages have the rule. If not, they pass relevance like their gradient, evenly.

    Attributes:
        stacks: The nodes of the graph that stack the two terms of an addition.
    """

    def __init__(self, rule: BasicHook, averages: bool) -> None:
        super().__init__()
        self.rule, self.averages = rule, AVERAGES if averages else set()
        self.stacks: set[Node] = set()

    def __torch_function__(
        self, func: Callable, types: Sequence[type], args: tuple = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs, name = kwargs or {}, getattr(func, "__name__", "")
        if name in ADDITIONS:
            args, kwargs = _terms(args, kwargs)
            if not kwargs and (x := _unchanged(args)) is not None:
                return x if name in IN_PLACE else x.clone()
        if name in ADDITIONS and not kwargs and _are_activations(args):
            terms = torch.stack(args, dim=-1)
            self.stacks.add(terms.grad_fn)
            total = self._with_rule(_Function(torch.sum, (), {"dim": -1}), terms)
            return args[0].copy_(total) if name in IN_PLACE else total
        if name.strip("_") in MASKING | {"rmul", "imul"} and not is_in_place(func, kwargs):
            x = relu_by_mask(function_name(func), args, kwargs)
            if x is not None:
                return torch.relu(x)
        if name == "sum" and args and getattr(args[0], "requires_grad", False):
            return self._sum(func, args[0], args[1:], kwargs)
        if name in self.averages and args and getattr(args[0], "requires_grad", False):
            return self._with_rule(_Function(func, args[1:], kwargs), args[0])
        return func(*args, **kwargs)

    def _sum(self, func: Callable, x: Tensor, args: tuple, kwargs: Mapping[str, Any]) -> Tensor:
        """Sum as an addition if ``x`` is a stack of terms, and otherwise as an average times their number."""
        if self.averages or x.grad_fn.name().startswith("Stack"):
            return self._with_rule(_Function(func, args, kwargs), x)
        average = torch.mean(x, *args, **kwargs)
        return average * (x.numel() / average.numel())

    def _with_rule(self, module: _Function, x: Tensor) -> Tensor:
        inputs = (_copy(x),)
        return Ruled.apply(x, module, inputs, module(*inputs), self.rule.copy())


class _Function(nn.Module):
    """A function as a module, as Zennit's rules need it."""

    def __init__(self, function: Callable, args: tuple, kwargs: Mapping[str, Any]) -> None:
        super().__init__()
        self.function, self.args, self.kwargs = function, args, kwargs

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x, *self.args, **self.kwargs)


def _terms(args: tuple, kwargs: Mapping[str, Any]) -> tuple[tuple, dict[str, Any]]:
    """Return the arguments of an addition without an ``alpha`` of 1, the terms by position."""
    rest = {name: value for name, value in kwargs.items() if (name, value) != ("alpha", 1)}
    return (*args, *(rest.pop(name) for name in ("input", "other") if name in rest)), rest


def _unchanged(args: tuple) -> Tensor | None:
    """Return the activation to which 0 is added, as Python's ``sum`` does first. None if there is none."""
    activations = [each for each in args if isinstance(each, Tensor) and each.requires_grad]
    constants = [each for each in args if isinstance(each, Number)]
    return activations[0] if len(activations) == 1 and constants == [0] else None


def _are_activations(args: tuple) -> bool:
    """Tell whether the arguments of an addition are two tensors of the same shape that require a gradient."""
    if len(args) != 2 or not all(isinstance(each, Tensor) and each.requires_grad for each in args):
        return False
    return args[0].shape == args[1].shape
