"""All networks that are tried: a member of every family, at a size that a processor can do."""

from __future__ import annotations

from benchmarks.families import (
    contrastlib_networks,
    timm_networks,
    torchvision_networks,
    transformers_networks,
)
from benchmarks.families.record import Network


def networks() -> list[Network]:
    """Return the records of all networks, library by library.

    >>> [network.name for network in networks() if network.family == "AlexNet"]
    ['alexnet', 'birds_alexnet']
    """
    modules = torchvision_networks, timm_networks, transformers_networks, contrastlib_networks
    return [network for module in modules for network in module.NETWORKS]
