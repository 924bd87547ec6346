"""Synthetic birds: images of thirty invented species, with a mask of each of their fifteen parts.

>>> from contrastlib.datasets.birds import SyntheticBirds, differing_parts
>>> birds = SyntheticBirds("test", size=128)
>>> birds.class_names[:3]
['Ash-crowned Finch', 'Rust-crowned Finch', 'Sable-crowned Finch']
>>> differing_parts(0, 1)
('crown',)

- :mod:`~contrastlib.datasets.birds.sets`: the data sets, of one bird or of scenes with two
- :mod:`~contrastlib.datasets.birds.species`: the species and their traits
- :mod:`~contrastlib.datasets.birds.repainting`: images in which one part looks different
- :mod:`~contrastlib.datasets.birds.scene`: the objects of an image
- :mod:`~contrastlib.datasets.birds.bird`: the pose and the drawing of a bird
- :mod:`~contrastlib.datasets.birds.anatomy`: the outlines of its parts
- :mod:`~contrastlib.datasets.birds.scenery`: background, branches, leaves and illumination
- :mod:`~contrastlib.datasets.birds.raster`: polygons, with identical bytes on every platform
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
