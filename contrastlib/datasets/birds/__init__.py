"""Synthetic birds: images of thirty invented species, with a mask of each of their fifteen parts.

>>> from contrastlib.datasets.birds import SyntheticBirds, differing_parts
>>> birds = SyntheticBirds("test", size=128)
>>> birds.class_names[:3]
['Ash-crowned Finch', 'Rust-crowned Finch', 'Sable-crowned Finch']
>>> differing_parts(0, 1)
('crown',)
"""

from contrastlib.datasets.birds.sets import Annotations, BirdScenes, SyntheticBirds
from contrastlib.datasets.birds.species import (
    PARTS,
    SPECIES,
    Species,
    Trait,
    differing_parts,
    species_index,
    species_names,
)

__all__ = [
    "PARTS", "SPECIES", "Annotations", "BirdScenes", "Species", "SyntheticBirds", "Trait",
    "differing_parts", "species_index", "species_names",
]  # fmt: skip
