"""Contexts in which explainers run a model: in evaluation mode, in its own precision, recording layers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn


def own_precision(model: nn.Module) -> torch.autocast:
    """Make a context that computes in the precision of a model, even inside ``torch.autocast``.

    Args:
        model: The model, whose device type is used.

    Returns:
        The context.

    >>> net = nn.Linear(2, 1)
    >>> with torch.autocast("cpu"), own_precision(net):
    ...     net(torch.rand(1, 2)).dtype
    torch.float32
    """
    return torch.autocast(next((p.device.type for p in model.parameters()), "cpu"), enabled=False)


@contextmanager
def as_found(model: nn.Module) -> Iterator[None]:
    """Run a model in evaluation mode without gradients of parameters, and restore its state afterwards.

    Gradients of activations can be computed inside this context, also if it is entered under
    ``torch.no_grad``, ``torch.inference_mode`` or ``torch.autocast``. The state is restored after an error
    too.

    Args:
        model: The model.

    Yields:
        Nothing.

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
        eager = torch.compiler.set_stance("force_eager")  # compiled code calls no hooks
        with torch.inference_mode(False), torch.enable_grad(), own_precision(model), eager:
            yield
    finally:
        for module in training:
            module.training = True
        for parameter in learnable:
            parameter.requires_grad_(True)


@contextmanager
def recording(modules: Mapping[str, nn.Module], recorded: dict[str, Tensor]) -> Iterator[None]:
    """Record the outputs of modules that run inside this context.

    Args:
        modules: Name -> module.
        recorded: An empty dictionary. It receives name -> output, with its graph.

    Yields:
        Nothing.

    Raises:
        ValueError: A module runs more than once, or its output is not a tensor.

    >>> net, recorded = nn.Sequential(nn.Linear(2, 3), nn.ReLU()), {}
    >>> with recording({"0": net[0]}, recorded):
    ...     output = net(torch.rand(1, 2))
    >>> recorded["0"].shape
    torch.Size([1, 3])
    """
    def hook_for(name: str) -> Callable:
        def hook(module: nn.Module, inputs: tuple, output: Tensor) -> Tensor:
            if name in recorded:
                raise ValueError(
                    f"layer {name!r} runs more than once in a forward pass; choose one that runs once"
                )
            recorded[name] = recorded_output(name, output)
            return recorded[name].clone()  # later in-place operations change the clone
        return hook

    handles = []
    try:
        for name, module in modules.items():
            handles.append(module.register_forward_hook(hook_for(name)))
        yield
    finally:
        for handle in handles:
            handle.remove()


def recorded_output(name: str, output: object) -> Tensor:
    """Return the output of a layer as a tensor of the graph, which begins there if it has not begun before.

    Args:
        name: The name of the layer, for the message.
        output: The output of the layer.

    Returns:
        The output, which requires a gradient.

    Raises:
        ValueError: The output is not a tensor.

    >>> recorded_output("0", torch.zeros(1)).requires_grad
    True
    """
    if not isinstance(output, Tensor):
        raise ValueError(f"layer {name!r} returns {type(output).__name__}, not a tensor; choose another")
    return output if output.requires_grad else output.detach().requires_grad_()
