"""Explainers of Vision Transformers, in whatever library they are written.

- :mod:`~contrastlib.explainers.vit.architecture`: tells Transformers from convolutional networks
- :mod:`~contrastlib.explainers.vit.forward_pass`: the forward pass that records attention and blocks
- :mod:`~contrastlib.explainers.vit.attention`: computes attention as a matrix while the network runs
- :mod:`~contrastlib.explainers.vit.blocks`: finds the blocks while the network runs
- :mod:`~contrastlib.explainers.vit.tokens`: which tokens are patches, and which ones the head reads
- :mod:`~contrastlib.explainers.vit.token_layers`: the layers that GradCAM of tokens explains
- :mod:`~contrastlib.explainers.vit.methods`: GradCAM of tokens, attention rollout and attention times
  gradient
"""

from contrastlib.explainers.vit.architecture import is_transformer
from contrastlib.explainers.vit.forward_pass import TokensPass, vit_forward
from contrastlib.explainers.vit.methods import (
    NORMALISE,
    PUBLISHED,
    REVIEW,
    attention_rollout,
    attention_x_gradient,
    gradient_attention_rollout,
    vit_gradcam,
)

__all__ = [
    "NORMALISE", "PUBLISHED", "REVIEW", "TokensPass", "attention_rollout", "attention_x_gradient",
    "gradient_attention_rollout", "is_transformer", "vit_forward", "vit_gradcam",
]  # fmt: skip
