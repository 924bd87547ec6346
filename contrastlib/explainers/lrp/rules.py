"""The rules by which relevance passes linear layers, sums and averages.

Zennit has the rules. This module makes them hold for networks as they are usually written:

- A rule replaces the gradient of an operation, which is not computed.
- Additions (residual blocks) and average pooling have rules too, also if they are functions and not modules.

ReLUs pass relevance unchanged, and maximum pooling passes all of it to the maximum.
:mod:`contrastlib.explainers.lrp.operations` gives the rules to the operations of a network.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from functools import partial, reduce
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from zennit.core import BasicHook, ParamMod, Stabilizer
from zennit.rules import ClampMod, NoMod

RULES = ("z_plus", "epsilon", "z")
"""Names of the rules; :func:`contrastlib.explainers.lrp.propagation.propagation` has their formulas."""
POOLING = ("even", "proportional")
"""Rules of average pooling."""
EPSILON = 0.25  # of the epsilon rule, in units of the root mean square of the outputs of a layer
PART = 2**20  # weights of a matrix that are modified at once


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
    sums = BasicHook([_itself], [no_weights], gradient_mapper=mapper)
    return Rules(linear, linear, sums, lambda term, total: term / divided(total))


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

    def backward(self, module: nn.Module, inputs: tuple, relevance: tuple) -> tuple[Tensor]:
        """Propagate relevance to the input of a layer.

        A large matrix is taken a part of its outputs at a time. A copy of the weights of VGG-16's classifier
        would need as much memory as the network, and take longer than their products.

        Args:
            module: The layer.
            inputs: Its input, detached, in a tuple.
            relevance: The relevance of its output, in a tuple.

        Returns:
            The relevance of its input, in a tuple.
        """
        backward = super().backward
        if type(module) is not nn.Linear or "forward" in vars(module) or module.weight.numel() <= PART:
            return backward(module, inputs, relevance)
        parts = zip(*_parts(module, relevance[0]))
        return (reduce(Tensor.add_, (backward(part, inputs, (above,))[0] for part, above in parts)),)


def _parts(layer: nn.Linear, relevance: Tensor) -> tuple[list[nn.Linear], Sequence[Tensor]]:
    """Split a linear layer, and the relevance of its outputs, into parts of at most ``PART`` weights."""
    rows, parts = max(1, PART // layer.in_features), []
    for first in range(0, layer.out_features, rows):
        part = copy(layer)
        part._parameters = {
            name: whole if whole is None else nn.Parameter(whole.data[first : first + rows], False)
            for name, whole in layer._parameters.items()
        }
        parts.append(part)
    return parts, relevance.split(rows, dim=-1)


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
