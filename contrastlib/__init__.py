"""Contrastive explanations of image classifiers: why this class, and not the others?

:func:`contrastlib.explain` makes a map of an image in one call. The modules below it are public as well:

- :mod:`contrastlib.contrasts`: weights over the logits, one for each question that a map can answer
- :mod:`contrastlib.autograd`: a recorded forward pass and its backward pass
- :mod:`contrastlib.explainers`: methods that turn weights over the logits into maps
- :mod:`contrastlib.evaluation`: measures of maps
- :mod:`contrastlib.plotting`: a map drawn over its image
- :mod:`contrastlib.explorer`: an interactive figure of two maps
- :mod:`contrastlib.datasets`, :mod:`contrastlib.models`, :mod:`contrastlib.assets`: images, networks and
  their files
- :mod:`contrastlib.training`: the networks of this project, trained again
- :mod:`contrastlib.cli`: the commands ``python -m contrastlib``
- :mod:`contrastlib.report`: the studies and the pages of the book, with their own dependencies

Docstrings write the shapes of tensors with these letters:

==========  ===============================================================
letter      number of
==========  ===============================================================
``B``       images in a batch
``C``       classes, which is the number of logits
``N``       cotangents that are propagated together
``K``       channels, of the images or of a layer
``H, W``    pixels: height and width of the images
``h, w``    spatial positions: height and width of the output of a layer
``T``       tokens of a Vision Transformer, including the class token
``D``       features of a token
``Q``       tokens that read others, in class attention; questions that
            interventions on an image answer
``R``       tokens that the head of a network reads; vectors that all
            cotangents are sums of
``F``       frames of a stack of images
``P``       parts of the object in an image
``M``       versions of images in which a part is repainted; mosaics
``S``       quantities that are resampled together
==========  ===============================================================

Formulas use these symbols:

==========  ===============================================================
symbol      meaning
==========  ===============================================================
``x``       images (B, K, H, W)
``y``       logits (B, C)
``t``       target class of an image; ``s`` is any other class
``e_t``     unit vector of class t
``p``       softmax of the logits
``w``       cotangent (B, C): the weight of each logit
``<w, y>``  score of an image: sum_s w_s y_s
``a^k``     activations (B, h, w) of channel k of a layer
``*``       product of numbers, or of two tensors element by element
==========  ===============================================================
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from contrastlib._explain import explain

__all__ = [
    "assets", "autograd", "contrasts", "datasets", "evaluation", "explain", "explainers", "explorer",
    "models", "plotting", "training",
]  # fmt: skip
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, because PyTorch is slow to import."""
    if name == "explain":
        return importlib.import_module("contrastlib._explain").explain
    if name in __all__:
        return importlib.import_module(f"contrastlib.{name}")
    raise AttributeError(f"module 'contrastlib' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *__all__]
