"""The recorded forward pass, and pulling cotangents back through it.

- :mod:`~contrastlib.autograd.forward_pass`: one forward pass, kept, and the gradients of its logits
- :mod:`~contrastlib.autograd.layers`: the layers of a network by name
- :mod:`~contrastlib.autograd.checks`: what cannot be explained, and what to do about it
- three optimisations, each on its own: contrasts that have much in common go back together
  (:mod:`~contrastlib.autograd.shared_cotangents`), what only gradients of parameters need is not kept
  (:mod:`~contrastlib.autograd.saved_tensors`), and a linear head takes all cotangents at once
"""

from contrastlib.autograd.checks import check_cotangent, check_images, check_model, check_output
from contrastlib.autograd.forward_pass import (
    INPUT,
    ForwardPass,
    as_found,
    forward,
    logits_of,
    own_precision,
    predict,
    recording,
)
from contrastlib.autograd.layers import default_layer, find_layer, is_auxiliary, last_convolution
from contrastlib.autograd.saved_tensors import LinearInputsDropped
from contrastlib.autograd.shared_cotangents import shared_basis, through_basis

__all__ = [
    "INPUT", "ForwardPass", "LinearInputsDropped", "as_found", "check_cotangent", "check_images", "check_model",
    "check_output", "default_layer", "find_layer", "forward", "is_auxiliary", "last_convolution", "logits_of",
    "own_precision", "predict", "recording", "shared_basis", "through_basis",
]  # fmt: skip
