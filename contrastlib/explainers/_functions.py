"""Names of PyTorch's functions, as a :class:`torch.overrides.TorchFunctionMode` receives them."""

from __future__ import annotations

from collections.abc import Callable


def function_name(func: Callable) -> str:
    """Return the name of a function without the underscore that marks in-place functions.

    Args:
        func: A function of PyTorch.

    Returns:
        The name, or "" if the function has none.

    >>> import torch
    >>> function_name(torch.relu_)
    'relu'
    """
    return getattr(func, "__name__", "").strip("_")
