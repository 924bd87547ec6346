"""What the images of a verdict are: photographs, drawn birds, or those of a toy problem."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping

from contrastlib import assets

POPULATIONS = {"paper": "The papers' data", "real": "Photographs", "quick": "Drawn birds"}
"""Scale -> what most of its images are, in the order of a box: first what is nearest to the papers."""
KINDS = {
    "real": {"photographs": "photographs", "drawn": "more drawn birds", "toy": "toy problems"},
    "quick": {"photographs": "a few photographs", "drawn": "drawn birds", "toy": "toy problems"},
}
"""Scale -> kind of the images of a network -> what they are. Toy problems are made in the notebook."""


def images_of(scale: str, networks: Iterable[str]) -> str:
    """What the images of a verdict are.

    Args:
        scale: The scale of the verdict.
        networks: Names of the networks on which it rests.

    Returns:
        A phrase that begins with a capital.

    >>> images_of("real", ["birds_vgg", "efficientnet_lite0"]), images_of("real", ["birds_vgg"])
    ('Photographs and more drawn birds', 'More drawn birds')
    >>> images_of("quick", ["efficientnet_lite0"]), images_of("quick", ["linear classifier"])
    ('A few photographs', 'Toy problems')
    """
    kinds = set(map(_kind, networks))
    if not kinds or scale not in KINDS:
        return POPULATIONS[scale]
    phrase = " and ".join(words for kind, words in KINDS[scale].items() if kind in kinds)
    return phrase[0].upper() + phrase[1:]


def images_of_all(scale: str, records: Iterable[Mapping]) -> str:
    """What the images of the verdicts on several claims are, at one scale.

    Args:
        scale: The scale of the verdicts.
        records: Records of claims, as from :func:`contrastlib.report.pages.claims.executed_claims`.

    Returns:
        A phrase that begins with a capital.

    >>> findings = [{"real": {"effects": {name: 0.1}}} for name in ("efficientnet_lite0", "birds_vgg")]
    >>> images_of_all("real", [{"findings": each} for each in findings])
    'Photographs and more drawn birds'
    """
    effects = [record["findings"].get(scale, {}).get("effects", ()) for record in records]
    return images_of(scale, itertools.chain.from_iterable(effects))


def number_of_images(images: int | None, networks: int) -> str:
    """How many images a verdict rests on, as the end of a phrase. Empty if that is unknown.

    Args:
        images: Number of images of all networks.
        networks: Number of networks.

    >>> number_of_images(900, 3), number_of_images(30, 1), number_of_images(None, 2)
    (', 300 images a network on average', ', 30 images', '')
    """
    if not images or not networks:
        return ""
    return f", {images / networks:,.0f} images" + " a network on average" * (networks > 1)


def is_drawn(network: str) -> bool:
    """Whether a network was trained on images that are drawn.

    >>> is_drawn("birds_vgg"), is_drawn("efficientnet_lite0"), is_drawn("linear classifier")
    (True, False, False)
    """
    known = assets.described(network)
    return bool(known and known.training and assets.datasets()[known.training.images].drawn)


def _kind(network: str) -> str:
    """Kind of the images on which a network is explained, a key of the values of ``KINDS``."""
    if not assets.described(network):
        return "toy"
    return "drawn" if is_drawn(network) else "photographs"
