"""The record of a network that is tried."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

CLASSES = 7
"""Number of classes of every network."""


@dataclass(frozen=True)
class Network:
    """A network that is tried.

    Attributes:
        library: Name of the distribution that it comes from.
        family: Name of its family.
        name: Its name in the library, or that of its class.
        build: Function without arguments that builds it with random weights.
        size: Height and width of its images in pixels.
    """

    library: str
    family: str
    name: str
    build: Callable[[], nn.Module]
    size: int = 64
