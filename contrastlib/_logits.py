"""Checks of logits, target classes, foils and weights. Each error message says how to correct the input."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor

Classes = int | Sequence[int] | Tensor
"""A class index for all images, or one class index for each of the B images."""


_values_are_known: ContextVar[bool] = ContextVar("values_are_known", default=False)


@contextmanager
def known_values() -> Iterator[None]:
    """Check no values of logits and classes inside this context, since they have been checked before.

    On a GPU each check of values waits until the GPU has computed them.

    Yields:
        Nothing.

    >>> with known_values():
    ...     check_scores(torch.tensor([[0.25, torch.nan]]))
    """
    token = _values_are_known.set(True)
    try:
        yield
    finally:
        _values_are_known.reset(token)


def check_logits(logits: Tensor) -> None:
    """Raise an error unless a tensor can hold logits (B, C).

    Args:
        logits: What a network returned.

    Raises:
        TypeError: It is not a tensor of floating-point numbers.
        ValueError: It has another shape, holds NaN or infinite values, or holds probabilities.

    >>> check_logits(torch.tensor([[0.25, 0.75]]))
    Traceback (most recent call last):
    ...
    ValueError: every row is non-negative and sums to 1: these are probabilities, not logits. ...
    """
    check_scores(logits)
    if not _values_are_known.get() and logits.shape[1] > 1 and _are_probabilities(logits):
        raise ValueError(
            "every row is non-negative and sums to 1: these are probabilities, not logits. "
            "Remove the network's final softmax, or pass log-probabilities (p.log())."
        )


def check_scores(scores: Tensor) -> None:
    """Raise an error unless a tensor holds finite scores (B, C), which may be probabilities.

    Args:
        scores: What a network returned.

    Raises:
        TypeError: It is not a tensor of floating-point numbers.
        ValueError: It has another shape, or holds NaN or infinite values.

    >>> check_scores(torch.tensor([[0.25, torch.nan]]))
    Traceback (most recent call last):
    ...
    ValueError: logits are NaN or infinite in row(s) [0]: check the images and the network
    """
    if not isinstance(scores, Tensor) or not scores.is_floating_point():
        kind = scores.dtype if isinstance(scores, Tensor) else type(scores).__name__
        raise TypeError(f"logits must be a floating-point tensor, got {kind}")
    if scores.ndim != 2 or 0 in scores.shape:
        raise ValueError(f"logits must have shape (B, C), one row for each image, got {tuple(scores.shape)}")
    if not _values_are_known.get() and not scores.isfinite().all():
        rows = (~scores.isfinite()).any(dim=1).nonzero().flatten().tolist()
        raise ValueError(f"logits are NaN or infinite in row(s) {rows[:5]}: check the images and the network")


def checked(logits: Tensor, target: Classes) -> tuple[Tensor, Tensor, bool]:
    """Check logits and target classes, and turn a single logit y into the two logits (0, y).

    Args:
        logits: Logits (B, C).
        target: Target class, or one target class for each image.

    Returns:
        Detached logits (B, C) with C >= 2, target classes (B,), and whether there was a single logit.

    Raises:
        TypeError: The logits are not floating point, or the target classes are not integers.
        ValueError: The logits or the target classes have a wrong shape or wrong values.
        IndexError: A target is not a class.

    >>> checked(torch.tensor([[3.]]), 1)
    (tensor([[0., 3.]]), tensor([1]), True)
    """
    logits, single = as_pair(logits)
    return logits, class_indices(target, logits, "target"), single


def as_pair(logits: Tensor) -> tuple[Tensor, bool]:
    """Check logits, and turn a single logit y into the two logits (0, y).

    Args:
        logits: Logits (B, C).

    Returns:
        Detached logits (B, C) with C >= 2, and whether there was a single logit.

    Raises:
        TypeError: The logits are not floating point.
        ValueError: The logits have a wrong shape or wrong values.

    >>> as_pair(torch.tensor([[3.]]))
    (tensor([[0., 3.]]), True)
    """
    check_logits(logits)
    logits, single = logits.detach(), logits.shape[1] == 1
    if single:
        logits = torch.cat([torch.zeros_like(logits), logits], dim=1)
    return logits, single


def class_indices(classes: Classes, logits: Tensor, what: str) -> Tensor:
    """Return class indices (B,) from one class or from one class for each image.

    Args:
        classes: A class index, or one for each image.
        logits: Logits (B, C).
        what: The name of the argument, for error messages.

    Returns:
        Class indices (B,), of int64, on the device of the logits.

    Raises:
        TypeError: The classes are not integers.
        ValueError: They are neither one nor B.
        IndexError: One of them is not a class.

    >>> class_indices(2, torch.zeros(4, 3), "target")
    tensor([2, 2, 2, 2])
    """
    indices = as_tensor(classes, logits, what)
    if indices.dtype == torch.bool:
        raise TypeError(f"{what} must hold integer class indices, got truth values")
    batch, count = logits.shape
    if indices.ndim == 0:
        indices = indices.expand(batch)
    if indices.shape != (batch,):
        raise ValueError(
            f"{what} must be one class or one for each of the {batch} images, "
            f"got shape {tuple(indices.shape)}"
        )
    check_range(indices, count, what)
    return indices


def own_weights(contrast: Tensor | Callable[[Tensor], Tensor], logits: Tensor) -> Tensor:
    """Check weights over the logits that a user computed.

    Args:
        contrast: Weights (B, C), or a function of the logits (B, C) that returns them.
        logits: Logits (B, C).

    Returns:
        Detached weights (B, C), in the dtype of the logits and on their device.

    Raises:
        TypeError: The weights are not a tensor of real numbers.
        ValueError: The weights have another shape than the logits, or hold NaN or infinite values.

    >>> own_weights(lambda y: -y, torch.tensor([[2., 1.]]))
    tensor([[-2., -1.]])
    """
    check_scores(logits)
    weights = contrast(logits) if callable(contrast) else contrast
    if not isinstance(weights, Tensor):
        raise TypeError(
            f"a contrast is a name, a tensor of weights or a function that returns one, not {weights!r}"
        )
    if weights.is_complex():
        raise TypeError(f"weights must be real, got {weights.dtype}")
    if weights.shape != logits.shape:
        raise ValueError(
            f"weights must have the logits' shape (B, C) = {tuple(logits.shape)}, a row for each image, "
            f"got {tuple(weights.shape)}"
        )
    weights = weights.detach().to(logits)
    if not weights.isfinite().all():
        raise ValueError("weights hold NaN or infinite values: check the contrast that they come from")
    return weights


def _are_probabilities(logits: Tensor) -> bool:
    """Tell whether all rows are non-negative and sum to 1, up to rounding."""
    eps = torch.finfo(logits.dtype).eps
    # 100 steps of a 16-bit dtype would be so much that ordinary logits fulfil the condition.
    tolerance = eps if logits.dtype.itemsize == 2 else 100 * eps
    sums = logits.to(torch.promote_types(logits.dtype, torch.float32)).sum(dim=1)
    positive = bool((logits >= 0).all())
    return positive and torch.allclose(sums, torch.ones_like(sums), rtol=0, atol=tolerance)


def as_tensor(classes: Classes, logits: Tensor, what: str) -> Tensor:
    """Return classes as a tensor of int64 or of truth values, on the device of the logits.

    Args:
        classes: Class indices, or truth values.
        logits: Logits (B, C).
        what: The name of the argument, for error messages.

    Raises:
        TypeError: The classes are neither integers nor truth values.

    >>> as_tensor((1, 2), torch.zeros(1, 3), "foils")
    tensor([1, 2])
    """
    try:
        tensor = torch.as_tensor(classes, device=logits.device)
    except (RuntimeError, TypeError, ValueError) as error:
        raise TypeError(f"{what} must hold integer class indices, got {classes!r}") from error
    if tensor.numel() and (tensor.is_floating_point() or tensor.is_complex()):
        raise TypeError(f"{what} must hold integer class indices, got {tensor.dtype}")
    return tensor if tensor.dtype == torch.bool else tensor.long()


def check_range(indices: Tensor, count: int, what: str) -> None:
    """Raise an error unless all indices are those of classes.

    Args:
        indices: Class indices.
        count: Number C of classes.
        what: What an index is called in the message.

    Raises:
        IndexError: An index is not one of 0 to C - 1.

    >>> check_range(torch.tensor([3]), 3, "foil")
    Traceback (most recent call last):
    IndexError: foil 3 is not a class: there are 3 (0 to 2)
    """
    if _values_are_known.get():
        return
    outside = indices[(indices < 0) | (indices >= count)]
    if outside.numel():
        raise IndexError(f"{what} {outside[0].item()} is not a class: there are {count} (0 to {count - 1})")
