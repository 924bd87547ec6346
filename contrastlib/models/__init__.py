"""Networks by name: ``models.load("squeezenet1_1")``."""

from __future__ import annotations

from functools import partial

from contrastlib import assets
from contrastlib.models import pretrained, torchvision_hub
from contrastlib.models.classifier import Classifier

__all__ = ["MODELS", "PREFERRED", "Classifier", "load"]

MODELS = {
    "birds_vgg": partial(pretrained.synthetic_birds, "birds_vgg"),
    "birds_alexnet": partial(pretrained.synthetic_birds, "birds_alexnet"),
    "birds_resnet": partial(pretrained.synthetic_birds, "birds_resnet"),
    "birds_vit": partial(pretrained.synthetic_birds, "birds_vit"),
    "cifar10_vit": pretrained.cifar10_vit,
    **{f"efficientnet_lite{variant}": partial(pretrained.efficientnet_lite, variant) for variant in pretrained.LITE},
    "squeezenet1_0": partial(pretrained.squeezenet, "1_0"),
    "squeezenet1_1": partial(pretrained.squeezenet, "1_1"),
    "mobilenet_v2": pretrained.mobilenet_v2,
    "mobilenet_v2_birds": pretrained.mobilenet_v2_birds,
    **{f"cifar10_resnet{depth}": partial(pretrained.cifar10_resnet, depth) for depth in (20, 32, 44, 56)},
}
"""name -> function without arguments; torchvision's own networks come on top, as "torchvision/…\""""

PREFERRED = ("efficientnet_lite0", "mobilenet_v2", "squeezenet1_1", "squeezenet1_0")
"""networks for photographs of anything; the first whose weights are there is the default"""


def load(name: str) -> Classifier:
    """A trained :class:`Classifier` by its name, in evaluation mode.

    Names are those of ``MODELS``, ``"torchvision/"`` with the name of any classifier of torchvision, and
    that name with the data set that it was fine-tuned on, such as ``"vgg16_bn/cub200"``.

    Raises:
        ValueError: unknown name, with the nearest ones.
        DataError: its weights are missing or corrupt.

    >>> from contrastlib import assets
    >>> if assets.available("cifar10_resnet20.safetensors"):
    ...     network = load("cifar10_resnet20")
    """
    if name.startswith(torchvision_hub.PREFIX):
        return torchvision_hub.load(name)
    if "/" in name:
        return torchvision_hub.load_finetuned(name)
    if name not in MODELS:
        raise assets.unknown("network", name, [*MODELS, *torchvision_hub.names()])
    return MODELS[name]()
