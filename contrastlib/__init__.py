"""Contrastive explanations of image classifiers: why this class, and not the others?"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from contrastlib._explain import explain

__all__ = ["assets", "autograd", "contrasts", "datasets", "evaluation", "explain", "explainers", "models", "plotting"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """What this package offers, loaded when it is asked for: torch is slow to import."""
    if name == "explain":
        return importlib.import_module("contrastlib._explain").explain
    if name in __all__:
        return importlib.import_module(f"contrastlib.{name}")
    raise AttributeError(f"module 'contrastlib' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *__all__]
