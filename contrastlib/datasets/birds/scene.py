"""A picture as a list of things (`Scene`), sampled from random numbers and rendered at any size."""

from dataclasses import dataclass

import numpy as np

from . import bird
from .raster import GRID, Canvas
from .scenery import Backdrop, Branch, Draw, Leaf, Light


@dataclass(frozen=True)
class Scene:
    """All that a picture shows but the species of its birds; geometry in canvas units, 0 to 1."""

    backdrop: Backdrop
    behind: list
    birds: list  # (pose, x, y)
    before: list
    light: Light

    def render(self, species, size):
        """The picture with birds of the given species.

        Returns
        -------
        pixels : uint8 array (size, size, 3)
        owners : uint8 array (size, size)
            0 for scenery, else bird number · 16 + part number (1 …).
        """
        canvas = Canvas(size)
        self.backdrop.paint(canvas)
        for thing in self.behind:
            thing.paint(canvas)
        for number, (kind, (pose, x, y)) in enumerate(zip(species, self.birds, strict=True)):
            bird.draw(canvas, kind, pose, x, y, number)
        for thing in self.before:
            thing.paint(canvas)
        self.light.apply(canvas)
        pixels = np.rint(np.clip(canvas.pixels, 0, 255)).astype(np.uint8)
        return np.ascontiguousarray(pixels.transpose(1, 2, 0)), canvas.owners


def sample_scene(seed, key):
    """A scene with one bird, from a seed and a key (a tuple of integers)."""
    draw = Draw(seed, key)
    pose = bird.Pose.sample(draw, 0.14, 0.27)
    x, y = _place(draw, pose, 0.0, 1.0)
    return _assemble(draw, [(pose, x, y)])


def sample_pair(seed, key):
    """A scene with two birds side by side in either order, from a seed and a key (a tuple of integers)."""
    draw = Draw(seed, key)
    halves = ((0.0, 0.5), (0.5, 1.0))
    birds = []
    for low, high in halves if draw.chance(0.5) else halves[::-1]:
        pose = bird.Pose.sample(draw, 0.12, 0.17)
        birds.append((pose, *_place(draw, pose, low, high)))
    return _assemble(draw, birds)


def _place(draw, pose, low, high):
    """A place on the grid for the trunk's centre that keeps the bird between `low` and `high` across."""
    x0, y0, x1, y1 = pose.extent()
    return (
        _between(draw, low - x0 + 0.02, high - x1 - 0.02),
        _between(draw, 0.02 - y0, 0.95 - y1),
    )


def _between(draw, low, high):
    """A uniform number, or the middle where a bird is larger than its room."""
    value = draw.between(low, high) if low < high else (low + high) / 2
    return round(value * GRID) / GRID


def _assemble(draw, birds):
    backdrop = Backdrop.sample(draw)
    behind = [
        Branch.twig(draw, draw.between(0, 1), draw.between(0, 1), draw.between(0.008, 0.03))
        for _ in range(draw.below(3))
    ]
    behind += [
        Leaf.sample(draw, draw.between(0, 1), draw.between(0, 1), 0.10, 0.26) for _ in range(draw.below(5))
    ]
    before = []
    for pose, x, y in birds:
        (_, (fx, fy)), _ = pose.feet(pose.frame(x, y))
        behind.append(Branch.perch(draw, fx, fy, pose.scale * draw.between(0.16, 0.34)))
        before += _occluders(draw, pose, x, y)
    return Scene(backdrop, behind, birds, before, Light.sample(draw))


def _occluders(draw, pose, x, y):
    """Leaves and twigs in front of a bird: none, or up to four."""
    reach = 1.1 * pose.scale
    things = []
    for _ in range(draw.below(5)):
        at = x + draw.between(-reach, reach), y + draw.between(-reach, reach)
        if draw.chance(0.3):
            things.append(Branch.twig(draw, *at, pose.scale * draw.between(0.05, 0.12)))
        else:
            things.append(Leaf.sample(draw, *at, 0.5 * pose.scale, 1.1 * pose.scale))
    return things
