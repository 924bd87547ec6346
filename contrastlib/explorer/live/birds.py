"""The parts of a drawn bird, and pictures of it with other traits, for the page of a live network."""

from __future__ import annotations

from contrastlib.datasets.birds import SPECIES, SyntheticBirds
from contrastlib.datasets.birds.repainting import Repainter, other_traits
from contrastlib.datasets.birds.species import Trait
from contrastlib.explorer.live import encoding

TRAITS = 3
"""Number of other traits of a part, at most."""
SMALLEST = 10
"""Number of pixels below which a part is left out."""


def repainted_parts(index: int, size: int, split: str = "test") -> list[dict]:
    """Return the parts of a drawn bird, and the bird with other traits of each.

    Args:
        index: Index in :class:`contrastlib.datasets.birds.sets.SyntheticBirds`.
        size: Side of the pictures in pixels.
        split: "train", "validation" or "test".

    Returns:
        For each part that is seen: its name, its mask (bits of the pixels, in base64), and its versions, each
        with a title and the picture (WebP without loss, in base64).

    >>> parts = repainted_parts(31, 128)
    >>> parts[0]["name"], len(parts[0]["versions"])
    ('beak', 3)
    """
    birds = SyntheticBirds(split, size)
    (label,) = birds.labels(index)
    species = SPECIES[label]
    painter, found = Repainter(birds.scene(index), species, size), []
    for part, mask in birds.annotations(index).parts.items():
        if mask.sum() < SMALLEST:
            continue
        versions = [
            {"title": _words(trait), "image": encoding.picture(painter.with_trait(part, trait))}
            for trait in other_traits(part, species.traits[part])[:TRAITS]
        ]
        found.append({"name": part, "mask": encoding.mask(mask), "versions": versions})
    return found


def _words(trait: Trait | None) -> str:
    """Name a trait."""
    return f"{trait.colour} {trait.shape}".strip() if trait else "unmarked"
