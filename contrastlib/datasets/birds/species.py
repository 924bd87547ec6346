"""The catalogue of thirty invented species in ten genera. A species has one trait for each part.

A trait is the name of a colour, with a shape where the part has several ("horn cone"). None stands for an
unmarked part, such as a missing crest, or a wing bar that has the colours of the wing. Within a genus, the
second and the third species each differ from the first in exactly one part. In five genera these are
different parts, in the other five the same part. So 25 pairs of species differ in one part, 5 pairs differ
in two parts, and species of different genera differ in many.
"""

from __future__ import annotations

from dataclasses import dataclass

PARTS = (
    "beak", "crest", "crown", "face", "eye stripe", "eye ring", "eye", "throat",
    "breast", "belly", "back", "wing", "wing bar", "tail", "legs",
)  # fmt: skip
"""Names of the parts."""

COLOURS = {
    "amber": (214, 150, 40),
    "ash": (158, 162, 166),
    "azure": (58, 116, 196),
    "black": (34, 33, 38),
    "buff": (216, 184, 136),
    "cinnamon": (164, 98, 54),
    "cream": (238, 226, 196),
    "emerald": (34, 140, 96),
    "horn": (196, 166, 122),
    "indigo": (48, 58, 140),
    "lemon": (240, 212, 58),
    "olive": (120, 128, 62),
    "orange": (238, 138, 34),
    "pink": (218, 150, 142),
    "rose": (214, 98, 112),
    "rust": (170, 72, 36),
    "scarlet": (206, 40, 38),
    "slate": (86, 96, 110),
    "umber": (112, 82, 58),
    "violet": (104, 62, 142),
    "white": (246, 246, 242),
}
"""RGB values of the colours of traits, 0 to 255, by name."""


@dataclass(frozen=True)
class Trait:
    """The look of one part.

    Attributes:
        colour: Name of a colour in ``COLOURS``.
        shape: Name of a shape, for beak, crest and tail; empty for other parts.
    """

    colour: str
    shape: str = ""


@dataclass(frozen=True)
class Species:
    """An invented species.

    Attributes:
        name: Its name.
        genus: Its genus.
        traits: Trait of each part, None for unmarked parts.
    """

    name: str
    genus: str
    traits: dict[str, Trait | None]


def _parse(trait: str | None) -> Trait | None:
    return None if trait is None else Trait(*trait.split())


def _genus(
    genus: str, common: dict[str, str | None], first: str, *variants: tuple[str, str, str | None]
) -> list[Species]:
    """Return the species of one genus: the first one, and variants (name, part, trait) of it."""
    traits = {part: _parse(common.get(part)) for part in PARTS}
    members = [Species(f"{first} {genus}", genus, traits)]
    for name, part, trait in variants:
        members.append(Species(f"{name} {genus}", genus, traits | {part: _parse(trait)}))
    return members


def _traits(*traits: str | None) -> dict[str, str | None]:
    """Return the traits of all parts by name, given in the order of ``PARTS``."""
    return dict(zip(PARTS, traits, strict=True))


