"""What the forward pass records for the propagation of relevance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor, nn
from torch.autograd.graph import Node
from zennit.types import Linear

from contrastlib.autograd import run
from contrastlib.autograd.graph import node_kind
from contrastlib.explainers._functions import graph_nodes
from contrastlib.explainers.lrp.batch_norms import check_plain
from contrastlib.explainers.lrp.operations import Merged, only_input

Box = tuple[float | Tensor, float | Tensor]
"""The lowest and the highest value of a pixel: numbers, or tensors that broadcast to images (B, K, H, W)."""
NORMS = {Merged.__name__, "NativeBatchNorm", "CudnnBatchNorm"}
"""Kinds of the nodes of batch norms."""


class _FirstLayerReached(Exception):
    """Raised to stop the forward pass at the first layer; its arguments are that layer and its input."""


def first_layer(model: nn.Module, images: Tensor, box: Box | None) -> tuple[nn.Module, Tensor, Tensor]:
    """Find the first layer with weights that runs, and the range of its inputs for images in the box.

    The operations before that layer work element by element. So the range is that of its inputs for the
    darkest and the brightest image.

    Args:
        model: The network.
        images: Images (B, K, H, W).
        box: The lowest and the highest value of a pixel. If None, the inputs for the first image are
            returned.

    Returns:
        The layer, its lowest input and its highest input.

    Raises:
        ValueError: The images are outside the box, the network has no layer with weights, or the first layer
            does not see all pixels.

    >>> layer, low, high = first_layer(nn.Sequential(nn.Conv2d(3, 4, 3)), torch.rand(2, 3, 8, 8), (0, 1))
    >>> layer.__class__.__name__, low.max().item(), high.min().item()
    ('Conv2d', 0.0, 1.0)
    """
    if box is None:
        shown = [images[:1]]
    else:
        shown = _ends(box, images)

    def stop(module: nn.Module, inputs: tuple) -> None:
        raise _FirstLayerReached(module, only_input(module, inputs))

    seen = []
    layers = [module for module in model.modules() if isinstance(module, Linear)]
    handles = [layer.register_forward_pre_hook(stop) for layer in layers]
    try:
        for image in shown:
            try:
                run(model, image.expand_as(images[:1]).clone())
            except _FirstLayerReached as reached:
                first, layer_input = reached.args
                seen.append(layer_input)
    finally:
        for handle in handles:
            handle.remove()
    if not seen:
        raise ValueError(
            f"{type(model).__name__} runs no linear layer and no convolution: there is nothing to explain"
        )
    if seen[0].numel() != images[0].numel():
        raise ValueError(
            f"the first layer sees {tuple(seen[0].shape[1:])} of images {tuple(images.shape[1:])}, and its "
            "relevance is not that of their pixels: pad, resize or transform the images before the network, "
            "or use a method without such rules, such as input_x_gradient"
        )
    return first, torch.stack(seen).amin(dim=0), torch.stack(seen).amax(dim=0)


def _ends(box: Box, images: Tensor) -> list[Tensor]:
    """Return the darkest and the brightest image (1, K, H, W) of a box that holds the images."""
    try:
        low, high = (torch.as_tensor(end, dtype=images.dtype, device=images.device) for end in box)
        ends = [end.expand_as(images[:1]) for end in (low, high)]
    except (RuntimeError, TypeError, ValueError) as error:
        raise ValueError(
            "box must be the lowest and the highest value of a pixel, numbers or tensors (channels, 1, 1), "
            f"got {box!r}: write box=(0, 1) for images in [0, 1]"
        ) from error
    if (low > high).any():
        raise ValueError(f"box is {box!r}, and its lowest value is above its highest: write box=(low, high)")
    if (images < low).any() or (images > high).any():
        raise ValueError(
            f"images lie between {images.min().item():.3g} and {images.max().item():.3g}, outside of the box "
            "of the z+ rule: give the lowest and the highest value of a pixel as box=(l, h), numbers or "
            "tensors (channels, 1, 1)"
        )
    return ends


class Trace:
    """What a forward pass recorded, and the hooks that record it.

    Attributes:
        start: The input of the first layer, where relevance ends; None before the layer runs.
        last: The layer with weights that ran last before the outputs.
        closed: Whether the outputs have been computed.
        done: Whether the forward pass has ended. Checkpointed layers run again in the backward pass.
        names: Module -> its name.
        outputs: Layer with weights -> its output, in the order in which the layers ran.
        nodes: Layer with weights -> the node of its output in the graph.
    """

    def __init__(self, names: dict[nn.Module, str]) -> None:
        self.start: Tensor | None = None
        self.last: nn.Module | None = None
        self.closed = self.done = False
        self.names = names
        self.outputs: dict[nn.Module, Tensor] = {}
        self.nodes: dict[nn.Module, Node | None] = {}

    def begin(self, module: nn.Module, inputs: tuple) -> Tensor:
        """Start at the input of the first layer; a hook before its forward pass."""
        start = inputs[0].detach().requires_grad_()
        if not self.done:
            self.start = start
        return start

    def add(self, module: nn.Module, inputs: tuple, output: Tensor) -> None:
        """Record the output of a layer with weights; a hook after its forward pass.

        Raises:
            ValueError: The layer runs for the second time, or computes its weights at every call.
        """
        if self.done:
            return
        if module in self.outputs:
            raise ValueError(
                f"layer {self.names[module]!r} runs more than once in a forward pass, and relevance "
                "propagation has no rule for that: in a copy of the model give each call a layer of its own"
            )
        check_plain(self.names[module], module)
        self.outputs[module], self.nodes[module] = output, output.grad_fn
        if not self.closed:
            self.last = module

    def close(self, *_: object) -> None:
        """Note that the outputs have been computed; a hook after the forward pass of their layer."""
        self.closed = True

    def check_batch_norm(self, linear: nn.Module | None, module: nn.Module, inputs: tuple) -> None:
        """Check that a batch norm gets the output of its layer; a hook before its forward pass.

        Args:
            linear: The layer that the batch norm is merged into, or None.
            module: The batch norm.
            inputs: Its inputs.

        Raises:
            ValueError: It gets another tensor, or computes its weights at every call.
        """
        if self.done or self.closed:
            return
        name = self.names[module]
        check_plain(name, module)
        if linear is None or only_input(module, inputs) is not self.outputs.get(linear):
            raise ValueError(
                f"the batch norm {name!r} does not follow a convolution or linear layer directly, so "
                "relevance propagation cannot merge it, and there is no rule for this architecture: use "
                "a method without such rules, such as input_x_gradient or integrated_gradients"
            )

    def check_merged(self, outputs: Tensor, batch_norms: Mapping[str, str]) -> None:
        """Check that nothing but its batch norm reads the output of a layer that one is merged into.

        Args:
            outputs: The outputs that are explained, with their graph.
            batch_norms: Name of a batch norm -> name of the layer that it is merged into, or "".

        Raises:
            ValueError: Something else does, or the batch norm does not run.
        """
        readers: dict[Node, list[Node]] = {}
        for node in graph_nodes(outputs.grad_fn):
            for below, _ in node.next_functions:
                readers.setdefault(below, []).append(node)
        modules = {name: module for module, name in self.names.items()}
        for norm, name in batch_norms.items():
            found = readers.get(self.nodes.get(modules.get(name)), [])
            if any(node_kind(each) not in NORMS for each in found):
                raise ValueError(
                    f"the output of layer {name!r} is read by other operations than the batch norm {norm!r} "
                    "that is defined after it, so relevance propagation cannot merge the two: in a copy of "
                    "the model replace a batch norm that never runs by nn.Identity(), or use a method "
                    "without such rules, such as input_x_gradient or integrated_gradients"
                )


@contextmanager
def tracing(
    model: nn.Module, first: nn.Module, named: Mapping[str, nn.Module], batch_norms: Mapping[str, str]
) -> Iterator[Trace]:
    """Record the forward pass that runs inside this context, and check its layers.

    Args:
        model: The network.
        first: The first layer with weights.
        named: Name -> module of the layer whose outputs are explained; empty if these are the logits.
        batch_norms: Name of a batch norm -> name of the layer that it is merged into, or "".

    Yields:
        The trace.

    Raises:
        ValueError: A layer with weights runs more than once or computes its weights at every call, or a batch
            norm does not follow its layer directly.

    >>> net = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    >>> with tracing(net, net[0], {}, {}) as trace:
    ...     output = net(torch.rand(1, 2))
    >>> trace.names[trace.last], len(trace.outputs)
    ('2', 2)
    """
    modules = dict(model.named_modules())
    trace = Trace({module: name for name, module in modules.items()})
    handles = [first.register_forward_pre_hook(trace.begin, prepend=True)]
    try:
        for module in modules.values():
            if isinstance(module, Linear):
                handles.append(module.register_forward_hook(trace.add))
        for name, linear in batch_norms.items():
            check = partial(trace.check_batch_norm, modules[linear] if linear else None)
            handles.append(modules[name].register_forward_pre_hook(check))
        handles += [module.register_forward_hook(trace.close) for module in named.values()]
        yield trace
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def without_backward_hooks(model: nn.Module) -> Iterator[None]:
    """Switch the backward hooks of all modules off inside this context.

    They expect gradients, and a backward pass of relevance has none. Modules with such hooks would also
    return copies of their outputs.

    Args:
        model: The network.

    Yields:
        Nothing.

    >>> net = nn.Linear(2, 1)
    >>> handle = net.register_full_backward_hook(lambda *_: print("called"))
    >>> with without_backward_hooks(net):
    ...     output = net(torch.rand(1, 2))
    >>> output.sum().backward()
    """
    kinds = ("_backward_hooks", "_backward_pre_hooks")
    found = [(module, kind, getattr(module, kind)) for module in model.modules() for kind in kinds]
    found = [each for each in found if each[2]]
    try:
        for module, kind, hooks in found:
            setattr(module, kind, type(hooks)())
        yield
    finally:
        for module, kind, hooks in found:
            setattr(module, kind, hooks)
