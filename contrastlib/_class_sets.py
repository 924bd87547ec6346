"""Sets of classes: the foils of a target class, and a group of classes. What is wrong with one is said.

A set is that of all images, or a boolean mask (B, C) with a set for each image.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Integral, Real

import torch
from torch import Tensor

from contrastlib._logits import Classes, as_tensor, check_range, class_indices

Foils = int | Sequence[int] | Tensor | str
"""Class indices that are the foils of all images, a boolean mask (B, C), or "similar"."""
SIMILAR = "similar"
"""The foils whose logits are nearest to that of the target class."""
SIMILAR_COUNT = 3
"""The number of similar foils, as in the published code of Finer-CAM; fewer if there are not as many."""


def foil_mask(
    logits: Tensor, target: Tensor, foils: Foils, count: int | None = None, default: int = SIMILAR_COUNT
) -> Tensor:
    """Mark the foils of each image in a mask (B, C).

    Args:
        logits: Logits (B, C).
        target: Target classes (B,).
        foils: Class indices that are the foils of all images, a boolean mask (B, C), or "similar".
        count: Number of similar foils.
        default: The number of similar foils if ``count`` is None; all other classes if there are fewer.

    Returns:
        A boolean tensor (B, C) that is true at the foils.

    Raises:
        TypeError: The foils or their number are not integers.
        ValueError: The mask has another shape, an image has no foil, a foil is the target class, there are
            fewer other classes than similar foils, or a number is given for named foils.
        IndexError: A foil is not a class.

    >>> foil_mask(torch.zeros(1, 3), torch.tensor([0]), foils=[2])
    tensor([[False, False,  True]])
    """
    if isinstance(foils, str):
        if foils != SIMILAR:
            raise ValueError(f'unknown foils {foils!r}: choose "{SIMILAR}", or name classes by their indices')
        nearest = similar_foils(logits, target, min(default, logits.shape[1] - 1) if count is None else count)
        return torch.zeros_like(logits, dtype=torch.bool).scatter_(1, nearest, True)
    if count is not None:
        raise ValueError(f'foil_count is the number of foils="{SIMILAR}": leave it out if foils are named')
    mask, _ = _mask_and_indices(as_tensor(foils, logits, "foils"), logits, "foils", "foil")
    if not mask.any(dim=1).all():
        raise ValueError("foils are empty: name at least one class to contrast the target with")
    if mask.gather(1, target[:, None]).any():
        raise ValueError("the target is among its own foils: leave it out")
    return mask


def similar_foils(logits: Tensor, target: Classes, count: int = SIMILAR_COUNT) -> Tensor:
    """Return the classes whose logits are nearest to that of the target class.

    Args:
        logits: Logits (B, C), with C >= 2.
        target: Target class, or one target class for each image.
        count: How many classes; at most C - 1.

    Returns:
        Class indices (B, count), the nearest first. Of equal distances, the lower index comes first.

    Raises:
        TypeError: The number is not a whole one.
        ValueError: It is below 1, or there are not as many other classes.

    >>> similar_foils(torch.tensor([[6., 4., 3.5, 9.]]), 0, count=2)
    tensor([[1, 2]])
    """
    others = logits.shape[1] - 1
    if not isinstance(count, Integral) or isinstance(count, bool):
        raise TypeError(f"foil_count must be a whole number, got {count!r}")
    if not 1 <= count <= others:
        raise ValueError(
            f"foil_count is {count}, and {others} classes are not the target: choose 1 to {others}"
        )
    target = class_indices(target, logits, "target")[:, None]
    distance = (logits - logits.gather(1, target)).abs().scatter(1, target, torch.inf)
    return distance.argsort(dim=1, stable=True)[:, :count]


def group_mask(logits: Tensor, group: Classes, whole: bool = False) -> Tensor:
    """Mark the classes of a group in a mask (B, C).

    Args:
        logits: Logits (B, C).
        group: Class indices of the group, which is that of all images, or a boolean mask (B, C).
        whole: Whether the group may hold all classes.

    Returns:
        A boolean tensor (B, C) that is true at the classes of the group.

    Raises:
        TypeError: The classes are not integers.
        ValueError: The mask has another shape, the group is empty, holds a class twice, or holds all classes
            though it may not.
        IndexError: One of them is not a class.

    >>> group_mask(torch.zeros(1, 3), [0, 2])
    tensor([[ True, False,  True]])
    """
    mask, indices = _mask_and_indices(as_tensor(group, logits, "a group"), logits, "a group", "class")
    classes, times = indices.unique(return_counts=True)
    if (times > 1).any():
        raise ValueError(f"class {classes[times > 1][0].item()} is in the group twice: name it once")
    if not mask.any(dim=1).all():
        raise ValueError("the group is empty: name at least one class")
    if not whole and mask.all(dim=1).any():
        raise ValueError("the group holds all classes, so none is left to compare it with: leave some out")
    return mask


def check_strength(strength: float) -> None:
    """Raise an error unless a number can be the strength of a contrast.

    Args:
        strength: The weight of the foils together.

    Raises:
        TypeError: It is not a number.
        ValueError: It is NaN or infinite.

    >>> check_strength(float("nan"))
    Traceback (most recent call last):
    ValueError: strength must be a finite number, such as 0.6; got nan
    """
    if not isinstance(strength, Real) or isinstance(strength, bool):
        raise TypeError(f"strength must be a finite number, such as 0.6; got {strength!r}")
    if not math.isfinite(strength):
        raise ValueError(f"strength must be a finite number, such as 0.6; got {strength}")


def _mask_and_indices(classes: Tensor, logits: Tensor, name: str, each: str) -> tuple[Tensor, Tensor]:
    """A set of classes as a mask (B, C), and the indices that were given, none for a mask.

    ``name`` is what an error calls the set, and ``each`` what it calls one of its classes.
    """
    if classes.dtype == torch.bool:
        if classes.shape != logits.shape:
            raise ValueError(
                f"the mask of {name} must have the logits' shape {tuple(logits.shape)}, "
                f"got {tuple(classes.shape)}"
            )
        return classes, torch.empty(0, dtype=torch.long)
    if classes.ndim > 1:
        raise ValueError(
            f"for {name}, give class indices common to all images, or a boolean mask (B, C); "
            f"got indices of shape {tuple(classes.shape)}"
        )
    indices = classes.reshape(-1)
    check_range(indices, logits.shape[1], each)
    mask = torch.zeros_like(logits, dtype=torch.bool)
    mask[:, indices] = True
    return mask, indices
