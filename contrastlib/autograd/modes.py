"""Contexts in which explainers run a model: in evaluation mode, in its own precision, recording layers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import CheckpointError

TURN_OFF = "turn checkpointing off (model.set_grad_checkpointing(False) in timm)"
CHECKPOINTS = f"checkpoint with use_reentrant=False, or {TURN_OFF}"
WITHOUT_GRADIENTS = (
    "without gradients, under torch.no_grad or in a checkpoint with use_reentrant=True: remove that, "
    "checkpoint with use_reentrant=False, or name another layer"
)


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
            _evaluate(model)
        for parameter in learnable:
            parameter.requires_grad_(False)
        eager = torch.compiler.set_stance("force_eager")  # compiled code calls no hooks
        with torch.inference_mode(False), torch.enable_grad(), own_precision(model), eager:
            yield
    except AssertionError as error:
        if "Guard failed" not in str(error):
            raise
        raise ValueError(
            f"the exported program takes no such batch ({error}): export it with "
            "dynamic_shapes=({0: torch.export.Dim.AUTO},), or explain the module that it was made from"
        ) from error
    except RuntimeError as error:
        if not isinstance(error, CheckpointError) and "use_reentrant" not in str(error):
            raise
        remedy = CHECKPOINTS if "use_reentrant" in str(error) else f"this method needs it off: {TURN_OFF}"
        raise ValueError(f"{type(model).__name__} runs layers in torch.utils.checkpoint: {remedy}") from error
    finally:
        for module in training:
            module.training = True
        for parameter in learnable:
            parameter.requires_grad_(True)


def _evaluate(model: nn.Module) -> None:
    """Bring a model to evaluation mode.

    An exported program stays in the mode in which it was exported.

    Raises:
        ValueError: It was exported in training mode.
    """
    try:
        model.eval()
    except NotImplementedError as error:
        for node in model.graph.nodes if hasattr(model, "graph") else ():
            schema = getattr(node.target, "_schema", None)
            names = [argument.name for argument in schema.arguments] if schema else []
            values = dict(zip(names, node.args)) | dict(node.kwargs)
            if schema and re.search("batch_norm|dropout", schema.name) and (
                values.get("train") is True or values.get("training") is True
            ):
                raise ValueError(
                    f"the model was exported in training mode ({schema.name}): call model.eval() before the "
                    "export"
                ) from error


@contextmanager
def recording(modules: Mapping[str, nn.Module], recorded: dict[str, Tensor]) -> Iterator[None]:
    """Record the outputs of modules that run inside this context.

    Args:
        modules: Name -> module.
        recorded: An empty dictionary. It receives name -> output, with its graph.

    Yields:
        Nothing.

    Raises:
        ValueError: A module runs more than once or without gradients, or its output is not a tensor.

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
        ValueError: The output is not a tensor, or gradients are switched off.

    >>> recorded_output("0", torch.zeros(1)).requires_grad
    True
    """
    if not isinstance(output, Tensor):
        raise ValueError(f"layer {name!r} returns {type(output).__name__}, not a tensor; choose another")
    if not torch.is_grad_enabled():
        raise ValueError(f"layer {name!r} runs {WITHOUT_GRADIENTS}")
    return output if output.requires_grad else output.detach().requires_grad_()


@contextmanager
def recording_again(modules: Iterable[nn.Module]) -> Iterator[None]:
    """Let modules do in a backward pass what they did under :func:`recording`.

    A checkpointed part of a network runs again in the backward pass, and has to save the same tensors.

    Args:
        modules: The modules whose outputs were recorded.

    Yields:
        Nothing.

    >>> with recording_again([]):
    ...     pass
    """
    def hook(module: nn.Module, inputs: tuple, output: Tensor) -> Tensor:
        return recorded_output("", output).clone()

    handles = [module.register_forward_hook(hook) for module in modules]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
