"""Names of torch's functions, as a :class:`torch.overrides.TorchFunctionMode` meets them."""

from __future__ import annotations

from collections.abc import Callable


def function_name(func: Callable) -> str:
    """The name without the underscores of methods that work in place.

    >>> import torch
    >>> function_name(torch.relu_)
    'relu'
    """
    return getattr(func, "__name__", "").strip("_")
