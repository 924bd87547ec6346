"""Explainers of Vision Transformers, for torchvision's ``VisionTransformer``.

- :mod:`~contrastlib.explainers.vit.forward_pass`: the forward pass that records attention and blocks
- :mod:`~contrastlib.explainers.vit.methods`: GradCAM of tokens, attention rollout and attention times
  gradient
"""

from contrastlib.explainers.vit.forward_pass import is_transformer, vit_forward
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
    "NORMALISE", "PUBLISHED", "REVIEW", "attention_rollout", "attention_x_gradient",
    "gradient_attention_rollout", "is_transformer", "vit_forward", "vit_gradcam",
]  # fmt: skip
