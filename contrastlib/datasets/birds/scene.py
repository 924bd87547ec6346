"""Scenes: random lists of the objects of an image, which can be rendered at any size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from contrastlib.datasets.birds import bird
from contrastlib.datasets.birds.raster import GRID, Canvas
from contrastlib.datasets.birds.scenery import Backdrop, Branch, Draw, Leaf, Light
from contrastlib.datasets.birds.species import Species


@dataclass(frozen=True)
class Scene:
    """Everything that an image shows except the species of its birds. Geometry is in canvas units, 0 to 1.

    Attributes:
        backdrop: What fills the image behind all else.
        background: Branches and leaves behind the birds.
        birds: Pose of each bird, and position (x, y) of the centre of its trunk.
        foreground: Branches and leaves in front of the birds.
        light: The illumination.
    """

    backdrop: Backdrop
    background: list[Branch | Leaf]
    birds: list[tuple[bird.Pose, float, float]]
    foreground: list[Branch | Leaf]
    light: Light

    def render(self, species: Sequence[Species], size: int) -> tuple[np.ndarray, np.ndarray]:
        """Render the scene with birds of the given species.

        Args:
            species: Species of each bird.
            size: Side of the image in pixels.

        Returns:
            The image, uint8 (size, size, 3), and the code of the part that each pixel shows, uint8 (size,
            size): 0 for scenery, else 16 · number of the bird + number of the part, from 1.

        Raises:
            ValueError: The number of species differs from that of the birds.
        """
        canvas = Canvas(size)
        self.paint_background(canvas)
        for number, (kind, (pose, x, y)) in enumerate(zip(species, self.birds, strict=True)):
            bird.draw(canvas, kind, pose, x, y, number)
        return self.finished(canvas)

    def paint_background(self, canvas: Canvas) -> None:
        """Draw what is behind the birds."""
        self.backdrop.paint(canvas)
        for each in self.background:
            each.paint(canvas)

    def finished(self, canvas: Canvas) -> tuple[np.ndarray, np.ndarray]:
        """Draw what is in front of the birds and apply the illumination; the results of :meth:`render`."""
        for each in self.foreground:
            each.paint(canvas)
        self.light.apply(canvas)
        pixels = np.rint(np.clip(canvas.pixels, 0, 255)).astype(np.uint8)
        return np.ascontiguousarray(pixels.transpose(1, 2, 0)), canvas.owners

    def with_background_of(self, other: Scene) -> Scene:
        """Return this scene in front of the background of another one.

        Birds, their perches, what is in front of them and the illumination remain.

        Args:
            other: A scene; its perches are left out.
        """
        perches = len(self.birds)
        background = other.background[: len(other.background) - len(other.birds)] + self.background[-perches:]
        return replace(self, backdrop=other.backdrop, background=background)


def sample_scene(seed: int, key: tuple[int, ...]) -> Scene:
    """Return a random scene with one bird.

    Args:
        seed: Seed of the random numbers.
        key: Integers that select an independent stream of random numbers of this seed.
    """
    draw = Draw(seed, key)
    pose = bird.Pose.sample(draw, 0.14, 0.27)
    x, y = _position(draw, pose, 0.0, 1.0)
    return _assemble(draw, [(pose, x, y)])


def sample_pair(seed: int, key: tuple[int, ...]) -> Scene:
    """Return a random scene with two birds side by side; arguments as of :func:`sample_scene`."""
    draw = Draw(seed, key)
    halves = ((0.0, 0.5), (0.5, 1.0))
    birds = []
    for low, high in halves if draw.chance(0.5) else halves[::-1]:
        pose = bird.Pose.sample(draw, 0.12, 0.17)
        birds.append((pose, *_position(draw, pose, low, high)))
    return _assemble(draw, birds)


def _position(draw: Draw, pose: bird.Pose, low: float, high: float) -> tuple[float, float]:
    """Return a random position of the trunk that keeps the bird between columns ``low`` and ``high``."""
    x0, y0, x1, y1 = pose.extent()
    return (
        _between(draw, low - x0 + 0.02, high - x1 - 0.02),
        _between(draw, 0.02 - y0, 0.95 - y1),
    )


def _between(draw: Draw, low: float, high: float) -> float:
    """Return a uniform random number on the grid; the centre of the range if it is empty."""
    value = draw.between(low, high) if low < high else (low + high) / 2
    return round(value * GRID) / GRID


def _assemble(draw: Draw, birds: list[tuple[bird.Pose, float, float]]) -> Scene:
    backdrop = Backdrop.sample(draw)
    background = [
        Branch.twig(draw, draw.between(0, 1), draw.between(0, 1), draw.between(0.008, 0.03))
        for _ in range(draw.below(3))
    ]
    background += [
        Leaf.sample(draw, draw.between(0, 1), draw.between(0, 1), 0.10, 0.26) for _ in range(draw.below(5))
    ]
    foreground = []
    for pose, x, y in birds:
        (_, (fx, fy)), _ = pose.feet(pose.frame(x, y))
        background.append(Branch.perch(draw, fx, fy, pose.scale * draw.between(0.16, 0.34)))
        foreground += _occluders(draw, pose, x, y)
    return Scene(backdrop, background, birds, foreground, Light.sample(draw))


def _occluders(draw: Draw, pose: bird.Pose, x: float, y: float) -> list[Branch | Leaf]:
    """Return up to four leaves and twigs in front of a bird."""
    reach = 1.1 * pose.scale
    occluders = []
    for _ in range(draw.below(5)):
        position = x + draw.between(-reach, reach), y + draw.between(-reach, reach)
        if draw.chance(0.3):
            occluders.append(Branch.twig(draw, *position, pose.scale * draw.between(0.05, 0.12)))
        else:
            occluders.append(Leaf.sample(draw, *position, 0.5 * pose.scale, 1.1 * pose.scale))
    return occluders
