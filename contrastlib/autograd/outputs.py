"""The logits in the output of a network: the one place where every pass reads and checks them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import fields, is_dataclass
from typing import Any

from torch import Tensor

from contrastlib._logits import check_logits, check_scores
from contrastlib.autograd.final_activation import final_activation

Output = str | int | Callable[[Any], Tensor]
"""Where the logits are in the output of a network: a key or an attribute, an index, or a function."""


_reading: ContextVar[tuple[Output | None, bool]] = ContextVar("reading", default=(None, False))


@contextmanager
def reading(output: Output | None = None, probabilities: bool = False) -> Iterator[None]:
    """Say, for the passes that this thread runs inside this context, where the logits are in the output.

    Args:
        output: A key or an attribute of the output, an index, or a function of the output that returns scores
            (B, C). The function is also called with outputs of other numbers of rows, because some methods
            run several images or points together. If None, :func:`read_logits` looks for the logits.
        probabilities: Whether the scores may be probabilities.

    Yields:
        Nothing.

    Raises:
        TypeError: ``output`` is no name, index or function.

    >>> import torch
    >>> with reading("class"):
    ...     read_logits({"class": torch.ones(2, 3), "box": torch.ones(2, 4)}, batch=2).shape
    torch.Size([2, 3])
    """
    if isinstance(output, bool) or not (output is None or isinstance(output, str | int) or callable(output)):
        raise TypeError(f"output must be a name, an index or a function of the output, got {output!r}")
    token = _reading.set((output, probabilities))
    try:
        yield
    finally:
        _reading.reset(token)


def read_logits(output: Any, batch: int) -> Tensor:
    """Find the logits (B, C) in the output of a network, and check them.

    They are what :func:`reading` says. Without it they are the output itself if that is a tensor; its only
    tensor called "logits", as a key or an attribute; or, in a tuple or a list, the only floating-point tensor
    (B, C).

    Args:
        output: What the network returned.
        batch: The number of images, B.

    Returns:
        The logits (B, C), with their graph.

    Raises:
        TypeError: The logits are not floating point, or a function of the output returned no tensor.
        ValueError: The output has no logits or several candidates, or the logits have another shape, hold NaN
            or infinite values, or are probabilities.

    >>> import torch
    >>> read_logits((torch.tensor(0.5), torch.ones(2, 3)), batch=2).shape
    torch.Size([2, 3])
    >>> read_logits(torch.rand(2, 5, 1), batch=2)
    Traceback (most recent call last):
    ...
    ValueError: the model must return logits (2, C), one row for each image, got (2, 5, 1). For ...
    """
    name, probabilities = _reading.get()
    logits, path = _found(output, batch) if name is None else _named(output, name)
    if isinstance(logits, Tensor) and (logits.ndim != 2 or len(logits) != batch):
        raise ValueError(f"{_wanted(batch)}, got {tuple(logits.shape)}{_remedy(logits, batch, path)}")
    if probabilities:
        check_scores(logits)
        return logits
    _check_final_activation(logits)
    check_logits(logits)
    return logits


def _check_final_activation(logits: Tensor) -> None:
    name = final_activation(logits) if isinstance(logits, Tensor) else ""
    if not name or (name == "log-softmax" and logits.shape[1] > 1):  # logits, up to a constant of each image
        return
    undone = {"softmax": "torch.log", "sigmoid": "torch.logit", "hard sigmoid": "torch.logit"}.get(name)
    wrong = "probabilities" if undone else "logarithms of probabilities"
    instead = f", or undo it with output=lambda y: {undone}(y)" if undone else ""
    if name == "softmax" and logits.shape[1] == 1:
        instead = ", or undo it with output=lambda y: torch.logit(y)"
    raise ValueError(
        f"the network ends in a {name}: these are {wrong}, not logits. Remove the network's final {name}"
        f"{instead}"
    )


def _found(output: Any, batch: int) -> tuple[Tensor, str]:
    """Return the logits in an output, and the code of their path in it, such as ``[0].logits``."""
    if isinstance(output, Tensor):
        return output, ""
    tensors = dict(_tensors(output))
    called = [path for path in tensors if path.endswith(("['logits']", ".logits"))]
    fitting = [
        path
        for path, each in tensors.items()
        if each.ndim == 2 and len(each) == batch and each.is_floating_point()
    ]
    chosen = called or (fitting if isinstance(output, tuple | list) else [])
    if len(chosen) == 1:
        return tensors[chosen[0]], chosen[0]
    kind = type(output).__name__
    if not tensors:
        raise ValueError(f"{_wanted(batch)}, got {kind}: wrap it in a module that returns the logits alone")
    if isinstance(output, list) and all(isinstance(each, Mapping) and "boxes" in each for each in output):
        raise ValueError(
            f"{_wanted(batch)}, got a list of detections: explain the score of a box, for one image with "
            'output=lambda found: found[0]["scores"][None, :1] and regression=True'
        )
    listed = ", ".join(f"{path} {tuple(each.shape)}" for path, each in list(tensors.items())[:8])
    path = (called or fitting or list(tensors))[0]
    raise ValueError(
        f"{_wanted(batch)}, got {kind} with {listed}: say which are the logits, "
        f"such as output=lambda y: y{path}{_recipe(tensors[path], batch)}"
    )


def _named(output: Any, name: Output) -> tuple[Any, str]:
    """Return what a name, an index or a function finds in an output, and the code of its path."""
    if callable(name):
        logits = name(output)
        if not isinstance(logits, Tensor):
            raise TypeError(f"the function output must return a tensor (B, C), got {type(logits).__name__}")
        return logits, "…"
    if isinstance(name, str) and not isinstance(output, Mapping):
        found, path = getattr(output, name, None), f".{name}"
    else:
        path = f"[{name!r}]"
        try:
            found = output[name]
        except (KeyError, IndexError, TypeError):
            found = None
    if isinstance(output, Tensor) or not isinstance(found, Tensor):
        has = ", ".join(f"{path} {tuple(each.shape)}" for path, each in _tensors(output)) or "no tensor"
        raise ValueError(
            f"output={name!r} is no tensor in the {type(output).__name__} of the model, which has {has}: "
            "choose one of these"
        )
    return found, path


def _tensors(output: Any, path: str = "") -> Iterator[tuple[str, Tensor]]:
    """Yield the code of the path, and the tensor, of each tensor in an output."""
    if isinstance(output, Tensor):
        yield path, output
    elif isinstance(output, Mapping):
        for key, value in output.items():
            yield from _tensors(value, f"{path}[{key!r}]")
    elif hasattr(output, "_fields"):  # a named tuple
        for name in output._fields:
            yield from _tensors(getattr(output, name), f"{path}.{name}")
    elif isinstance(output, Sequence) and not isinstance(output, str):
        for index, value in enumerate(output):
            yield from _tensors(value, f"{path}[{index}]")
    elif is_dataclass(output):
        for field in fields(output):
            yield from _tensors(getattr(output, field.name), f"{path}.{field.name}")
    elif isinstance(getattr(output, "logits", None), Tensor):
        yield f"{path}.logits", output.logits


def _wanted(batch: int) -> str:
    return f"the model must return logits ({batch}, C), one row for each image"


def _remedy(logits: Tensor, batch: int, path: str) -> str:
    recipe = _recipe(logits, batch)
    if not recipe or path == "…":
        return ""
    kinds = {"[:, 0]": "the position", "[:, :, mask].mean(dim=-1)": "the mask or position"}
    of = kinds.get(recipe, "each image")
    return f". For the score of {of} give a function of the output, such as output=lambda y: y{path}{recipe}"


def _recipe(logits: Tensor, batch: int) -> str:
    """Return code that makes scores (B, C) of a tensor of another shape, or "" if none is known."""
    if not logits.ndim or len(logits) != batch:
        return ""
    if logits.ndim == 4 and logits.shape[2:].numel() == 1:
        return ".flatten(1)"
    return {1: "[:, None]", 3: "[:, 0]", 4: "[:, :, mask].mean(dim=-1)"}.get(logits.ndim, "")
