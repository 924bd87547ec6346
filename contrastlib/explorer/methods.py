"""The explanation methods that the explorer offers, and those that apply to a network."""

from __future__ import annotations

from collections.abc import Sequence

from contrastlib.explainers import EXPLAINERS, Explainer, vit
from contrastlib.models import Classifier

CONVOLUTIONAL = ("gradcam", "linear_approximation", "xgradcam", "input_x_gradient", "lrp", "clrp1")
"""Default methods of convolutional networks, whose maps are fast to compute and small to store."""
TRANSFORMER = ("vit_gradcam", "gradient_attention_rollout")
"""Default methods of Vision Transformers."""
RELEVANCE = {"lrp": "scored", "clrp1": "relevance"}
"""Kind of the maps of LRP and CLRP1, as defined in :mod:`contrastlib.explorer.packing`.

Both methods use the same basis maps. CLRP is generalised to all contrasts. Its map is the positive part of
the relevance propagated from abs(y_t) w.
"""


def offered() -> dict[str, Explainer]:
    """Return the explainers that the explorer supports: those that take any contrast, and LRP and CLRP1.

    >>> "integrated_gradients" in offered(), "sglrp" in offered()
    (True, False)
    """
    return {name: record for name, record in EXPLAINERS.items() if record.contrast or name in RELEVANCE}


def applicable(
    network: Classifier, methods: Sequence[str] | None, layers: Sequence[str] | None = None
) -> list[str]:
    """Select the methods that apply to the architecture of a network.

    Args:
        network: The network.
        methods: Names in :func:`offered`. None stands for ``TRANSFORMER`` or ``CONVOLUTIONAL``.
        layers: Layers for the methods that explain a layer. Without them, and without a default layer of the
            network, these methods do not apply to a convolutional network.

    Returns:
        The names of the methods that apply, in the given order and without duplicates.

    Raises:
        ValueError: A method is unknown, or none applies.
    """
    transformer = vit.is_transformer(network)
    chosen = list(dict.fromkeys(methods or (TRANSFORMER if transformer else CONVOLUTIONAL)))
    known = offered()
    unknown = [method for method in chosen if method not in known]
    if unknown:
        raise ValueError(f"unknown method {unknown[0]!r}; the explorer has {', '.join(known)}")
    spaces = {"pixels", "tokens" if transformer else "layer"}
    if not transformer and layers is None and network.layer is None:
        spaces.remove("layer")
    fitting = [
        method
        for method, record in known.items()
        if record.space in spaces and not (transformer and method in RELEVANCE)
    ]
    found = [method for method in chosen if method in fitting]
    if not found:
        raise ValueError(
            f"{', '.join(chosen)} cannot explain {network.name}: name others of {', '.join(fitting)}"
        )
    return found