SPECIES = (
    *_genus(
        "Finch",
        _traits("horn cone", None, "ash", "cream", None, None, "black", "cream",
                "rose", "cream", "umber", "umber", "white", "umber short", "pink"),
        "Ash-crowned",
        ("Rust-crowned", "crown", "rust"),
        ("Sable-crowned", "crown", "black"),
    ),
    *_genus(
        "Warbler",
        _traits("slate thin", None, "olive", "lemon", "black", None, "black", "lemon",
                "lemon", "white", "olive", "slate", "white", "slate straight", "slate"),
        "Black-browed",
        ("Plain-browed", "eye stripe", None),
        ("White-throated", "throat", "white"),
    ),
    *_genus(
        "Tanager",
        _traits("horn stout", None, "scarlet", "scarlet", None, None, "black", "scarlet",
                "scarlet", "scarlet", "scarlet", "black", None, "black straight", "slate"),
        "Sable-winged",
        ("Black-throated", "throat", "black"),
        ("Lemon-barred", "wing bar", "lemon"),
    ),
    *_genus(
        "Jay",
        _traits("black stout", "azure swept", "azure", "white", "black", None, "black", "white",
                "ash", "white", "azure", "azure", "black", "azure long", "black"),
        "Azure-crested",
        ("Smooth-headed", "crest", None),
        ("Rose-breasted", "breast", "rose"),
    ),
    *_genus(
        "Bunting",
        _traits("ash cone", None, "indigo", "indigo", None, None, "black", "indigo",
                "rust", "white", "indigo", "umber", "buff", "indigo short", "black"),
        "Rust-breasted",
        ("Lemon-breasted", "breast", "lemon"),
        ("Rose-breasted", "breast", "rose"),
    ),
    *_genus(
        "Thrush",
        _traits("amber thin", None, "umber", "umber", None, "amber", "black", "white",
                "buff", "cream", "umber", "umber", None, "umber straight", "pink"),
        "Buff-breasted",
        ("Orange-bellied", "belly", "orange"),
        ("Rust-tailed", "tail", "rust straight"),
    ),
    *_genus(
        "Flycatcher",
        _traits("black thin", "slate tuft", "slate", "ash", None, None, "black", "white",
                "ash", "lemon", "slate", "black", "white", "black forked", "black"),
        "Slate-tufted",
        ("Scarlet-tufted", "crest", "scarlet tuft"),
        ("Lemon-tufted", "crest", "lemon tuft"),
    ),
    *_genus(
        "Oriole",
        _traits("slate dagger", None, "black", "black", None, None, "amber", "black",
                "orange", "orange", "black", "black", "white", "orange long", "slate"),
        "Black-backed",
        ("Olive-backed", "back", "olive"),
        ("Orange-crowned", "crown", "orange"),
    ),
    *_genus(
        "Wren",
        _traits("umber curved", None, "cinnamon", "buff", "white", None, "black", "cream",
                "buff", "buff", "cinnamon", "cinnamon", "black", "cinnamon short", "pink"),
        "Curve-billed",
        ("Lemon-billed", "beak", "lemon dagger"),
        ("Scarlet-billed", "beak", "scarlet dagger"),
    ),
    *_genus(
        "Starling",
        _traits("lemon dagger", "violet fan", "violet", "black", None, "white", "amber", "emerald",
                "violet", "black", "violet", "emerald", "violet", "black short", "orange"),
        "White-ringed",
        ("Plain-eyed", "eye ring", None),
        ("Scarlet-ringed", "eye ring", "scarlet"),
    ),
)  # fmt: skip
"""All species, in the order of their labels."""


def species_names() -> list[str]:
    """Return the names of the species, in the order of their labels.

    >>> species_names()[:2]
    ['Ash-crowned Finch', 'Rust-crowned Finch']
    """
    return [species.name for species in SPECIES]


def species_index(species: int | str | Species) -> int:
    """Return the label of a species.

    Args:
        species: Its label, name or record.

    Raises:
        ValueError: No species has this name or label.

    >>> species_index("Rust-crowned Finch")
    1
    """
    names = [each.name for each in SPECIES]
    if isinstance(species, Species):
        species = species.name
    if isinstance(species, str):
        if species not in names:
            raise ValueError(f"no species is called {species!r}; the names are: {', '.join(names)}")
        return names.index(species)
    if not 0 <= species < len(names):
        raise ValueError(f"species label {species} is outside 0 .. {len(names) - 1}")
    return int(species)


def differing_parts(a: int | str | Species, b: int | str | Species) -> tuple[str, ...]:
    """Return the parts in which two species differ, in the order of ``PARTS``.

    Args:
        a: Label, name or record of the first species.
        b: Label, name or record of the second species.

    Returns:
        The names of the parts; empty if both are the same species.

    Raises:
        ValueError: One of the species is unknown.

    >>> differing_parts("Ash-crowned Finch", "Rust-crowned Finch")
    ('crown',)
    >>> differing_parts("Plain-browed Warbler", "White-throated Warbler")
    ('eye stripe', 'throat')
    >>> len(differing_parts("Ash-crowned Finch", "Azure-crested Jay"))
    13
    """
    first, second = (SPECIES[species_index(each)].traits for each in (a, b))
    return tuple(part for part in PARTS if first[part] != second[part])
