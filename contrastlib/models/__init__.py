"""Networks by name: ``models.load("squeezenet1_1")``. ``contrastlib/assets/networks.yaml`` has an entry for each."""

from __future__ import annotations

from contrastlib import assets
from contrastlib.models import pretrained, torchvision_hub
from contrastlib.models.classifier import Classifier
from contrastlib.models.pretrained import build

__all__ = ["MODELS", "PREFERRED", "Classifier", "build", "load", "title"]

MODELS = assets.networks()
"""name -> record; torchvision's own networks come on top, as "torchvision/…\""""

PREFERRED = tuple(name for name, network in MODELS.items() if network.preferred)
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
    return pretrained.load(MODELS[name])


def title(name: str) -> str:
    """A network's name as pages, menus and figures write it; the name itself of one that the registry does not know.

    >>> title("birds_vgg"), title("torchvision/vgg16_bn")
    ('small VGG', 'torchvision/vgg16_bn')
    """
    return MODELS[name].title if name in MODELS else name
