"""Layer-wise relevance propagation: one forward pass, then relevance from its outputs to the pixels.

:mod:`contrastlib.explainers.lrp.rules` has the rules of the operations. The operations before the first layer
with weights (normalisation, another order of channels) work element by element and pass relevance unchanged,
so maps belong to the pixels.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from zennit.core import ParamMod

from contrastlib._choices import check_choice
from contrastlib.autograd import (
    as_found,
    check_images,
    check_visible,
    find_layer,
    gradients,
    read_logits,
    recording,
    run,
    through_basis,
)
from contrastlib.explainers.lrp.batch_norms import merged, merged_batch_norms
from contrastlib.explainers.lrp.graph import check_graph
from contrastlib.explainers.lrp.operations import RuledFunctions, ruled_layers
from contrastlib.explainers.lrp.rules import POOLING, RULES, zennit_rules
from contrastlib.explainers.lrp.trace import Box, Trace, first_layer, tracing, without_backward_hooks

CHUNK = 4  # relevances propagated together: more of them are faster and need more memory


class Propagation:
    """A recorded forward pass through which relevance can be propagated; :func:`propagation` makes one.

    Args:
        outputs: The outputs with their graph.
        rules: The name of the rules.
        trace: What the forward pass recorded.
        shape: The shape (B, K, H, W) of the images.

    Attributes:
        outputs: The logits (B, C), or the outputs (B, C, ...) of the layer that was named; detached.
        rules: The name of the rules.
    """

    def __init__(self, outputs: Tensor, rules: str, trace: Trace, shape: torch.Size) -> None:
        self.outputs, self.rules = outputs.detach(), rules
        self._trace, self._shape = trace, shape
        self._ends: Tensor | None = outputs

    def __call__(self, relevance: Tensor, negated: bool = False) -> Tensor:
        """Propagate relevance from the outputs to the pixels.

        Args:
            relevance: The initial relevance, in the shape of the outputs or with N in front.
            negated: Whether the weights of the last layer are negated in this backward pass.

        Returns:
            Maps (B, K, H, W) or (N, B, K, H, W).

        Raises:
            TypeError: The relevance is not a tensor.
            ValueError: The relevance has a wrong shape or is not finite, or the last layer cannot be negated.
            FloatingPointError: The maps are not finite; the message names the layer.
            RuntimeError: The context of :func:`propagation` has ended.
        """
        if self._ends is None:
            raise RuntimeError("relevance propagates inside `with propagation(...)` only: its rules are gone")
        _check_relevance(relevance, self.outputs)
        several = relevance.reshape(-1, *self.outputs.shape).to(self.outputs)
        with self._negation() if negated else nullcontext():
            # Maps are linear in the initial relevance, so what several relevances share is propagated once.
            together = several.ndim == 3
            (maps,) = through_basis(self._maps_of, several) if together else self._maps_of(several)
        return maps.reshape(*relevance.shape[: relevance.ndim - self.outputs.ndim], *self._shape)

    def _maps_of(self, relevance: Tensor) -> list[Tensor]:
        return [torch.cat([self._backward(part) for part in relevance.split(CHUNK)])]

    def _backward(self, relevance: Tensor) -> Tensor:
        """Propagate relevances (N, B, ...) in one backward pass."""
        one = len(relevance) == 1
        maps = gradients(
            self._ends, self._trace.start, relevance[0] if one else relevance, retain_graph=True,
            is_grads_batched=not one,
        )[0]  # fmt: skip
        maps = maps[None] if one else maps
        lost = ~maps.flatten(2).isfinite().all(dim=2)
        if lost.any():
            self._raise_overflow(relevance[lost.any(dim=1)][0], int(lost.any(dim=0).sum()))
        return maps

    def _raise_overflow(self, relevance: Tensor, images: int) -> None:
        """Raise an error that names the last layer, in backward order, whose relevance is finite."""
        layers = list(self._trace.outputs)
        arriving = torch.autograd.grad(
            self._ends, list(self._trace.outputs.values()), relevance, retain_graph=True, allow_unused=True
        )
        layer, size = self._trace.last, relevance.abs().max()
        for each, reached in list(zip(layers, arriving))[::-1]:
            if reached is not None:
                if not reached.isfinite().all():
                    break
                layer, size = each, reached.abs().max()
        raise FloatingPointError(
            f"relevance of {images} of {len(relevance)} images overflows {relevance.dtype} at layer "
            f"{self._trace.names[layer]!r} ({layer}), where it has grown from {relevance.abs().max():.3g} to "
            f"{size:.3g}: the {self.rules} rule divides by sums of contributions of both signs, which can be "
            'close to 0. Use rules="z_plus", under which no contributions cancel, or "epsilon", under which '
            "fewer do, or let biases take relevance with biases=True"
        )

    def _negation(self) -> AbstractContextManager:
        """Make a context in which the weights of the last layer are negated."""
        last = self._trace.last
        count = last.weight.shape[0]
        if self.outputs.shape[1] != count:
            raise ValueError(
                f"the last layer with weights, {last}, gives {count} outputs and not the "
                f"{self.outputs.shape[1]} that are explained: there is no row of weights to negate for each. "
                "Name a linear layer or a convolution with layer=..."
            )
        return ParamMod(lambda weight, _: -weight, param_keys=["weight"])(last)


@contextmanager
def propagation(
    model: nn.Module,
    images: Tensor,
    rules: str = "z_plus",
    layer: str | None = None,
    biases: bool = False,
    average_pooling: str | None = None,
    box: Box = (0.0, 1.0),
) -> Iterator[Propagation]:
    """Run a model once; inside this context, relevance can be propagated from its outputs to the pixels.

    A linear layer with weights w_ij has contributions z_ij = x_i w_ij of input i to output j. Relevance R_j
    of the outputs becomes relevance R_i = sum_j z_ij / (sum_i z_ij) R_j of the inputs, with these
    contributions:

    ===========  =====================================================  =====================================
    ``rules``    contributions                                          source
    ===========  =====================================================  =====================================
    ``z_plus``   max(z_ij, 0). In the first layer                       Bach et al. 2015 (alpha 1, beta 0);
                 x_i w_ij - l w_ij^+ - h w_ij^-, with pixels from l     Montavon et al. 2017 (z^B);
                 to h                                                   Gu et al. 2018
    ``epsilon``  z_ij. The sum is moved away from 0 by 0.25 of the      Bach et al. 2015;
                 root mean square of the outputs of the layer           Montavon et al. 2019
    ``z``        z_ij                                                   Bach et al. 2015 (LRP-0)
    ===========  =====================================================  =====================================

    An output without contributions passes no relevance: 0 / 0 counts as 0.

    Under the z rule without biases, the sum is not the output of the unit and can be close to 0. Relevance
    and its rounding errors then grow from layer to layer of a deep network, until they overflow (MobileNet
    V2).

    The sum of a residual block counts as a linear layer with weights 1. Under z_plus the terms that have the
    sign of the sum take its relevance. These are the positive terms where a ReLU follows and is active.
    Negative sums can get relevance too, from average pooling that distributes it evenly.

    Args:
        model: A network that maps images to logits (B, C). Its state is restored afterwards.
        images: Images (B, K, H, W), floating point.
        rules: "z_plus", "epsilon" or "z".
        layer: The name of the layer whose outputs have the initial relevance. If None, these are the logits.
        biases: Whether biases contribute to the sums and so take relevance, which is then missing in the
            maps. Gu et al. 2018 bypass them. Under z_plus the bias of the first layer never contributes.
        average_pooling: "even" gives all inputs of a window the same relevance (Gu et al. 2018).
            "proportional" is the rule of a linear layer. If None, it is "even" for z_plus and "proportional"
            for the other rules.
        box: The lowest and the highest value of a pixel of the images, for z_plus: numbers, or tensors that
            broadcast to the images.

    Yields:
        A function of the initial relevance; see :class:`Propagation`.

    Raises:
        TypeError: The images or the logits have a wrong type.
        ValueError: The images or the logits have a wrong shape or wrong values, the images are outside the
            box or in float16, an option is unknown, an operation has no rule, a layer runs more than once,
            its weights are computed at every call (pruned, normalised) or shared with another layer, others
            than its batch norm read its output, or pixels pass the first layer by.

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5)).double()
    >>> with propagation(net, torch.rand(2, 3, 8, 8).double()) as propagate:
    ...     relevance = propagate.outputs.abs()
    ...     maps = propagate(relevance)
    >>> torch.allclose(maps.sum(dim=(1, 2, 3)), relevance.sum(dim=1))
    True
    """
    average_pooling = average_pooling or ("even" if rules == "z_plus" else "proportional")
    _check_arguments(model, images, rules, average_pooling)
    images = images.detach()
    named = {} if layer is None else {layer: find_layer(model, layer)}
    with as_found(model), ExitStack() as stack:
        first, low, high = first_layer(model, images, box if rules == "z_plus" else None)
        made = zennit_rules(rules, biases, low, high)
        batch_norms = {
            norm: "" if before == layer else before  # the outputs of a layer are those before its batch norm
            for norm, before in merged_batch_norms(model, images).items()
        }
        recorded: dict[str, Tensor] = {}
        stack.enter_context(without_backward_hooks(model))
        stack.enter_context(merged(model, batch_norms))
        stack.enter_context(ruled_layers(model, first, made))
        stack.enter_context(recording(named, recorded))
        trace = stack.enter_context(tracing(model, first, named, batch_norms))

        def ruled_run(images: Tensor) -> Any:
            with RuledFunctions(made, averages=average_pooling == "proportional"):
                return run(model, images.clone())

        pixels = images.clone().requires_grad_()
        returned = ruled_run(pixels)
        trace.done = True
        logits = read_logits(returned, len(images))
        outputs = recorded.get(layer, logits)
        if not outputs.requires_grad or (named and layer not in recorded):
            raise ValueError(
                f"layer {layer!r} does not run between the pixels and the logits; choose another"
            )
        check_graph(model, outputs, lambda: ruled_run(images[:1]), pixels)
        trace.check_merged(outputs, batch_norms)
        propagate = Propagation(outputs, rules, trace, images.shape)
        try:
            yield propagate
        finally:
            propagate._ends = None


def _check_arguments(model: nn.Module, images: Tensor, rules: str, average_pooling: str) -> None:
    check_choice("rules", rules, RULES)
    check_choice("average_pooling", average_pooling, POOLING)
    check_images(model, images)
    check_visible(model)
    if images.dtype == torch.float16:
        raise ValueError(
            "relevance propagation divides by sums that float16 rounds to 0, and loses relevance: "
            "bring model and images to float32 or bfloat16, with model.float() and images.float()"
        )


def _check_relevance(relevance: Tensor, outputs: Tensor) -> None:
    """Raise an error unless relevance has the shape of the outputs, or N in front of it, and is finite."""
    if not isinstance(relevance, Tensor):
        raise TypeError(f"relevance must be a tensor, got {type(relevance).__name__}")
    extra = relevance.ndim - outputs.ndim
    if extra not in (0, 1) or relevance.shape[extra:] != outputs.shape:
        raise ValueError(
            f"relevance must have the shape of the outputs {tuple(outputs.shape)}, or N in front of it, "
            f"got {tuple(relevance.shape)}"
        )
    if not relevance.isfinite().all():
        raise ValueError("relevance holds NaN or infinite values: check the function that it comes from")
