"""Scenery of an image: background, branches, leaves and illumination."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from contrastlib.datasets.birds.anatomy import smooth
from contrastlib.datasets.birds.raster import Canvas, Colour, Layer, blend

_Option = TypeVar("_Option")

BACKDROPS = {
    "sky": ((150, 190, 228), (222, 234, 242)),
    "dusk": ((126, 132, 176), (240, 190, 150)),
    "leaves": ((70, 112, 52), (160, 186, 96)),
    "forest": ((40, 66, 44), (104, 128, 80)),
    "water": ((84, 132, 150), (176, 204, 204)),
    "reed": ((150, 136, 92), (214, 204, 158)),
    "snow": ((196, 206, 218), (238, 240, 244)),
    "bark": ((74, 62, 54), (136, 116, 96)),
}
"""Two colours of each background, by name."""
BARK = ((96, 76, 60), (122, 104, 88), (78, 66, 58), (140, 112, 84))
"""Colours of branches."""
FOLIAGE = ((70, 120, 44), (112, 148, 58), (52, 94, 48), (150, 160, 70), (176, 122, 52))
"""Colours of leaves."""
_LEAF = smooth([(0, 0), (0.25, -0.20), (0.60, -0.20), (1.0, 0.0), (0.60, 0.20), (0.25, 0.20)])
_RIB = np.array([(0.05, -0.012), (0.95, -0.004), (0.95, 0.004), (0.05, 0.012)])


class Draw:
    """Random choices that are the same on every platform.

    They are made from uniform random numbers alone, whose stream PCG64 defines exactly.

    Args:
        seed: Seed of the random numbers.
        key: Integers that select an independent stream of random numbers of this seed.

    >>> Draw(0, (1, 2)).below(10) == Draw(0, (1, 2)).below(10)
    True
    """

    def __init__(self, seed: int, key: tuple[int, ...]) -> None:
        """Start the stream."""
        sequence = np.random.SeedSequence(seed, spawn_key=key)
        self._random = np.random.Generator(np.random.PCG64(sequence)).random

    def between(self, low: float, high: float) -> float:
        """Return a uniform random number from ``low`` to ``high``."""
        return low + (high - low) * self._random()

    def array(self, shape: int | tuple[int, ...], low: float, high: float) -> np.ndarray:
        """Return an array of uniform random numbers from ``low`` to ``high``."""
        return low + (high - low) * self._random(shape)

    def chance(self, probability: float) -> bool:
        """Return True with this probability."""
        return self._random() < probability

    def one_of(self, options: Sequence[_Option]) -> _Option:
        """Return one of the options, all with equal probability."""
        return options[int(self._random() * len(options))]

    def below(self, number: int) -> int:
        """Return an integer from 0 to ``number`` − 1, all with equal probability."""
        return int(self._random() * number)


@dataclass(frozen=True)
class Backdrop:
    """A background: a gradient between two colours, with discs of light that are out of focus.

    Attributes:
        colours: The two colours (2, 3).
        direction: Direction (x, y) of the gradient.
        discs: Discs (N, 7) as x, y, radius, opacity and three values of the colour.
    """

    colours: np.ndarray
    direction: tuple[float, float]
    discs: np.ndarray

    @classmethod
    def sample(cls, draw: Draw) -> Backdrop:
        """Return a random background."""
        first, second = BACKDROPS[draw.one_of(tuple(BACKDROPS))]
        colours = np.array([first, second]) * draw.array((2, 1), 0.85, 1.12) * draw.array((2, 3), 0.95, 1.05)
        if draw.chance(0.3):
            colours = colours[::-1]
        discs = draw.array((4 + draw.below(8), 7), 0, 1)
        discs[:, 2] = 0.04 + 0.16 * discs[:, 2]
        discs[:, 3] = 0.12 + 0.35 * discs[:, 3]
        mix = discs[:, 4:5]
        discs[:, 4:] = (colours[0] * mix + colours[1] * (1 - mix)) * (0.8 + 0.5 * discs[:, 5:6])
        return cls(colours, (draw.between(-0.6, 0.6), 1.0), discs)

    def paint(self, canvas: Canvas) -> None:
        """Fill the canvas with the background."""
        at = (np.arange(canvas.size, dtype=np.float32) + 0.5) * np.float32(1 / canvas.size)
        dx, dy = self.direction
        ramp = at[:, None] * np.float32(dy) + (at - 0.5) * np.float32(dx)
        ramp = np.clip(ramp, 0, 1)
        top, bottom = self.colours.astype(np.float32)
        canvas.pixels[:] = top[:, None, None] + (bottom - top)[:, None, None] * ramp
        for x, y, radius, opacity, *colour in self.discs.tolist():
            rows, columns = (_span(centre, radius, canvas.size) for centre in (y, x))
            square = (at[rows, None] - np.float32(y)) ** 2 + (at[columns] - np.float32(x)) ** 2
            # constant in the middle and falling to 0 at the rim, like a highlight out of focus
            alpha = np.clip(np.float32(2.2) - square * np.float32(2.2 / (radius * radius)), 0, 1)
            alpha *= np.float32(opacity)
            blend(canvas.pixels[:, rows, columns], np.array(colour, np.float32)[:, None, None], alpha)


def _span(centre: float, radius: float, size: int) -> slice:
    return slice(max(int((centre - radius) * size), 0), min(int((centre + radius) * size) + 1, size))


@dataclass(frozen=True)
class Branch:
    """A branch along a line of points.

    Attributes:
        points: Points (N, 2) of its centre line, in canvas units.
        thickness: Its thickness (N,) at each point, in canvas units.
        colour: Its colour.
    """

    points: np.ndarray
    thickness: np.ndarray
    colour: Colour

    @classmethod
    def perch(cls, draw: Draw, x: float, y: float, thickness: float) -> Branch:
        """Return a random branch that crosses the whole image with its upper edge below the point (x, y)."""
        slope, bend = draw.between(-0.22, 0.22), draw.between(-0.10, 0.10)
        at = np.array([-0.1, 0.1, 0.3, 0.5, 0.7, 0.9, 1.1])
        middle = y + 0.6 * thickness + slope * (at - x) + bend * (at - x) * (at - x)
        middle = middle + draw.array(7, -0.005, 0.005)
        taper = np.linspace(1.25, 0.75, 7)
        return cls(
            np.stack((at, middle), 1),
            thickness * (taper if draw.chance(0.5) else taper[::-1]),
            draw.one_of(BARK),
        )

    @classmethod
    def twig(cls, draw: Draw, x: float, y: float, thickness: float) -> Branch:
        """Return a thin branch through (x, y) in a random direction."""
        dx, dy = draw.one_of(((1, 0.5), (1, -0.4), (0.5, 1), (-0.3, 1), (0.1, 1), (1, 0.1)))
        along = np.array([-1.8, -0.6, 0.6, 1.8])
        points = np.stack((x + along * dx, y + along * dy), 1) + draw.array((4, 2), -0.04, 0.04)
        return cls(points, np.full(4, thickness), draw.one_of(BARK))

    def paint(self, canvas: Canvas) -> None:
        """Draw the branch."""
        ahead = np.gradient(self.points, axis=0)
        length = np.sqrt(ahead[:, 0] * ahead[:, 0] + ahead[:, 1] * ahead[:, 1])
        across = np.stack((-ahead[:, 1], ahead[:, 0]), 1) / length[:, None] * (self.thickness / 2)[:, None]
        outline = np.concatenate((self.points + across, (self.points - across)[::-1]))
        layer = Layer(canvas, outline, self.colour)
        layer.shade(0.4 * float(self.thickness.mean()), 0.45)
        layer.commit()


@dataclass(frozen=True)
class Leaf:
    """A leaf.

    Attributes:
        x: Horizontal position of its base, in canvas units.
        y: Vertical position of its base, in canvas units.
        length: Its length, in canvas units.
        direction: Unit vector (dx, dy) from its base to its tip.
        colour: Its colour.
    """

    x: float
    y: float
    length: float
    direction: tuple[float, float]
    colour: Colour

    @classmethod
    def sample(cls, draw: Draw, x: float, y: float, low: float, high: float) -> Leaf:
        """Return a random leaf at (x, y) with a length from ``low`` to ``high``."""
        dx, dy = draw.between(-1, 1), draw.between(-1, 1)
        norm = np.sqrt(dx * dx + dy * dy + 1e-6)
        shade = draw.between(0.75, 1.2)
        colour = tuple(min(c * shade, 255) for c in draw.one_of(FOLIAGE))
        return cls(x, y, draw.between(low, high), (float(dx / norm), float(dy / norm)), colour)

    def _on_canvas(self, shape: np.ndarray) -> np.ndarray:
        (dx, dy), x, y = self.direction, shape[:, 0] * self.length, shape[:, 1] * self.length
        return np.stack((self.x + dx * x - dy * y, self.y + dy * x + dx * y), 1)

    def paint(self, canvas: Canvas) -> None:
        """Draw the leaf."""
        layer = Layer(canvas, self._on_canvas(_LEAF), self.colour)
        layer.paint(self._on_canvas(_RIB), (255, 255, 220), opacity=0.35)
        layer.shade(0.08 * self.length, 0.35)
        layer.commit()


@dataclass(frozen=True)
class Light:
    """The illumination of an image.

    Attributes:
        gain: Factor (3,) on each channel, for exposure and colour cast.
        contrast: Factor on the difference from middle grey.
        slope: Gradient (x, y) of the brightness across the image.
    """

    gain: np.ndarray
    contrast: float
    slope: tuple[float, float]

    @classmethod
    def sample(cls, draw: Draw) -> Light:
        """Return a random illumination."""
        gain = draw.between(0.72, 1.15) * draw.array(3, 0.90, 1.10)
        return cls(gain, draw.between(0.75, 1.08), (draw.between(-0.3, 0.3), draw.between(-0.3, 0.3)))

    def apply(self, canvas: Canvas) -> None:
        """Change the pixels of the canvas in place."""
        at = (np.arange(canvas.size, dtype=np.float32) + 0.5) * np.float32(1 / canvas.size) - np.float32(0.5)
        fall = np.float32(1) + at[:, None] * np.float32(self.slope[1]) + at * np.float32(self.slope[0])
        pixels = canvas.pixels
        pixels -= np.float32(118)
        pixels *= np.float32(self.contrast)
        pixels += np.float32(118)
        pixels *= (self.gain.astype(np.float32))[:, None, None] * fall
