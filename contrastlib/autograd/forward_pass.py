"""One forward pass, kept: the logits, chosen activations, and the way back from the logits.

Everything an explainer needs is in a :class:`ForwardPass`, so no explainer ever runs the network
again, registers a hook or computes the gradient of a parameter.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge

from contrastlib.autograd._linear_head import below_head
from contrastlib.autograd.checks import check_cotangent, check_images, check_output
from contrastlib.autograd.layers import find_layer
from contrastlib.autograd.saved_tensors import LinearInputsDropped
from contrastlib.autograd.shared_cotangents import through_basis

INPUT = "input"
TOGETHER_BYTES = 2**25  # of gradients that go back at a time: what an allocator holds ready, larger ones it asks for anew


class ForwardPass:
    """A recorded forward pass; make one with :func:`forward`.

    Attributes:
        logits: (B, C), detached.
        activations: layer name -> its output, detached, in the order asked for.
        size: (H, W) of the images.
    """

    def __init__(
        self, model: nn.Module, logits: Tensor, activations: dict[str, Tensor], size: torch.Size, once: bool = False
    ):
        if not logits.requires_grad:
            raise ValueError(
                f"{type(model).__name__} lets no gradient from its logits reach {' or '.join(activations)} (torch.no_grad, "
                "detach): take that out, or name a layer behind it"
            )
        self.logits, self.size = logits.detach(), size
        self._model = model
        self.activations = {name: a.detach() for name, a in activations.items()}
        self._outputs: Tensor | None = logits
        self._recorded, self._once = activations, once
        self._last: tuple[Tensor, dict[str, Tensor]] | None = None

    def layer(self, name: str | None = None) -> str:
        """``name`` checked, or the only recorded layer when there is no name."""
        if name is None and len(self.activations) == 1:
            return next(iter(self.activations))
        if name not in self.activations:
            raise ValueError(f"layer {name!r} is not recorded; choose one of {', '.join(self.activations)}")
        return name

    def pull_back(self, cotangent: Tensor) -> dict[str, Tensor]:
        """Gradients of <cotangent, logits> with respect to each recorded activation.

        Args:
            cotangent: (B, C), or (K, B, C) for K contrasts at once.

        Returns:
            layer name -> gradient with the activation's shape, or with K in front. What the K contrasts
            have in common goes back once. The answer to the latest cotangent is kept,
            so several explainers of one cotangent share one backward pass: do not change it in place.

        Raises:
            ValueError: the shape is not that of the logits, or a value is not finite.
            RuntimeError: another cotangent has been pulled back, and the pass was made for one.
        """
        check_cotangent(cotangent, self.logits)
        cotangent = cotangent.to(self.logits)
        if self._last and self._last[0].shape == cotangent.shape and torch.equal(self._last[0], cotangent):
            return dict(self._last[1])
        if self._outputs is None:
            raise RuntimeError("this pass was made for one cotangent: make it with forward(..., once=False) for more")
        gradients = dict(zip(self.activations, self._gradients(cotangent)))
        if self._once:
            self._outputs, self._recorded = None, {}
        self._last = cotangent.clone(), gradients
        return dict(gradients)

    def _gradients(self, cotangent: Tensor) -> Sequence[Tensor]:
        if cotangent.ndim == 2:
            return [gradient[0] for gradient in self._of_each(cotangent[None])]
        return through_basis(self._of_each, cotangent)

    def _of_each(self, cotangents: Tensor) -> Sequence[Tensor]:
        start, gradients, recorded, together = self._outputs, cotangents, list(self._recorded.values()), self._together()
        with as_found(self._model):  # checkpointed layers run again on the way back
            if together < len(cotangents) and (head := below_head(start, recorded)):
                (gradients,) = self._back(start, [head], cotangents, len(cotangents))
                start = head
            return self._back(start, recorded, gradients, together)

    def _together(self) -> int:
        """How many gradients go back at a time: through the whole network one costs the same and needs 1/K of the memory."""
        largest = max(activation.numel() * activation.element_size() for activation in self._recorded.values())
        return 1 if INPUT in self._recorded else max(1, TOGETHER_BYTES // largest)

    def _back(self, start: Tensor | GradientEdge, ends: Sequence, gradients: Tensor, together: int) -> Sequence[Tensor]:
        """Takes K gradients (K, ...) from ``start`` to each of the ``ends``; the last of them free the graph between."""
        count, wholes = len(gradients), []
        for first in range(0, count, together):
            part = slice(first, first + together)
            found = self._backward(start, ends, gradients[part], keep=not self._once or part.stop < count)
            if together >= count:
                return found
            wholes = wholes or [gradient.new_empty(count, *gradient.shape[1:]) for gradient in found]
            for whole, gradient in zip(wholes, found):
                whole[part] = gradient
        return wholes

    @staticmethod
    def _backward(start: Tensor | GradientEdge, ends: Sequence, gradients: Tensor, keep: bool) -> Sequence[Tensor]:
        single = len(gradients) == 1
        found = torch.autograd.grad(
            [start], ends, gradients[0] if single else gradients, retain_graph=keep, is_grads_batched=not single,
            allow_unused=True, materialize_grads=True,
        )
        return [gradient[None] for gradient in found] if single else found


def forward(
    model: nn.Module, images: Tensor, layers: str | Sequence[str] = INPUT, once: bool = False
) -> ForwardPass:
    """Run ``model`` once on ``images`` and record the named layers.

    Args:
        model: maps images to logits (B, C). It runs in evaluation mode and is left exactly as it
            was found: mode, hooks and ``requires_grad``, also after an error.
        images: (B, channels, H, W), floating point, on the model's device and in its dtype.
        layers: names as in ``model.named_modules()``, or "input" for the images themselves.
        once: only one cotangent (B, C) or (K, B, C) will be pulled back. Memory is then freed on the
            way, which is faster; all explainers may still share that cotangent.

    Returns:
        A :class:`ForwardPass`. Its graph starts at the lowest recorded layer and holds nothing that only
        gradients of parameters need, so that a pull-back costs what lies above that layer and no more.

    Raises:
        TypeError, ValueError: images or logits that cannot be explained, an unknown layer (with
            the nearest names), a layer that the network runs more than once or not at all.

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 36, 5))
    >>> p = forward(net, torch.rand(2, 3, 8, 8), "0")
    >>> p.logits.shape, p.pull_back(torch.ones(2, 5))["0"].shape
    (torch.Size([2, 5]), torch.Size([2, 4, 6, 6]))
    """
    layers = [layers] if isinstance(layers, str) else _names(layers)
    check_images(model, images)
    modules = {name: find_layer(model, name) for name in layers if name != INPUT}
    recorded: dict[str, Tensor] = {}
    with as_found(model), LinearInputsDropped(), recording(modules, recorded):
        images = images.detach().clone()  # networks may change what they are given
        if INPUT in layers:
            recorded[INPUT] = images.requires_grad_()
            images = images.clone()
        logits = model(images)
    check_output(logits, len(images))
    unused = [name for name in layers if name not in recorded]
    if unused:
        raise ValueError(f"layer {unused[0]!r} did not run in this forward pass; choose another")
    return ForwardPass(model, logits, {name: recorded[name] for name in layers}, images.shape[-2:], once)


def predict(model: nn.Module, images: Tensor) -> Tensor:
    """Logits (B, C) of ``images``, nothing recorded; the model is left as it was found.

    >>> predict(nn.Sequential(nn.Flatten(), nn.Linear(12, 5)), torch.rand(2, 3, 2, 2)).shape
    torch.Size([2, 5])
    """
    check_images(model, images)
    return logits_of(model, images.clone())


def logits_of(model: nn.Module, images: Tensor) -> Tensor:
    """:func:`predict` of images known to be finite, which the network may change in place.

    >>> logits_of(nn.Sequential(nn.Flatten(), nn.Linear(12, 5)), torch.rand(2, 3, 2, 2)).shape
    torch.Size([2, 5])
    """
    with as_found(model), torch.no_grad():
        logits = model(images)
    check_output(logits, len(images))
    return logits


def _names(layers: Sequence[str]) -> list[str]:
    if not isinstance(layers, Sequence) or not all(isinstance(name, str) for name in layers):
        raise TypeError(f"layers are named, as in model.named_modules(), got {layers!r}")
    return list(layers)


def own_precision(model: nn.Module) -> torch.autocast:
    """Compute in the precision of the model, where torch.autocast would round to 16 bits.

    >>> net = nn.Linear(2, 1)
    >>> with torch.autocast("cpu"), own_precision(net):
    ...     net(torch.rand(1, 2)).dtype
    torch.float32
    """
    return torch.autocast(next((p.device.type for p in model.parameters()), "cpu"), enabled=False)


@contextmanager
def as_found(model: nn.Module) -> Iterator[None]:
    """Evaluation mode without parameter gradients, undone whatever happens; gradients of all else can be taken.

    For explainers that run the model themselves, also under torch.no_grad, torch.inference_mode or torch.autocast.

    >>> net = nn.Linear(2, 1)
    >>> with as_found(net):
    ...     net.training, net.weight.requires_grad
    (False, False)
    >>> net.training, net.weight.requires_grad
    (True, True)
    """
    training = [module for module in model.modules() if module.training]
    learnable = [p for p in model.parameters() if p.requires_grad]
    try:
        if training:
            model.eval()
        for parameter in learnable:
            parameter.requires_grad_(False)
        eager = torch.compiler.set_stance("force_eager")  # compiled code knows no hooks
        with torch.inference_mode(False), torch.enable_grad(), own_precision(model), eager:
            yield
    finally:
        for module in training:
            module.training = True
        for parameter in learnable:
            parameter.requires_grad_(True)


@contextmanager
def recording(modules: dict[str, nn.Module], recorded: dict[str, Tensor]) -> Iterator[None]:
    def hook_for(name: str):
        def hook(module: nn.Module, inputs: tuple, output: Tensor) -> Tensor:
            if name in recorded:
                raise ValueError(f"layer {name!r} runs more than once in a forward pass; choose one that runs once")
            if not isinstance(output, Tensor):
                raise ValueError(f"layer {name!r} returns {type(output).__name__}, not a tensor; choose another")
            if not output.requires_grad:
                output = output.detach().requires_grad_()
            recorded[name] = output
            return output.clone()  # a later in-place operation must not reach the recorded one
        return hook

    handles = []
    try:
        for name, module in modules.items():
            handles.append(module.register_forward_hook(hook_for(name)))
        yield
    finally:
        for handle in handles:
            handle.remove()
