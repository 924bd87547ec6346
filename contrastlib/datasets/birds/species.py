"""The catalogue: thirty invented species in ten genera, each a table of traits, one per part.

A trait is a colour name, optionally followed by a shape ("horn cone"), or ``None`` for a part worn
plain. Within a genus the second and third species each change exactly one part of the first, in five genera
different parts and in five the same one. So the catalogue holds pairs that differ in one part (25 of
them), in two (5), and between genera in many.
"""

from dataclasses import dataclass

PARTS = (
    "beak", "crest", "crown", "face", "eye stripe", "eye ring", "eye", "throat",
    "breast", "belly", "back", "wing", "wing bar", "tail", "legs",
)  # fmt: skip

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


@dataclass(frozen=True)
class Trait:
    """How one part looks: a colour name of `COLOURS` and, for beak, crest and tail, a shape."""

    colour: str
    shape: str = ""


@dataclass(frozen=True)
class Species:
    """An invented species: its name, its genus and the trait of every part (None: worn plain)."""

    name: str
    genus: str
    traits: dict[str, Trait | None]


def _parse(trait):
    return None if trait is None else Trait(*trait.split())


def _genus(genus, common, first, *variants):
    """Species of one genus: `common` under the name `first`, and variants that change one part each."""
    traits = {part: _parse(common.get(part)) for part in PARTS}
    members = [Species(f"{first} {genus}", genus, traits)]
    for name, part, trait in variants:
        members.append(Species(f"{name} {genus}", genus, traits | {part: _parse(trait)}))
    return members


def _traits(beak, crest, crown, face, stripe, ring, eye, throat, breast, belly, back, wing, bar, tail, legs):
    values = (beak, crest, crown, face, stripe, ring, eye, throat, breast, belly, back, wing, bar, tail, legs)
    return dict(zip(PARTS, values, strict=True))


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


def species_names():
    """The names of the species, in the order of their labels.

    >>> species_names()[:2]
    ['Ash-crowned Finch', 'Rust-crowned Finch']
    """
    return [species.name for species in SPECIES]


def species_index(species):
    """The label of a species given as a label, a name or a `Species`.

    Raises
    ------
    ValueError
        If no species has that name or label.

    Examples
    --------
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


def differing_parts(a, b):
    """The parts in which two species differ, in the order of `PARTS`.

    Parameters
    ----------
    a, b : int, str or Species
        Two species, each by label, name or record.

    Returns
    -------
    tuple of str
        Empty when both are the same species.

    Examples
    --------
    >>> differing_parts("Ash-crowned Finch", "Rust-crowned Finch")
    ('crown',)
    >>> differing_parts("Plain-browed Warbler", "White-throated Warbler")
    ('eye stripe', 'throat')
    >>> len(differing_parts("Ash-crowned Finch", "Azure-crested Jay"))
    13
    """
    first, second = (SPECIES[species_index(each)].traits for each in (a, b))
    return tuple(part for part in PARTS if first[part] != second[part])
