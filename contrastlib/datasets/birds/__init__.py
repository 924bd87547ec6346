"""Synthetic birds: thirty invented species drawn from fifteen parts, with the truth about every pixel.

>>> from contrastlib.datasets.birds import SyntheticBirds, differing_parts
>>> birds = SyntheticBirds("test", size=128)
>>> birds.class_names[:3]
['Ash-crowned Finch', 'Rust-crowned Finch', 'Sable-crowned Finch']
>>> differing_parts(0, 1)
('crown',)
"""

from .sets import Annotations, BirdScenes, SyntheticBirds
from .species import PARTS, SPECIES, Species, Trait, differing_parts, species_index, species_names

__all__ = [
    "PARTS", "SPECIES", "Annotations", "BirdScenes", "Species", "SyntheticBirds", "Trait",
    "differing_parts", "species_index", "species_names",
]  # fmt: skip
