"""A forward pass that is run once and recorded, and gradients of its logits.

A :class:`ForwardPass` has the logits, the activations of chosen layers and the graph between them. Explainers
that work on it do not run the network, register hooks or compute gradients of parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, Node

from contrastlib.autograd._linear_head import below_head
from contrastlib.autograd.advice import layer_with_map, refuse_default
from contrastlib.autograd.checks import check_cotangent, check_images
from contrastlib.autograd.layers import check_visible, find_layer, own_layer
from contrastlib.autograd.modes import as_found, recording, recording_again
from contrastlib.autograd.outputs import Output, read_logits, reading
from contrastlib.autograd.running import gradients as gradients_of
from contrastlib.autograd.running import run
from contrastlib.autograd.saved_tensors import LinearInputsDropped
from contrastlib.autograd.shared_cotangents import through_basis
from contrastlib.autograd.spatial_layers import LastConvolutions


class _Pixels(str):
    """The name of the pixels. It equals the text, and its type tells it from the name of a module."""


INPUT = _Pixels("input")
"""The name under which the images themselves are recorded. A module can be called "input" as well: the text
names the module then, and this constant the pixels."""
CHUNK_BYTES = 2**25  # size of the gradients propagated together; allocators reuse blocks of this size


class ForwardPass:
    """A recorded forward pass; :func:`forward` makes one.

    Args:
        model: The network.
        logits: Logits (B, C) with their graph.
        activations: Name of a layer -> its output, with its graph.
        size: Height and width (H, W) of the images.
        once: Whether only one call of :meth:`pull_back` with a new cotangent is allowed. The graph is then
            freed.
        modules: The modules whose outputs were recorded. A checkpointed one runs again in the backward pass.
        image: One of the images (1, K, H, W), with which messages of errors find other layers.

    Attributes:
        logits: Logits (B, C), detached.
        activations: Name of a layer -> its output, detached, in the order in which the layers were asked for.
        size: Height and width (H, W) of the images.

    Raises:
        ValueError: No gradient of the logits reaches the recorded layers.
    """

    def __init__(
        self,
        model: nn.Module,
        logits: Tensor,
        activations: dict[str, Tensor],
        size: torch.Size,
        once: bool = False,
        modules: Iterable[nn.Module] = (),
        image: Tensor | None = None,
    ) -> None:
        if not logits.requires_grad:
            raise ValueError(
                f"{type(model).__name__} lets no gradient from its logits reach {' or '.join(activations)} "
                "(torch.no_grad, detach): remove that, or name a later layer"
            )
        self.logits, self.size = logits.detach(), size
        self.activations = {name: a.detach() for name, a in activations.items()}
        self._model, self._once, self._modules, self._image = model, once, list(modules), image
        self._outputs: Tensor | None = logits
        self._recorded = activations
        self._last: tuple[Tensor, dict[str, Tensor]] | None = None

    @property
    def root(self) -> Node | None:
        """The node of the graph that gives the logits. None when the graph has been freed."""
        return None if self._outputs is None else self._outputs.grad_fn

    def layer(self, name: str | None = None) -> str:
        """Return the name of a recorded layer.

        Args:
            name: The name to check. If None, the only recorded layer is meant.

        Returns:
            The name.

        Raises:
            ValueError: No layer of that name was recorded, or several were recorded and none is named.
        """
        if name is None and len(self.activations) == 1:
            return next(iter(self.activations))
        if name not in self.activations:
            raise ValueError(f"layer {name!r} is not recorded; choose one of {', '.join(self.activations)}")
        return name

    def layer_instead(self, cotangent: Tensor, cancels: Callable[[Tensor, Tensor], bool]) -> str | None:
        """Return the last layer at which a map is not 0 up to rounding, for messages of errors.

        Args:
            cotangent: A cotangent (B, C), or N cotangents (N, B, C).
            cancels: Tells for an activation (1, K, h, w) and its gradient whether the map is 0 there.

        Returns:
            The name. None if there is no such layer.
        """
        if self._image is None:
            return None
        return layer_with_map(self._model, self._image, cotangent.flatten(0, -2)[:1], cancels)

    def pull_back(self, cotangent: Tensor) -> dict[str, Tensor]:
        """Compute the gradients of <w, y> with respect to the recorded activations, for a cotangent w.

        The result for the latest cotangent is kept, so several explainers of one cotangent share one backward
        pass. What N cotangents have in common is propagated once.

        Args:
            cotangent: A cotangent (B, C), or N cotangents (N, B, C).

        Returns:
            Name of a layer -> gradient, in the shape of the activation, or with N in front. Do not change the
            gradients in place.

        Raises:
            TypeError: The cotangent is not a tensor.
            ValueError: The cotangent has another shape than the logits, or holds NaN or infinite values.
            RuntimeError: The pass was made with ``once=True``, and this is another cotangent than before.
        """
        check_cotangent(cotangent, self.logits)
        cotangent = cotangent.to(self.logits)
        if self._last and self._last[0].shape == cotangent.shape and torch.equal(self._last[0], cotangent):
            return dict(self._last[1])
        if self._outputs is None:
            raise RuntimeError(
                "this pass was made for one cotangent: make it with forward(..., once=False) for more"
            )
        gradients = dict(zip(self.activations, self._gradients(cotangent)))
        if self._once:
            self._outputs, self._recorded = None, {}
        self._last = cotangent.clone(), gradients
        return dict(gradients)

    def _gradients(self, cotangent: Tensor) -> Sequence[Tensor]:
        if cotangent.ndim == 2:
            return [gradient[0] for gradient in self._gradients_of_each(cotangent[None])]
        return through_basis(self._gradients_of_each, cotangent)

    def _gradients_of_each(self, cotangents: Tensor) -> Sequence[Tensor]:
        """Gradients (N, ...) at each recorded activation, of cotangents (N, B, C)."""
        start, gradients, recorded = self._outputs, cotangents, list(self._recorded.values())
        chunk = self._chunk()
        # Checkpointed layers run again in the backward pass.
        with as_found(self._model), recording_again(self._modules):
            if chunk < len(cotangents) and (head := below_head(start, recorded)):
                (gradients,) = self._backward_in_chunks(start, [head], cotangents, len(cotangents))
                start = head
            return self._backward_in_chunks(start, recorded, gradients, chunk)

    def _chunk(self) -> int:
        """The number of gradients that are propagated together.

        It is 1 for gradients at the pixels. There, several gradients together cost as much as one after the
        other and need more memory.
        """
        if INPUT in self._recorded:
            return 1
        return max(1, CHUNK_BYTES // max(a.numel() * a.element_size() for a in self._recorded.values()))

    def _backward_in_chunks(
        self, start: Tensor | GradientEdge, ends: Sequence, gradients: Tensor, chunk: int
    ) -> Sequence[Tensor]:
        """Propagate gradients (N, ...) from ``start`` to ``ends``, ``chunk`` at a time.

        With ``once`` the last chunk frees the graph between ``start`` and ``ends``.
        """
        count, results = len(gradients), []
        for first in range(0, count, chunk):
            part = slice(first, first + chunk)
            keep = not self._once or part.stop < count
            found = self._backward(start, ends, gradients[part], keep)
            if chunk >= count:
                return found
            results = results or [gradient.new_empty(count, *gradient.shape[1:]) for gradient in found]
            for result, gradient in zip(results, found):
                result[part] = gradient
        return results

    @staticmethod
    def _backward(
        start: Tensor | GradientEdge, ends: Sequence, gradients: Tensor, keep: bool
    ) -> Sequence[Tensor]:
        """Propagate gradients (N, ...) from ``start`` to ``ends`` in one backward pass."""
        single = len(gradients) == 1
        found = gradients_of(
            [start],
            ends,
            gradients[0] if single else gradients,
            retain_graph=keep,
            is_grads_batched=not single,
            allow_unused=True,
            materialize_grads=True,
        )
        return [gradient[None] for gradient in found] if single else found


def forward(
    model: nn.Module,
    images: Tensor,
    layers: str | Sequence[str] | None = INPUT,
    once: bool = False,
    output: Output | None = None,
) -> ForwardPass:
    """Run a model once and record the outputs of layers.

    The graph begins at the lowest recorded layer and keeps no tensor that only gradients of parameters need.
    So the cost of a backward pass is that of the layers above the lowest recorded one.

    Args:
        model: A network that maps images to logits (B, C). It runs in evaluation mode. Its mode, hooks and
            ``requires_grad`` are restored afterwards, also after an error.
        images: Images (B, K, H, W), floating point, on the device of the model and in its dtype.
        layers: Names as in ``model.named_modules()``, or ``INPUT`` for the images themselves. "input" means
            the images too, unless the model has a module of that name. None stands for the default layer of
            activation maps: the layer that the model names in its attribute ``layer``, or else the
            convolution that runs last, if no operation mixes spatial positions after it.
        once: Whether only one cotangent (B, C), or one tensor (N, B, C), will be propagated. The backward
            pass then frees memory and is faster. Several explainers may share that cotangent.
        output: Where the logits are in what the model returns, as in
            :func:`contrastlib.autograd.outputs.reading`. If None, they are found as
            :func:`contrastlib.autograd.outputs.read_logits` says.

    Returns:
        The recorded forward pass.

    Raises:
        TypeError: The model, the images, the logits or the names of layers have a wrong type.
        ValueError: The images or the logits have a wrong shape or wrong values, no layer is named, or a layer
            does not exist, does not run, runs more than once, or does not return a tensor. The network has no
            default layer; the message lists the layers with spatial positions.

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 36, 5))
    >>> record = forward(net, torch.rand(2, 3, 8, 8), "0")
    >>> record.logits.shape, record.pull_back(torch.ones(2, 5))["0"].shape
    (torch.Size([2, 5]), torch.Size([2, 4, 6, 6]))
    """
    layers = own_layer(model) if layers is None else layers
    layers = [layers] if isinstance(layers, str) else layers if layers is None else _names(layers)
    check_images(model, images)
    if layers is None:
        return _forward_to_last_convolution(model, images, once, output)
    of_pixels = _pixels_among(layers, model)
    modules = {name: find_layer(model, name) for name in layers if not (of_pixels and name == INPUT)}
    recorded: dict[str, Tensor] = {}
    image, size = images[:1].detach(), images.shape[-2:]
    with as_found(model):
        with LinearInputsDropped(), recording(modules, recorded):
            images = images.detach().clone()  # a network may change its input in place
            if of_pixels:
                recorded[INPUT] = images.requires_grad_()
                images = images.clone()
            returned = run(model, images)
        logits = _read(returned, len(images), output)
    unused = [name for name in layers if name not in recorded]
    if unused:
        raise ValueError(f"layer {unused[0]!r} did not run in this forward pass; choose another")
    activations = {name: recorded[name] for name in layers}
    return ForwardPass(model, logits, activations, size, once, modules.values(), image)


def _forward_to_last_convolution(
    model: nn.Module, images: Tensor, once: bool, output: Output | None
) -> ForwardPass:
    """Run a model once and record the convolution that is its default layer."""
    check_visible(model)
    last = LastConvolutions(model, images.shape[-2:])
    with as_found(model):
        with LinearInputsDropped(), last.recording():
            returned = run(model, images.detach().clone())
        logits = _read(returned, len(images), output)
        layer = last.chosen(logits)
        if layer is None:
            refuse_default(model, images, last)
    activations = {layer: last.outputs[layer]}
    return ForwardPass(model, logits, activations, images.shape[-2:], once, last.modules, images[:1].detach())


def default_layer(model: nn.Module, images: Tensor) -> str:
    """Return the name of the default layer of activation maps, which :func:`forward` takes for None.

    It costs a forward pass of one image, unless the model names its layer. A pass that records no other layer
    needs no such name.

    Args:
        model: A network that maps images to logits (B, C).
        images: Images (B, K, H, W).

    Returns:
        A name of ``model.named_modules()``.

    Raises:
        TypeError: As :func:`forward`.
        ValueError: As :func:`forward`. The network has no default layer, for example.

    >>> network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> default_layer(network, torch.rand(2, 3, 8, 8))
    '0'
    >>> network.layer = "1"
    >>> default_layer(network, torch.rand(2, 3, 8, 8))
    '1'
    """
    return own_layer(model) or forward(model, images[:1], None).layer()


def predict(model: nn.Module, images: Tensor, output: Output | None = None) -> Tensor:
    """Compute the logits of images without a graph.

    Args:
        model: A network that maps images to logits (B, C). It runs in evaluation mode, and its state is
            restored.
        images: Images (B, K, H, W), floating point, on the device of the model and in its dtype.
        output: Where the logits are in what the model returns, as in :func:`forward`.

    Returns:
        Logits (B, C).

    Raises:
        TypeError: The model, the images or the logits have a wrong type.
        ValueError: The images or the logits have a wrong shape or wrong values.

    >>> predict(nn.Sequential(nn.Flatten(), nn.Linear(12, 5)), torch.rand(2, 3, 2, 2)).shape
    torch.Size([2, 5])
    """
    check_images(model, images)
    return logits_of(model, images.clone(), output)


def logits_of(model: nn.Module, images: Tensor, output: Output | None = None) -> Tensor:
    """Compute the logits of images that need no check and may be changed in place; see :func:`predict`.

    Args:
        model: A network that maps images to logits (B, C).
        images: Images (B, K, H, W) that are known to be valid.
        output: Where the logits are in what the model returns, as in :func:`forward`.

    Returns:
        Logits (B, C).

    Raises:
        TypeError: The logits are not floating point.
        ValueError: The logits have a wrong shape or wrong values.

    >>> logits_of(nn.Sequential(nn.Flatten(), nn.Linear(12, 5)), torch.rand(2, 3, 2, 2)).shape
    torch.Size([2, 5])
    """
    with as_found(model), torch.no_grad():
        return _read(run(model, images), len(images), output)


def _read(returned: object, batch: int, output: Output | None) -> Tensor:
    """Read the logits (B, C) where ``output`` says, or else where the caller said with ``reading``."""
    with nullcontext() if output is None else reading(output):
        return read_logits(returned, batch)


def _pixels_among(layers: Sequence[str], model: nn.Module) -> bool:
    """Tell whether one of these names is that of the pixels."""
    if INPUT not in layers:
        return False
    is_module = isinstance(getattr(model, INPUT, None), nn.Module)
    wanted = [isinstance(name, _Pixels) or not is_module for name in layers if name == INPUT]
    if not all(wanted) and any(wanted):
        raise ValueError(
            f"{type(model).__name__} has a module called 'input', which one pass cannot record together with "
            "the pixels: record them in two passes"
        )
    return all(wanted)


def _names(layers: Sequence[str]) -> list[str]:
    if not isinstance(layers, Sequence) or not all(isinstance(name, str) for name in layers):
        raise TypeError(f"layers must be names, as in model.named_modules(), got {layers!r}")
    if not layers:
        raise ValueError("no layer is named: name at least one, or give None for the default layer")
    return list(layers)
