"""What the images of a verdict are: photographs, or drawn birds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from contrastlib import assets

POPULATIONS = {"paper": "The papers' data", "real": "Photographs", "quick": "Drawn birds"}
"""Scale -> what its images are, in the order of a box: first what is nearest to the papers."""
MORE_BIRDS = "More drawn birds"
"""The images at the scale real of an experiment that photographs do not allow."""


def images_of(scale: str, networks: Iterable[str]) -> str:
    """What the images of a verdict are.

    Args:
        scale: The scale of the verdict.
        networks: Names of the networks on which it rests.

    Returns:
        A phrase that begins with a capital.

    >>> images_of("real", ["birds_vgg", "efficientnet_lite0"]), images_of("real", ["birds_vgg"])
    ('Photographs', 'More drawn birds')
    """
    names = list(networks)
    return MORE_BIRDS if scale == "real" and names and all(map(is_drawn, names)) else POPULATIONS[scale]


def images_of_all(scale: str, records: Iterable[Mapping]) -> str:
    """What the images of the verdicts on several claims are, at one scale.

    Args:
        scale: The scale of the verdicts.
        records: Records of claims, as from :func:`contrastlib.report.claims_page.executed_claims`.

    Returns:
        A phrase that begins with a capital.

    >>> findings = [{"real": {"effects": {name: 0.1}}} for name in ("efficientnet_lite0", "birds_vgg")]
    >>> images_of_all("real", [{"findings": each} for each in findings])
    'Photographs, more drawn birds'
    """
    effects = [record["findings"].get(scale, {}).get("effects") for record in records]
    kinds = dict.fromkeys(images_of(scale, each) for each in effects if each)
    return ", ".join(kinds).capitalize() or POPULATIONS[scale]


def is_drawn(network: str) -> bool:
    """Whether a network was trained on images that are drawn.

    >>> is_drawn("birds_vgg"), is_drawn("efficientnet_lite0"), is_drawn("linear classifier")
    (True, False, False)
    """
    known = assets.network(network)
    return bool(known and known.training and assets.datasets()[known.training.images].drawn)
