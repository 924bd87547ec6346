"""Networks by name: ``models.load("squeezenet1_1")``. ``contrastlib/assets/networks.yaml`` has an entry for each."""

from __future__ import annotations

from contrastlib import assets
from contrastlib.models import pretrained, torchvision_hub
from contrastlib.models.classifier import Classifier
from contrastlib.models.pretrained import build

__all__ = ["MODELS", "PREFERRED", "Classifier", "build", "instead", "knows", "load", "title"]

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


def knows(network: Classifier) -> str:
    """What a network knows, in two sentences: its classes, and the set that the project trained it on, if it did.

    >>> knows(load("birds_vgg")).split("; ")[0]
    'small VGG knows the 30 species that contrastlib draws itself and nothing else'
    """
    record = MODELS.get(network.name)
    classes = record.classes.what if record else f"the {len(network.class_names)} classes that its weights name"
    learned = f"; it learned them from {assets.datasets()[record.training.images].title}" if record and record.training else ""
    sentence = f"{title(network.name)} knows {classes} and nothing else{learned}."
    return f"{sentence} It names one of these, whatever the picture shows."


def instead(name: str) -> str | None:
    """A network for photographs that is on this machine, where another one cannot be loaded; None where there is none.

    Torchvision's network of the same name comes first, then those of ``PREFERRED``.
    """
    theirs = torchvision_hub.PREFIX + name
    if theirs in torchvision_hub.names() and torchvision_hub.checkpoint(theirs).is_file():
        return theirs
    here = (each for each in PREFERRED if each != name and all(map(assets.available, MODELS[each].files)))
    return next(here, None)
