"""Layer-wise relevance propagation: one forward pass, then relevance from its end back to the pixels.

What relevance does at each operation is in :mod:`contrastlib.explainers.lrp.rules`. Whatever stands before the
first layer with weights (normalisation, another order of channels) is element by element and passes relevance
unchanged: maps belong to the pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext

import torch
from torch import Tensor, nn
from zennit.core import ParamMod
from zennit.types import Linear

from contrastlib.autograd import as_found, check_images, check_output, find_layer, recording, through_basis
from contrastlib.explainers.lrp.rules import (
    POOLING,
    RULES,
    RuledFunctions,
    check_graph,
    check_plain,
    merged,
    merged_batch_norms,
    ruled_layers,
    zennit_rules,
)

TOGETHER = 4  # relevances propagated side by side: less work for each, more memory

Box = tuple[float | Tensor, float | Tensor]


class Propagation:
    """The end of a recorded forward pass, and the way back for relevance; see :func:`propagation`.

    Attributes:
        outputs: the logits (B, C), or the outputs (B, N, ...) of the layer named; detached.
        rules: the rules in force.
    """

    def __init__(self, outputs: Tensor, rules: str, watched: Watched, shape: torch.Size):
        self.outputs, self.rules = outputs.detach(), rules
        self._watched, self._shape = watched, shape
        self._ends: Tensor | None = outputs

    def __call__(self, relevance: Tensor, negated: bool = False) -> Tensor:
        """Relevance of the pixels, (B, channels, H, W) or with K in front.

        Args:
            relevance: what enters at the outputs, of their shape or with K in front.
            negated: with the weights of the last layer negated on the way back.

        Raises:
            TypeError, ValueError: relevance of another shape, or not finite.
            FloatingPointError: the maps are not finite; it names the layer.
            RuntimeError: the context has ended.
        """
        if self._ends is None:
            raise RuntimeError("relevance propagates inside `with propagation(...)` only: its rules are gone")
        _check_relevance(relevance, self.outputs)
        several = relevance.reshape(-1, *self.outputs.shape).to(self.outputs)
        with self._negation() if negated else nullcontext():
            # what several have in common propagates once: maps are linear in what enters
            (maps,) = through_basis(self._of_each, several) if several.ndim == 3 else self._of_each(several)
        return maps.reshape(*relevance.shape[: relevance.ndim - self.outputs.ndim], *self._shape)

    def _of_each(self, relevance: Tensor) -> list[Tensor]:
        return [torch.cat([self._back(part) for part in relevance.split(TOGETHER)])]

    def _back(self, relevance: Tensor) -> Tensor:
        one = len(relevance) == 1
        maps = torch.autograd.grad(
            self._ends, self._watched.start, relevance[0] if one else relevance, retain_graph=True,
            is_grads_batched=not one,
        )[0]  # fmt: skip
        maps = maps[None] if one else maps
        lost = ~maps.flatten(2).isfinite().all(dim=2)
        if lost.any():
            self._explain_overflow(relevance[lost.any(dim=1)][0], int(lost.any(dim=0).sum()))
        return maps

    def _explain_overflow(self, relevance: Tensor, images: int) -> None:
        layers = list(self._watched.outputs)
        arriving = torch.autograd.grad(
            self._ends, list(self._watched.outputs.values()), relevance, retain_graph=True, allow_unused=True
        )
        # backwards from the end to the last layer whose relevance is finite
        place, size = self._watched.last, relevance.abs().max()
        for layer, reached in list(zip(layers, arriving))[::-1]:
            if reached is not None:
                if not reached.isfinite().all():
                    break
                place, size = layer, reached.abs().max()
        raise FloatingPointError(
            f"relevance of {images} of {len(relevance)} images overflows {relevance.dtype} at layer "
            f"{self._watched.names[place]!r} ({place}), grown from {relevance.abs().max():.3g} to {size:.3g} on its way "
            f"there: the {self.rules} rule divides by sums of contributions of either sign, which come near 0. Use "
            'rules="z_plus", under which none cancel, or "epsilon", under which fewer do, or let biases take their '
            "part with biases=True"
        )

    def _negation(self):
        last = self._watched.last
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
    """Run ``model`` once, ready to propagate relevance inside the context.

    With contributions z_ij = x_i w_ij of input i to output j of a linear layer, R_i = sum_j z_ij / sum_i z_ij R_j
    with these changes:

    =======  =======================================================  =====================================
    rules    contributions                                            source
    =======  =======================================================  =====================================
    z_plus   max(z_ij, 0); at the pixels x_i w_ij - l w_ij^+          Bach et al. 2015 (alpha 1, beta 0);
             - h w_ij^-, with the pixels' range [l, h] (z^B)          Montavon et al. 2017; Gu et al. 2018
    epsilon  z_ij, the denominator moved away from 0 by 0.25 of       Bach et al. 2015; Montavon et al. 2019
             the root mean square of the layer's outputs
    z        z_ij                                                     Bach et al. 2015 (LRP-0)
    =======  =======================================================  =====================================

    A unit without contributions passes nothing on, 0 / 0 = 0. Under the z rule with biases bypassed the
    denominator is not the unit's output and comes near 0: relevance grows from layer to layer of a deep network, and
    its rounding errors with it, until it overflows (MobileNet V2).

    The sum of a residual block is a linear layer with weights 1 and follows the same rule; z_plus takes
    the contributions of the sum's own sign: the positive ones where a ReLU lets the sum pass. Where it does not, the
    sum can still be handed relevance, by pooling that shares it evenly; the negative ones then keep it.

    Args:
        model: maps images to logits (B, C). It is left exactly as it was found.
        images: (B, channels, H, W).
        layer: name of a layer whose outputs the relevance enters; the logits when None.
        biases: whether biases contribute to the denominator and so take relevance, which maps then lack.
            Gu et al. bypass them. Under z_plus those of the first layer never do: the rule of the pixels has none.
        average_pooling: "even", all inputs of a window receive the same (Gu et al. 2018), or
            "proportional", by the rule of a linear layer. When None: even for z_plus, else proportional.
        box: lowest and highest value of a pixel, numbers or tensors that broadcast to images; as they
            enter the model, which may normalise inside.

    Raises:
        TypeError, ValueError: images that cannot be explained or are outside the box, an unknown option,
            a network with an operation that has no rule (named), that runs a layer more than once, or whose weights
            are computed at every call (pruned, normalised) or shared where a batch norm is merged; float16.
        FloatingPointError: when relevance propagates and overflows.

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5)).double()
    >>> with propagation(net, torch.rand(2, 3, 8, 8).double()) as propagate:
    ...     relevance = propagate.outputs.abs()
    ...     maps = propagate(relevance)
    >>> torch.allclose(maps.sum(dim=(1, 2, 3)), relevance.sum(dim=1))
    True
    """
    average_pooling = average_pooling or ("even" if rules == "z_plus" else "proportional")
    if rules not in RULES or average_pooling not in POOLING:
        raise ValueError(
            f"rules must be one of {', '.join(RULES)} and average_pooling one of {', '.join(POOLING)}, "
            f"got {rules!r} and {average_pooling!r}"
        )
    check_images(model, images)
    if images.dtype == torch.float16:
        raise ValueError(
            "relevance propagation divides by sums that float16 rounds to 0, and loses relevance: bring model and images "
            "to float32 or bfloat16, with model.float() and images.float()"
        )
    images = images.detach()
    named = {} if layer is None else {layer: find_layer(model, layer)}
    with as_found(model), ExitStack() as stack:
        first, low, high = _first_layer(model, images, box if rules == "z_plus" else None)
        pixels, linear, summing = zennit_rules(rules, biases, low, high)
        batch_norms = merged_batch_norms(model)
        recorded: dict[str, Tensor] = {}
        stack.enter_context(merged(model, batch_norms))
        stack.enter_context(ruled_layers(model, first, pixels, linear))
        stack.enter_context(recording(named, recorded))
        watched = stack.enter_context(_watching(model, first, named, batch_norms))
        with RuledFunctions(summing, averages=average_pooling == "proportional") as functions:
            logits = model(images.clone())
        check_output(logits, len(images))
        outputs = recorded.get(layer, logits)
        if not outputs.requires_grad or (named and layer not in recorded):
            raise ValueError(f"layer {layer!r} does not run between the pixels and the logits; choose another")
        check_graph(model, outputs, functions.stacks)
        propagate = Propagation(outputs, rules, watched, images.shape)
        try:
            yield propagate
        finally:
            propagate._ends = None


def _check_relevance(relevance: Tensor, outputs: Tensor) -> None:
    if not isinstance(relevance, Tensor):
        raise TypeError(f"relevance must be a tensor, got {type(relevance).__name__}")
    extra = relevance.ndim - outputs.ndim
    if extra not in (0, 1) or relevance.shape[extra:] != outputs.shape:
        raise ValueError(
            f"relevance must have the shape of the outputs {tuple(outputs.shape)}, or K in front of it, "
            f"got {tuple(relevance.shape)}"
        )
    if not relevance.isfinite().all():
        raise ValueError("relevance holds NaN or infinite values: check the function it comes from")


class _Reached(Exception):
    """The first layer with weights, and what enters it."""


def _first_layer(model: nn.Module, images: Tensor, box: Box | None) -> tuple[nn.Module, Tensor, Tensor]:
    """The first layer with weights that runs, and the range of what it sees of the darkest and the brightest image."""
    shown = [images[:1]] if box is None else [torch.as_tensor(end, dtype=images.dtype, device=images.device) for end in box]
    if box is not None and ((images < shown[0]).any() or (images > shown[1]).any()):
        raise ValueError(
            f"images lie between {images.min().item():.3g} and {images.max().item():.3g}, outside of the box of the z+ rule: "
            "give the lowest and the highest value of a pixel as box=(l, h), numbers or tensors (channels, 1, 1)"
        )

    def stop(module: nn.Module, inputs: tuple) -> None:
        raise _Reached(module, inputs[0])

    seen = []
    handles = [module.register_forward_pre_hook(stop) for module in model.modules() if isinstance(module, Linear)]
    try:
        for end in shown:
            try:
                model(end.expand_as(images[:1]).clone())
            except _Reached as reached:
                first, entering = reached.args
                seen.append(entering)
    finally:
        for handle in handles:
            handle.remove()
    if not seen:
        raise ValueError(f"{type(model).__name__} runs no linear layer and no convolution: there is nothing to explain")
    if seen[0].numel() != images[0].numel():
        raise ValueError(f"the first layer sees {tuple(seen[0].shape[1:])} of images {tuple(images.shape[1:])}")
    return first, torch.stack(seen).amin(dim=0), torch.stack(seen).amax(dim=0)


class Watched:
    """What the forward pass tells: where relevance ends, the layers in order, their steps in the graph."""

    def __init__(self):
        self.start: Tensor | None = None
        self.last: nn.Module | None = None  # the layer with weights that ran last before the outputs
        self.closed = False
        self.names: dict[nn.Module, str] = {}
        self.outputs: dict[nn.Module, Tensor] = {}  # of layers with weights, in the order in which they ran


@contextmanager
def _watching(
    model: nn.Module, first: nn.Module, named: dict[str, nn.Module], batch_norms: dict[str, str]
) -> Iterator[Watched]:
    watched, modules = Watched(), dict(model.named_modules())
    watched.names = {module: name for name, module in modules.items()}

    def begin(module: nn.Module, inputs: tuple) -> Tensor:
        watched.start = inputs[0].detach().requires_grad_()
        return watched.start

    def ran(module: nn.Module, inputs: tuple, output: Tensor) -> None:
        if module in watched.outputs:
            raise ValueError(f"{module} runs more than once in a forward pass: relevance propagation has no rule for that")
        check_plain(watched.names[module], module)
        watched.outputs[module] = output
        if not watched.closed:
            watched.last = module

    def close(*_) -> None:
        watched.closed = True

    def follows(name: str, linear: str) -> Callable:
        def check(module: nn.Module, inputs: tuple) -> None:
            check_plain(name, module)
            if not linear or inputs[0] is not watched.outputs.get(modules[linear]):
                raise ValueError(
                    f"the batch norm {name!r} does not follow a convolution or linear layer directly, so that relevance "
                    "propagation cannot merge it: this architecture has no rules here"
                )
        return check

    handles = [first.register_forward_pre_hook(begin, prepend=True)]
    try:
        for module in modules.values():
            if isinstance(module, Linear):
                handles.append(module.register_forward_hook(ran))
        for name, linear in batch_norms.items():
            handles.append(modules[name].register_forward_pre_hook(follows(name, linear)))
        handles += [module.register_forward_hook(close) for module in named.values()]
        yield watched
    finally:
        for handle in handles:
            handle.remove()
