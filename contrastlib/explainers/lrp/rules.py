"""The rules by which relevance passes linear layers, sums and averages.

Zennit has the rules. This module makes them hold for networks as they are usually written:

- A rule replaces the gradient of an operation, which is not computed.
- Additions (residual blocks) and average pooling have rules too, also if they are functions and not modules.

ReLUs pass relevance unchanged, and maximum pooling passes all of it to the maximum.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial, reduce
from numbers import Number
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import FunctionCtx
from torch.nn import functional
from torch.overrides import TorchFunctionMode
from torch.utils.hooks import RemovableHandle
from zennit.core import BasicHook, ParamMod, Stabilizer
from zennit.rules import ClampMod, NoMod
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


class Rules(NamedTuple):
    """The rules of the operations of a network.

    Attributes:
        pixels: The rule of the first layer.
        linear: The rule of the other linear layers.
        sums: The rule of sums and averages of one tensor.
        share: An activation, its sum with another one -> the share of relevance that the activation gets.
    """

    pixels: BasicHook
    linear: BasicHook
    sums: BasicHook
    share: Callable[[Tensor, Tensor], Tensor]


def zennit_rules(rules: str, biases: bool, low: Tensor, high: Tensor) -> Rules:
    """Make the rules of the operations of a network.

    The z^B rule of the first layer is written as (x_i - l) w_ij^+ + (x_i - h) w_ij^-. No contribution is then
    negative, and two convolutions compute them instead of three.

    Args:
        rules: A name in ``RULES``.
        biases: Whether biases take relevance.
        low: The lowest input of the first layer, for the z+ rule.
        high: The highest input of the first layer, for the z+ rule.

    Returns:
        The rules.

    >>> zennit_rules("z", False, None, None).share(torch.tensor([1.0]), torch.tensor([4.0]))
    tensor([0.2500])
    """
    zero, no_weights = None if biases else "bias", NoMod(param_keys=[])
    if rules == "z_plus":
        signs = [lambda x: x.clamp(min=0), lambda x: x.clamp(max=0)]
        return Rules(
            Rule([lambda x: x - low, lambda x: x - high], _signs_of_weights("bias"), gradient_mapper=_evenly),
            _ZPlus(signs, _signs_of_weights(zero), gradient_mapper=_evenly),
            BasicHook(signs, [no_weights] * 2, gradient_mapper=_to_same_sign),
            # Of two terms of different signs, the larger one has the sign of the sum.
            lambda term, total: (term / total).clamp_(0, 1).nan_to_num_(0),
        )
    divided = partial(divisor, epsilon=EPSILON if rules == "epsilon" else 0.0)

    def mapper(relevance: Tensor, outputs: Sequence[Tensor]) -> list[Tensor]:
        return [relevance / divided(outputs[0])]

    linear = Rule([_itself], [NoMod(zero_params=zero)], gradient_mapper=mapper)
    return Rules(linear, linear, BasicHook([_itself], [no_weights], gradient_mapper=mapper), lambda term, total: term / divided(total))


class Rule(BasicHook):
    """A rule of a layer with weights, whose backward pass makes no copy that it does not need."""

    def backward(self, module: nn.Module, inputs: tuple, relevance: tuple) -> tuple[Tensor]:
        """Propagate relevance to the input of an operation.

        For each pair of modifiers it takes one operation forward and one transposed.

        Args:
            module: The operation.
            inputs: The input of the operation, detached, in a tuple.
            relevance: The relevance of its output, in a tuple.

        Returns:
            The relevance of its input, in a tuple.
        """
        modified = [modifier(inputs[0]).detach().requires_grad_() for modifier in self.input_modifiers]
        outputs = [self._output(module, *pair) for pair in zip(modified, self.param_modifiers)]
        shares = self.gradient_mapper(relevance[0], [output.detach() for output in outputs])
        gradients = torch.autograd.grad(outputs, modified, shares)
        return (reduce(Tensor.add_, map(Tensor.mul_, gradients, modified)),)

    @staticmethod
    @torch.enable_grad()
    def _output(module: nn.Module, x: Tensor, modifier: ParamMod) -> Tensor:
        with modifier(module) as changed:
            return changed.forward(x)


class _ZPlus(Rule):
    """The z+ rule, without its computation for negative inputs if there are none, as after a ReLU."""

    def forward(self, module: nn.Module, inputs: tuple, output: Tensor) -> None:
        super().forward(module, inputs, output)
        if not inputs[0].min() < 0:
            self.input_modifiers, self.param_modifiers = [_itself], self.param_modifiers[:1]


def _signs_of_weights(zero: str | None) -> list[ParamMod]:
    """Make the modifiers that keep the positive and the negative weights. The second has no bias."""
    return [ClampMod(min=0, zero_params=zero), ClampMod(max=0, zero_params="bias")]


def _itself(x: Tensor) -> Tensor:
    return x


def _evenly(relevance: Tensor, outputs: Sequence[Tensor]) -> list[Tensor]:
    """The rule of contributions that are not negative. It overwrites the outputs."""
    sums = reduce(Tensor.add_, outputs)
    share = relevance / functional.threshold_(sums, _smallest(sums), torch.inf)
    return [share] * len(outputs)


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
    return torch.where(moved.abs() < _smallest(moved), torch.inf, moved)


def _smallest(sums: Tensor) -> float:
    """Return the smallest sum that counts as one."""
    return torch.finfo(sums.dtype).tiny ** 0.5


class Ruled(Function):
    """An operation whose backward pass is a rule instead of its gradient."""

    @staticmethod
    def forward(
        ctx: FunctionCtx, rule: Callable[[Tensor], Sequence[Tensor]], output: list[Tensor], in_place: bool,
        *inputs: Tensor,
    ) -> Tensor:
        """Return the output of the operation.

        Args:
            ctx: The context of the function.
            rule: Relevance of the output -> relevance of each input.
            output: The output of the operation, detached, in a list: PyTorch would copy an argument.
            in_place: Whether the first input receives the output.
            *inputs: The inputs of the operation, with their graph.

        Returns:
            The output.
        """
        ctx.rule = rule
        if not in_place:
            return output[0]
        ctx.mark_dirty(inputs[0])
        return inputs[0].copy_(output[0])

    @staticmethod
    def backward(ctx: FunctionCtx, relevance: Tensor) -> tuple[Tensor | None, ...]:
        """Propagate relevance to the inputs of the operation by its rule."""
        return None, None, None, *ctx.rule(relevance)


def _ruled(x: Tensor, module: nn.Module, inputs: tuple[Tensor], output: Tensor, rule: BasicHook) -> Tensor:
    """Give the output of an operation the rule of its backward pass.

    Args:
        x: The input of the operation, with its graph.
        module: The operation.
        inputs: The input of the operation, detached, in a tuple.
        output: The output of the operation, detached.
        rule: The rule of the operation.

    Returns:
        The output, with its graph.
    """
    rule.forward(module, inputs, output)
    return Ruled.apply(lambda relevance: rule.backward(module, inputs, (relevance,)), [output], False, x)


@contextmanager
def ruled_layers(model: nn.Module, first: nn.Module, rules: Rules) -> Iterator[None]:
    """Give each linear layer and convolution a rule inside this context.

    Args:
        model: The network.
        first: The first layer, whose inputs are the pixels.
        rules: The rules.

    Yields:
        Nothing.

    >>> net = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1))
    >>> x = torch.ones(1, 2, requires_grad=True)
    >>> with ruled_layers(net, net[0], zennit_rules("z", True, None, None)):
    ...     output = net(x)
    >>> relevance, = torch.autograd.grad(output.sum(), x)
    """
    handles = []
    for module in model.modules():
        if isinstance(module, Linear):
            handles += _attach(module, (rules.pixels if module is first else rules.linear).copy())
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
        return _ruled(waiting.pop(), module, inputs, output.detach(), rule)

    # These hooks are the closest to the layer, so that other hooks see the tensors that have a graph.
    return module.register_forward_pre_hook(before), module.register_forward_hook(after, prepend=True)


def _copy(x: Tensor) -> Tensor:
    """Copy an input for a rule to keep. The network can change ``x`` in place later."""
    return x.detach().clone()


class RuledFunctions(TorchFunctionMode):
    """A context in which additions of two activations, sums and averages have a rule.

    Adding 0 changes nothing. A ReLU that is written with a mask becomes ``torch.relu``.

    Args:
        rules: The rules.
        averages: Whether averages have the rule. If not, they pass relevance like their gradient, evenly.
    """

    def __init__(self, rules: Rules, averages: bool) -> None:
        super().__init__()
        self.rules, self.averages = rules, AVERAGES if averages else set()

    def __torch_function__(
        self, func: Callable, types: Sequence[type], args: tuple = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs, name = kwargs or {}, getattr(func, "__name__", "")
        if name in ADDITIONS:
            args, kwargs = _terms(args, kwargs)
            if not kwargs and (x := _unchanged(args)) is not None:
                return x if name in IN_PLACE else x.clone()
        if name in ADDITIONS and not kwargs and _are_activations(args):
            return self._added(*args, in_place=name in IN_PLACE)
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
        return _ruled(x, module, inputs, module(*inputs), self.rules.sums.copy())

    def _added(self, x: Tensor, y: Tensor, in_place: bool) -> Tensor:
        """Add two activations, each of which gets its share of the relevance."""
        total = x.detach() + y.detach()
        shares = [self.rules.share(term.detach(), total) for term in (x, y)]
        return Ruled.apply(lambda relevance: [relevance * share for share in shares], [total], in_place, x, y)


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
