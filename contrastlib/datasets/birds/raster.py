"""Anti-aliased polygons and layers with soft edges in numpy, with identical bytes on every platform.

Vertices are rounded to an integer grid, and polygons are rasterised in integer arithmetic. Every later step
is one IEEE operation per numpy call (+, −, ×, min, max), which no compiler may fuse or reorder.

Geometry is in canvas units: (0, 0) is the top left and (1, 1) the bottom right corner of the image. Colours
are RGB values from 0 to 255.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Colour = Sequence[float] | np.ndarray
"""Red, green and blue, 0 to 255."""
Box = tuple[int, int, int, int]
"""Rows y0 to y1 and columns x0 to x1 of pixels as (y0, y1, x0, x1), with y1 and x1 exclusive."""

GRID = 1 << 14
"""Steps of the geometry grid along one side of the canvas."""
_FINE = 256  # horizontal steps inside a pixel
_ROWS = 4  # scan lines inside a pixel
_STEP = _FINE // _ROWS


def _pixels(polygon: np.ndarray, size: int) -> np.ndarray:
    """Round vertices (N, 2) in canvas units to the grid, and convert them to integer steps of 1/256 pixel."""
    return np.rint(polygon * GRID).astype(np.int64) * (size * _FINE) // GRID


def bounds(polygon: np.ndarray, size: int) -> Box:
    """Return the box of pixels around a polygon, clipped to the canvas.

    Args:
        polygon: Vertices (N, 2) in canvas units.
        size: Side of the canvas in pixels.
    """
    points = _pixels(polygon, size)
    x0, y0 = np.maximum(points.min(0) // _FINE, 0).tolist()
    x1, y1 = np.minimum(points.max(0) // _FINE + 1, size).tolist()
    return y0, max(y1, y0), x0, max(x1, x0)


def coverage(polygon: np.ndarray, size: int, box: Box) -> np.ndarray:
    """Compute which fraction of each pixel of a box lies inside a polygon.

    A pixel has four scan lines, and each edge crosses each of them at most once. A crossing adds the covered
    fraction of its pixel and the whole of every pixel to its right, so a cumulative sum along the rows is the
    area, as in font rasterisers.

    Args:
        polygon: Vertices (N, 2) in canvas units, in either orientation.
        size: Side of the canvas in pixels.
        box: The pixels.

    Returns:
        float32 array (y1 − y0, x1 − x0) in [0, 1].

    >>> square = np.array([[0.25, 0.25], [0.75, 0.25], [0.75, 0.75], [0.25, 0.75]])
    >>> coverage(square, 4, (0, 4, 0, 4))[1]
    array([0., 1., 1., 0.], dtype=float32)
    >>> float(coverage(square, 5, (0, 5, 0, 5)).sum())
    6.25
    """
    y0, y1, x0, x1 = box
    height, width = y1 - y0, x1 - x0
    start = _pixels(polygon, size) - (x0 * _FINE, y0 * _FINE)
    end = np.concatenate((start[1:], start[:1]))
    falling = end[:, 1] < start[:, 1]
    top = np.where(falling[:, None], end, start)
    run, drop = (np.where(falling[:, None], start, end) - top).T
    # scan line s lies at y = (s + 1/2) steps; an edge crosses those in [top, bottom)
    first = _between((top[:, 1] + _STEP // 2 - 1) // _STEP, height * _ROWS)
    last = _between((top[:, 1] + drop + _STEP // 2 - 1) // _STEP, height * _ROWS)
    count = last - first
    edge = np.repeat(np.arange(len(start)), count)
    line = np.arange(len(edge)) + (first - np.cumsum(count) + count)[edge]
    x = top[edge, 0] + ((2 * line + 1) * (_STEP // 2) - top[edge, 1]) * run[edge] // drop[edge]
    x = _between(x, width * _FINE)
    sign = np.where(falling, -1, 1)[edge]
    inside = x % _FINE
    cell = line // _ROWS * (width + 2) + x // _FINE
    weights = np.concatenate((sign * (_FINE - inside), sign * inside))
    area = np.bincount(np.concatenate((cell, cell + 1)), weights, height * (width + 2))
    area = np.abs(np.cumsum(area.reshape(height, width + 2), axis=1)[:, :width])
    return np.minimum(area * (1 / (_FINE * _ROWS)), 1).astype(np.float32)


def _between(values: np.ndarray, most: int) -> np.ndarray:
    """Clip values to the range from 0 to ``most``. For small arrays this is much faster than np.clip."""
    return np.minimum(np.maximum(values, 0), most)


def soften(alpha: np.ndarray, radius: int) -> np.ndarray:
    """Blur a coverage map (H, W) with a box of 2 · radius + 1 pixels along both axes, with zero padding."""
    if radius < 1:
        return alpha
    total = np.rint(alpha * 1024).astype(np.int32)
    reach = 2 * radius + 1
    for _ in range(2):  # along one axis; then transposed, along the other
        length, width = total.shape
        running = np.zeros((length + reach, width), np.int32)
        np.cumsum(total, axis=0, out=running[radius + 1 : radius + 1 + length])
        running[radius + 1 + length :] = running[radius + length]
        total = (running[reach:] - running[:-reach]).T
    return total.astype(np.float32) * np.float32(1 / (1024 * reach**2))


class Canvas:
    """A square image that is being drawn, and the part that each of its pixels shows.

    Args:
        size: Side in pixels.

    Attributes:
        size: Side in pixels.
        pixels: Colours, float32 (3, size, size), 0 to 255.
        owners: Code of the part that each pixel shows, uint8 (size, size); 0 for scenery.
    """

    def __init__(self, size: int) -> None:
        """Start with a black image."""
        self.size = size
        self.pixels = np.zeros((3, size, size), np.float32)
        self.owners = np.zeros((size, size), np.uint8)
        self._shapes: dict[tuple, np.ndarray] = {}

    def copy(self) -> Canvas:
        """Return a canvas with the same image; polygons that are drawn on both are rasterised once."""
        other = Canvas(self.size)
        other.pixels, other.owners, other._shapes = self.pixels.copy(), self.owners.copy(), self._shapes
        return other

    def coverage(self, polygon: np.ndarray, box: Box, radius: int = 0) -> np.ndarray:
        """Return :func:`coverage` of the pixels of a box, blurred by :func:`soften`. Do not change it."""
        key = polygon.tobytes(), box, radius
        if key not in self._shapes:
            self._shapes[key] = soften(coverage(polygon, self.size, box), radius)
        return self._shapes[key]

    def slope(self, polygon: np.ndarray, box: Box, radius: int) -> np.ndarray:
        """Return how much more of a polygon lies below each pixel of a box than above. Do not change it."""
        key = polygon.tobytes(), box, radius, "slope"
        if key not in self._shapes:
            alpha = np.pad(self.coverage(polygon, box), ((2 * radius, 2 * radius), (0, 0)))
            blurred = soften(alpha, radius)
            rows = len(blurred)
            self._shapes[key] = blurred[3 * radius : rows - radius] - blurred[radius : rows - 3 * radius]
        return self._shapes[key]

    def fill(self, polygon: np.ndarray, colour: Colour, owner: int = 0) -> None:
        """Draw one polygon in one colour; arguments as of :class:`Layer`."""
        Layer(self, polygon, colour, owner).commit()


class Layer:
    """A filled polygon that can be decorated and shaded before it is composited onto the canvas.

    Decorations change the colours of the layer, and its outline is applied at the end. So no fringe of one
    colour is visible along the border of another one.

    Args:
        canvas: The canvas.
        polygon: Outline (N, 2) in canvas units.
        colour: Colour of the filling.
        owner: Code of the part that the pixels show, 0 for scenery.
    """

    def __init__(self, canvas: Canvas, polygon: np.ndarray, colour: Colour, owner: int = 0) -> None:
        """Fill the outline."""
        self.canvas, self.polygon = canvas, polygon
        self.box = bounds(polygon, canvas.size)
        self.alpha = canvas.coverage(polygon, self.box)
        self.colours = np.empty((3, *self.alpha.shape), np.float32)
        self.colours[:] = np.asarray(colour, np.float32)[:, None, None]
        self.owners = np.full(self.alpha.shape, owner, np.uint8)

    def paint(
        self,
        polygon: np.ndarray,
        colour: Colour | None,
        owner: int | None = None,
        soft: float = 0.0,
        opacity: float = 1.0,
    ) -> None:
        """Decorate the layer with a polygon.

        Args:
            polygon: Outline (N, 2) in canvas units.
            colour: Its colour. None leaves the colours of the layer as they are.
            owner: Code of the part that its pixels show. None leaves the codes as they are.
            soft: Blur of its edge, in canvas units.
            opacity: Opacity of its colour, 0 to 1.
        """
        radius = int(soft * self.canvas.size + 0.5)
        inner = self._overlap(bounds(polygon, self.canvas.size), radius)
        if inner is None:
            return
        y0, y1, x0, x1 = inner
        top, left = self.box[0], self.box[2]
        inside = np.s_[y0 - top : y1 - top, x0 - left : x1 - left]
        wider = (y0 - radius, y1 + radius, x0 - radius, x1 + radius)
        alpha = self.canvas.coverage(polygon, wider, radius)
        alpha = alpha[radius : radius + y1 - y0, radius : radius + x1 - x0]
        if colour is not None:
            alpha_of_colour = alpha * np.float32(opacity)
            blend(
                self.colours[(slice(None), *inside)],
                np.asarray(colour, np.float32)[:, None, None],
                alpha_of_colour,
            )
        if owner is not None:
            self.owners[inside][alpha > 0.5] = owner

    def _overlap(self, box: Box, margin: int) -> Box | None:
        y0, y1 = max(box[0] - margin, self.box[0]), min(box[1] + margin, self.box[1])
        x0, x1 = max(box[2] - margin, self.box[2]), min(box[3] + margin, self.box[3])
        return (y0, y1, x0, x1) if y0 < y1 and x0 < x1 else None

    def shade(self, depth: float, strength: float) -> None:
        """Give the layer a round look: its upper rim becomes lighter, its lower rim darker.

        Args:
            depth: Width of the rim, in canvas units.
            strength: Relative change of the colours.
        """
        radius = max(int(depth * self.canvas.size + 0.5), 1)
        self.colours *= 1 + np.float32(strength) * self.canvas.slope(self.polygon, self.box, radius)

    def commit(self) -> None:
        """Composite the layer onto the canvas."""
        y0, y1, x0, x1 = self.box
        blend(self.canvas.pixels[:, y0:y1, x0:x1], self.colours, self.alpha)
        solid = self.alpha > 0.5
        self.canvas.owners[y0:y1, x0:x1][solid] = self.owners[solid]


def blend(pixels: np.ndarray, colours: np.ndarray, alpha: np.ndarray) -> None:
    """Replace pixels, in place, by pixels + alpha · (colours − pixels).

    Args:
        pixels: float32 (3, H, W).
        colours: float32, of the same shape or one that broadcasts to it.
        alpha: Opacity (H, W), 0 to 1.
    """
    change = colours - pixels
    change *= alpha
    pixels += change
