"""Operations of a network that run with the rules of :mod:`contrastlib.explainers.lrp.rules`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from numbers import Number
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import FunctionCtx
from torch.overrides import TorchFunctionMode
from torch.utils.hooks import RemovableHandle
from zennit.core import BasicHook
from zennit.types import Linear

from contrastlib.explainers._functions import MASKING, function_name, is_in_place, relu_by_mask
from contrastlib.explainers.lrp.rules import Rules

AVERAGES = {"mean", "avg_pool2d", "adaptive_avg_pool2d"}
IN_PLACE = {"add_", "__iadd__"}
ADDITIONS = {"add", "add_", "__add__", "__iadd__", "__radd__"}


class Ruled(Function):
    """An operation whose backward pass is a rule instead of its gradient."""

    @staticmethod
    def forward(
        ctx: FunctionCtx,
        rule: Callable[[Tensor], Sequence[Tensor]],
        output: list[Tensor],
        in_place: bool,
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


class Passed(Function):
    """A ReLU in whose backward pass relevance passes unchanged. The gradient of a ReLU is not computed."""

    @staticmethod
    def forward(ctx: FunctionCtx, relu: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        """Return the output of the ReLU.

        Args:
            ctx: The context of the function.
            relu: The ReLU, which may change its input in place.
            x: Its input, with its graph.

        Returns:
            The output.
        """
        output = relu(x)
        if output is x:
            ctx.mark_dirty(x)
        return output

    @staticmethod
    def backward(ctx: FunctionCtx, relevance: Tensor) -> tuple[None, Tensor]:
        """Propagate relevance to the input of the ReLU."""
        return None, relevance


class Merged(Function):
    """A batch norm that is merged into the layer before, and returns its input without a computation."""

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor) -> Tensor:
        """Return the values of the input, which share its memory."""
        return x.data

    @staticmethod
    def backward(ctx: FunctionCtx, relevance: Tensor) -> Tensor:
        """Propagate relevance to the input."""
        return relevance


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

    >>> from contrastlib.explainers.lrp.rules import zennit_rules
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
        waiting.append(only_input(module, inputs))
        return _copy(waiting[-1])

    def after(module: nn.Module, inputs: tuple, output: Tensor) -> Tensor:
        return _ruled(waiting.pop(), module, inputs, output.detach(), rule)

    # These hooks are the closest to the layer, so that other hooks see the tensors that have a graph.
    return module.register_forward_pre_hook(before), module.register_forward_hook(after, prepend=True)


def only_input(module: nn.Module, inputs: tuple) -> Tensor:
    """Return the input of a layer, as a hook before its forward pass gets it.

    Args:
        module: The layer.
        inputs: Its inputs by position.

    Raises:
        ValueError: It was given by its name, of which hooks are not told.

    >>> only_input(nn.Linear(2, 1), (torch.zeros(2),))
    tensor([0., 0.])
    """
    if not inputs:
        raise ValueError(
            f"the network gives the layer {module} its input by name, as in layer(input=x), and relevance "
            "propagation needs it by position: write layer(x)"
        )
    return inputs[0]


def _copy(x: Tensor) -> Tensor:
    """Copy an input for a rule to keep. The network can change ``x`` in place later."""
    return x.detach().clone()


class RuledFunctions(TorchFunctionMode):
    """A context in which additions of two activations, sums and averages have a rule.

    Adding 0 changes nothing. ReLUs pass relevance unchanged, also those that are written with a mask.

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
                return Passed.apply(torch.relu, x)
        if name.strip("_") == "relu" and args and getattr(args[0], "requires_grad", False):
            return Passed.apply(lambda x: func(x, *args[1:], **kwargs), args[0])
        if name == "sum" and args and getattr(args[0], "requires_grad", False):
            return self._sum(func, args[0], args[1:], kwargs)
        if name in self.averages and args and getattr(args[0], "requires_grad", False):
            return self._with_rule(_Function(func, args[1:], kwargs), args[0])
        if name == "avg_pool2d" and args and getattr(args[0], "requires_grad", False):
            return _pooled_evenly(func, *args, **kwargs)
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


def _pooled_evenly(
    func: Callable,
    x: Tensor,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """Average, and let the pixels of each window share its relevance evenly. The padding gets none."""
    window = kernel_size, stride, padding, ceil_mode
    if divisor_override is None and not torch.as_tensor(padding).any():
        return func(x, *window)
    values = func(x.detach(), *window, count_include_pad, divisor_override)
    return Passed.apply(lambda _: values, func(x, *window, False))


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
