"""Networks by name: ``models.load("squeezenet1_1")``."""

from functools import partial

from contrastlib import files
from contrastlib.models import pretrained
from contrastlib.models.classifier import Classifier

__all__ = ["MODELS", "Classifier", "load"]

MODELS = {
    "squeezenet1_0": partial(pretrained.squeezenet, "1_0"),
    "squeezenet1_1": partial(pretrained.squeezenet, "1_1"),
    "mobilenet_v2": pretrained.mobilenet_v2,
    "mobilenet_v2_birds": pretrained.mobilenet_v2_birds,
    **{f"cifar10_resnet{depth}": partial(pretrained.cifar10_resnet, depth) for depth in (20, 32, 44, 56)},
}


def load(name):
    """A trained :class:`Classifier` by its name, in evaluation mode.

    Raises ValueError for an unknown name, DataError when its weights are missing or corrupt.
    """
    if name not in MODELS:
        raise files.unknown("network", name, MODELS)
    return MODELS[name]()
