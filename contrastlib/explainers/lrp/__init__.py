"""Layer-wise relevance propagation and its contrasts.

- :mod:`~contrastlib.explainers.lrp.methods`: LRP, CLRP, SGLRP and the weighted LRP
- :mod:`~contrastlib.explainers.lrp.initial_relevance`: the initial relevance of each
- :mod:`~contrastlib.explainers.lrp.propagation`: from there back to the pixels
- :mod:`~contrastlib.explainers.lrp.rules`: what relevance does at each operation
"""

from contrastlib.explainers.lrp.initial_relevance import (
    DIFFERENCES,
    METHODS,
    InitialRelevance,
    Method,
    logit,
    named_methods,
    others,
    propagated,
    score,
)
from contrastlib.explainers.lrp.methods import clrp1, clrp2, contrastive_lrp, lrp, relevance_maps, sglrp
from contrastlib.explainers.lrp.propagation import Propagation, propagation
from contrastlib.explainers.lrp.rules import POOLING, RULES

__all__ = [
    "DIFFERENCES",
    "METHODS",
    "POOLING",
    "RULES",
    "InitialRelevance",
    "Method",
    "Propagation",
    "clrp1",
    "clrp2",
    "contrastive_lrp",
    "logit",
    "lrp",
    "named_methods",
    "others",
    "propagated",
    "propagation",
    "relevance_maps",
    "score",
    "sglrp",
]  # fmt: skip
