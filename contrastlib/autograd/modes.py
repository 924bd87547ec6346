"""Contexts in which explainers run a model: in evaluation mode, in its own precision, recording layers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import get_ident

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import CheckpointError

from contrastlib.autograd.turns import EAGER, has_turn, turn

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
    too. Modules with a ``train`` of their own are restored by it, and their parameters and buffers have their
    values again afterwards.

    One thread at a time is inside this context of a model; the others wait. So a thread may run a model while
    others explain it, if it runs the model inside this context.

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
    if has_turn(model):  # the state is changed, and restored, outside
        with torch.inference_mode(False), torch.enable_grad(), own_precision(model):
            yield
        return
    modules, parameters = list(model.modules()), list(model.parameters())
    with (
        turn([*modules, *parameters]),
        _naming_checkpoints(model),
        _evaluating(model, modules),
        _frozen(parameters),
        EAGER,
        torch.inference_mode(False),
        torch.enable_grad(),
        own_precision(model),
    ):
        yield


@contextmanager
def _evaluating(model: nn.Module, modules: Sequence[nn.Module]) -> Iterator[None]:
    """Run a model in evaluation mode, and restore the mode of each of its modules."""
    # Frozen TorchScript modules have no mode.
    modes = [(module, module.training) for module in modules if hasattr(module, "training")]
    if not any(training for _, training in modes):
        yield
        return
    # Such a module can do more than change its mode: low-rank adapters are added to the weights, for example.
    own = [module for module in modules if _has_own_train(module)]
    tensors = dict.fromkeys(tensor for module in own for tensor in (*module.parameters(), *module.buffers()))
    values = [(tensor, tensor.detach().clone()) for tensor in tensors]
    try:
        _evaluate(model)
        yield
    finally:
        try:
            for module, training in modes:  # parents before their children, which they change as well
                if module in own and module.training != training:
                    module.train(training)
        finally:
            for module, training in modes:
                module.training = training
            for tensor, before in values:  # the sum and the difference of weights are rounded
                tensor.data.copy_(before)


def _has_own_train(module: nn.Module) -> bool:
    kind = type(module)
    return kind.train is not nn.Module.train or kind.eval is not nn.Module.eval or "train" in vars(module)


@contextmanager
def _naming_checkpoints(model: nn.Module) -> Iterator[None]:
    """Say what to do where a checkpoint does not allow what is asked."""
    try:
        yield
    except RuntimeError as error:
        if not isinstance(error, CheckpointError) and "use_reentrant" not in str(error):
            raise
        remedy = CHECKPOINTS if "use_reentrant" in str(error) else f"this method needs it off: {TURN_OFF}"
        raise ValueError(f"{type(model).__name__} runs layers in torch.utils.checkpoint: {remedy}") from error


@contextmanager
def _frozen(parameters: Sequence[nn.Parameter]) -> Iterator[None]:
    """Require no gradients of parameters, and restore which of them are required."""
    learnable = [parameter for parameter in parameters if parameter.requires_grad]
    try:
        for parameter in learnable:
            parameter.requires_grad_(False)
        yield
    finally:
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
            if (
                schema
                and re.search("batch_norm|dropout", schema.name)
                and (values.get("train") is True or values.get("training") is True)
            ):
                raise ValueError(
                    f"the model was exported in training mode ({schema.name}): call model.eval() before the "
                    "export"
                ) from error


@contextmanager
def recording(modules: Mapping[str, nn.Module], recorded: dict[str, Tensor]) -> Iterator[None]:
    """Record the outputs of modules that this thread runs inside this context.

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
    thread = get_ident()

    def hook_for(name: str) -> Callable:
        def hook(module: nn.Module, inputs: tuple, output: Tensor) -> Tensor:
            if get_ident() != thread:  # another thread runs the network for a purpose of its own
                return output
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
        if not torch.is_grad_enabled():  # another thread runs the network for a purpose of its own
            return output
        return recorded_output("", output).clone()

    handles = [module.register_forward_hook(hook) for module in modules]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
