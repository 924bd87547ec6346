"""Layer-wise relevance propagation (LRP) and its contrastive forms.

- :mod:`~contrastlib.explainers.lrp.methods`: LRP, CLRP, SGLRP and LRP of any contrast
- :mod:`~contrastlib.explainers.lrp.initial_relevance`: the initial relevance of each method
- :mod:`~contrastlib.explainers.lrp.propagation`: propagation of relevance from the logits to the pixels
- :mod:`~contrastlib.explainers.lrp.rules`: the rules of linear layers, sums and averages
- :mod:`~contrastlib.explainers.lrp.operations`: operations of a network that run with these rules
- :mod:`~contrastlib.explainers.lrp.batch_norms`: batch norms merged into the layers before them
- :mod:`~contrastlib.explainers.lrp.trace`: what the forward pass records for the propagation
- :mod:`~contrastlib.explainers.lrp.graph`: the check that each operation of a network has a rule
- :mod:`~contrastlib.explainers.lrp.origins`: the module in which an operation runs, for messages of errors

The shapes and symbols are those of :mod:`contrastlib`.
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
    "DIFFERENCES", "METHODS", "POOLING", "RULES", "InitialRelevance", "Method", "Propagation", "clrp1",
    "clrp2", "contrastive_lrp", "logit", "lrp", "named_methods", "others", "propagated", "propagation",
    "relevance_maps", "score", "sglrp",
]  # fmt: skip
