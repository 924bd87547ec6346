"""Repainted images: a scene of one bird in which one part, the whole bird or the background looks different.

>>> from contrastlib.datasets.birds import SyntheticBirds, species_index
>>> from contrastlib.datasets.birds.repainting import Repainter, other_traits
>>> birds = SyntheticBirds("test", size=64)
>>> painter = Repainter(birds.scene(31), SPECIES[1], 64)
>>> trait = other_traits("crown", SPECIES[1].traits["crown"])[0]
>>> changed = (painter.with_trait("crown", trait) != birds.picture(31)).any(axis=2)
>>> bool(changed.any() and not changed[~birds.annotations(31).parts["crown"]].all())
True
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from contrastlib.datasets.birds import bird
from contrastlib.datasets.birds.raster import Canvas
from contrastlib.datasets.birds.scene import Scene
from contrastlib.datasets.birds.species import PARTS, SPECIES, Species, Trait

WHOLE_BIRD, BACKGROUND = "bird", "background"
"""Names of what is repainted besides the parts: all parts at once, and what is behind the bird."""


class Repainter:
    """Draws a scene of one bird again and again, and only what can differ from the first time.

    The image is kept as it was before each step of the drawing, see
    :data:`contrastlib.datasets.birds.bird.STEPS`. A repainted part is drawn from its step on, and every
    polygon is rasterised once. The result has the bytes of a full rendering.

    Args:
        scene: A scene of one bird.
        species: Species of the bird.
        size: Side of the images in pixels.

    Raises:
        ValueError: The scene has another number of birds than one.
    """

    def __init__(self, scene: Scene, species: Species, size: int) -> None:
        """Draw the scene once."""
        if len(scene.birds) != 1:
            raise ValueError(f"a scene of one bird can be repainted, and this one has {len(scene.birds)}")
        self.scene, self.species = scene, species
        canvas = Canvas(size)
        scene.paint_background(canvas)
        self._before = []
        for step in range(len(bird.STEPS)):
            self._before.append(canvas.copy())
            self._draw(canvas, species, slice(step, step + 1))

    def with_trait(self, part: str, trait: Trait | None) -> np.ndarray:
        """Return the image, uint8 (H, W, 3), with another trait of one part.

        Args:
            part: Name of the part.
            trait: Its trait.

        Raises:
            ValueError: No part has that name.
        """
        if part not in PARTS:
            raise ValueError(f"no part is called {part!r}; the names are: {', '.join(PARTS)}")
        first = next(step for step, parts in enumerate(bird.STEPS) if part in parts)
        return self._from(first, replace(self.species, traits=self.species.traits | {part: trait}))

    def as_species(self, species: Species) -> np.ndarray:
        """Return the image, uint8 (H, W, 3), with a bird of another species."""
        return self._from(0, species)

    def before(self, other: Scene) -> np.ndarray:
        """Return the image, uint8 (H, W, 3), with the background of another scene.

        See :meth:`contrastlib.datasets.birds.scene.Scene.with_background_of`.
        """
        canvas = Canvas(self._before[0].size)
        canvas._shapes = self._before[0]._shapes
        scene = self.scene.with_background_of(other)
        scene.paint_background(canvas)
        self._draw(canvas, self.species, slice(None))
        return scene.finished(canvas)[0]

    def _from(self, step: int, species: Species) -> np.ndarray:
        canvas = self._before[step].copy()
        self._draw(canvas, species, slice(step, None))
        return self.scene.finished(canvas)[0]

    def _draw(self, canvas: Canvas, species: Species, steps: slice) -> None:
        ((pose, x, y),) = self.scene.birds
        bird.draw(canvas, species, pose, x, y, steps=steps)


def other_traits(part: str, trait: Trait | None) -> list[Trait | None]:
    """Return the traits of a part that occur in the catalogue, except one, in the order of the catalogue.

    Args:
        part: Name of the part.
        trait: The trait that is left out.

    >>> [trait.colour for trait in other_traits("eye", Trait("black"))]
    ['amber']
    """
    return [each for each in dict.fromkeys(species.traits[part] for species in SPECIES) if each != trait]


def repainted_versions(
    painter: Repainter,
    parts: Sequence[str],
    others: Sequence[Scene],
    count: int,
    order: np.random.Generator,
) -> dict[str, list[np.ndarray]]:
    """Return repainted versions of an image: of each part, of the whole bird, and of the background.

    Args:
        painter: The painter of the image.
        parts: Names of the parts to repaint.
        others: Scenes whose backgrounds are taken.
        count: Number of versions of each, with different traits or species; fewer if there are not as many.
        order: Random numbers that choose the traits and the species.

    Returns:
        Name of a part, ``WHOLE_BIRD`` or ``BACKGROUND`` -> images, each uint8 (H, W, 3).
    """

    def some(options: Sequence) -> list:
        return [options[i] for i in order.permutation(len(options))[:count]]

    own = painter.species
    found = {
        part: [painter.with_trait(part, trait) for trait in some(other_traits(part, own.traits[part]))]
        for part in parts
    }
    species = some([each for each in SPECIES if each.genus != own.genus])
    found[WHOLE_BIRD] = [painter.as_species(each) for each in species]
    found[BACKGROUND] = [painter.before(other) for other in others[:count]]
    return found
