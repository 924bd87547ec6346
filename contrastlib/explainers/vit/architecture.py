"""Tells Vision Transformers from convolutional networks, before they run."""

from __future__ import annotations

import re
from functools import lru_cache

from torch import nn

from contrastlib.autograd import is_auxiliary

QUERIES = {"q", "qk", "qv", "qkv", "wq", "wqkv", "query", "queries", "toqkv"}
"""Words in the names of the projections to queries, by which attention is known."""


def is_transformer(model: nn.Module) -> bool:
    """Tell whether a model is, or contains, a Vision Transformer: blocks of attention after all convolutions.

    Attention is PyTorch's ``nn.MultiheadAttention``, or a module with a projection to queries (``qkv``,
    ``q_proj``, ``query``). Two of them after the last 2-d convolution, in the order of definition, make a
    Transformer. One makes a Transformer if it lies in a list of modules all of which have attention, as a
    Transformer of one block has. Otherwise it is the pooling of a convolutional network, as in CLIP's
    ResNets. A network whose blocks have convolutions after their attention is explained as a convolutional
    network.

    Args:
        model: The model.

    Returns:
        Whether :func:`contrastlib.explain` replaces ``gradcam`` by ``vit_gradcam``.

    >>> from torchvision.models import VisionTransformer
    >>> net = VisionTransformer(32, 8, num_layers=2, num_heads=2, hidden_dim=8, mlp_dim=8)
    >>> is_transformer(nn.Sequential(net))
    True
    >>> is_transformer(nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten(2), nn.MultiheadAttention(8, 2)))
    False
    """
    modules = [module for name, module in model.named_modules() if not is_auxiliary(name)]
    after = []
    for module in reversed(modules):
        if isinstance(module, nn.Conv2d):
            break
        after.append(module)
    attention = _innermost([module for module in after if _is_attention(module)])
    if len(attention) != 1:
        return len(attention) > 1
    lists = (module for module in after if isinstance(module, (nn.ModuleList, nn.Sequential)))
    return any(_all_attend(each, attention[0]) for each in lists)


def _is_attention(module: nn.Module) -> bool:
    if isinstance(module, nn.MultiheadAttention):
        return True
    parts = (*module.named_children(), *module.named_parameters(recurse=False))
    return any(_is_of_queries(name) for name, _ in parts)


@lru_cache(maxsize=1024)
def _is_of_queries(name: str) -> bool:
    return not QUERIES.isdisjoint(re.split(r"_|\d", name.lower()))


def _innermost(modules: list[nn.Module]) -> list[nn.Module]:
    """Leave out modules that contain others of the list."""
    chosen = set(modules)
    return [each for each in modules if not any(m in chosen for m in each.modules() if m is not each)]


def _all_attend(container: nn.Module, attention: nn.Module) -> bool:
    elements = list(container.children())
    return bool(elements) and all(attention in set(element.modules()) for element in elements)
