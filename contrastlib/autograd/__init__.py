"""The recorded forward pass, and the backward pass of cotangents through it.

- :mod:`~contrastlib.autograd.forward_pass`: runs a network once and computes gradients of its logits
- :mod:`~contrastlib.autograd.running`: calls a network or its backward pass, and explains errors of PyTorch
- :mod:`~contrastlib.autograd.layers`: finds layers of a network by name
- :mod:`~contrastlib.autograd.spatial_layers`: chooses the default layer in the forward pass
- :mod:`~contrastlib.autograd.mixing`: tells whether a network mixes spatial positions after a layer
- :mod:`~contrastlib.autograd.advice`: finds the layers that messages of errors recommend
- :mod:`~contrastlib.autograd.graph`: paths through the graph of the logits
- :mod:`~contrastlib.autograd.modes`: contexts in which explainers run a model
- :mod:`~contrastlib.autograd.turns`: lets one thread at a time run a network
- :mod:`~contrastlib.autograd.outputs`: finds the logits in what a network returns
- :mod:`~contrastlib.autograd.final_activation`: finds a sigmoid or a softmax at the end of a network
- :mod:`~contrastlib.autograd.checks`: checks models, images and cotangents
- :mod:`~contrastlib.autograd.shared_cotangents`: an optimisation; it propagates what several cotangents have
  in common once
- :mod:`~contrastlib.autograd.saved_tensors`: an optimisation; the forward pass does not keep tensors that
  only gradients of parameters need
- ``_linear_head``: an optimisation; it propagates all cotangents together through the linear layers at the
  end

The shapes and symbols are those of :mod:`contrastlib`.
"""

from contrastlib.autograd.checks import check_cotangent, check_images, check_model
from contrastlib.autograd.forward_pass import INPUT, ForwardPass, default_layer, forward, logits_of, predict
from contrastlib.autograd.layers import check_visible, find_layer, is_auxiliary, last_convolution
from contrastlib.autograd.modes import as_found, own_precision, recording
from contrastlib.autograd.outputs import Output, read_logits, reading
from contrastlib.autograd.running import gradients, run
from contrastlib.autograd.saved_tensors import LinearInputsDropped
from contrastlib.autograd.shared_cotangents import shared_basis, through_basis

__all__ = [
    "INPUT", "ForwardPass", "LinearInputsDropped", "Output", "as_found", "check_cotangent", "check_images",
    "check_model", "check_visible", "default_layer", "find_layer", "forward", "gradients", "is_auxiliary",
    "last_convolution", "logits_of", "own_precision", "predict", "read_logits", "reading", "recording", "run",
    "shared_basis", "through_basis",
]  # fmt: skip
