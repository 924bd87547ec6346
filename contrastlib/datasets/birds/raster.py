"""Anti-aliased polygons and soft layers in numpy, the same bytes on every platform.

Vertices are snapped to an integer grid and scan-converted in integer arithmetic. Everything after
that is one IEEE operation per numpy call (+, −, ×, min, max), which no compiler may fuse or reorder.
"""

import numpy as np

GRID = 1 << 14  # steps of the geometry grid along one side of the canvas
_FINE = 256  # horizontal steps inside a pixel
_ROWS = 4  # scan lines inside a pixel
_STEP = _FINE // _ROWS


def _pixels(polygon, size):
    """Vertices (N, 2) in canvas units, snapped to the grid, in integer steps of 1/256 pixel."""
    return np.rint(polygon * GRID).astype(np.int64) * (size * _FINE) // GRID


def bounds(polygon, size):
    """The pixel box (y0, y1, x0, x1) around a polygon, clipped to the canvas."""
    points = _pixels(polygon, size)
    x0, y0 = np.maximum(points.min(0) // _FINE, 0).tolist()
    x1, y1 = np.minimum(points.max(0) // _FINE + 1, size).tolist()
    return y0, max(y1, y0), x0, max(x1, x0)


def coverage(polygon, size, box):
    """How much of each pixel of a box lies inside a polygon.

    Each edge crosses each of four scan lines a pixel at most once. A crossing adds the exact covered
    part of its pixel, and all of every pixel to its right, so a running sum along the rows is the
    area (as in font rasterisers).

    Parameters
    ----------
    polygon : array (N, 2)
        Vertices (x, y) in canvas units, 0 to 1, in either orientation.
    size : int
        Canvas side in pixels.
    box : tuple (y0, y1, x0, x1)

    Returns
    -------
    float32 array (y1 − y0, x1 − x0) in [0, 1]

    Examples
    --------
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
    # scan line s lies at y = (s + 1/2) steps; an edge owns those in [top, bottom)
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


def _between(values, most):
    """From 0 to ``most``; for small arrays much faster than np.clip."""
    return np.minimum(np.maximum(values, 0), most)


def soften(alpha, radius):
    """Box blur of a coverage map over 2 · radius + 1 pixels along both axes (zero outside)."""
    if radius < 1:
        return alpha
    total = np.rint(alpha * 1024).astype(np.int32)
    reach = 2 * radius + 1
    for _ in range(2):  # along one axis, then, turned, along the other
        length, width = total.shape
        running = np.zeros((length + reach, width), np.int32)
        np.cumsum(total, axis=0, out=running[radius + 1 : radius + 1 + length])
        running[radius + 1 + length :] = running[radius + length]
        total = (running[reach:] - running[:-reach]).T
    return total.astype(np.float32) * np.float32(1 / (1024 * reach**2))


class Canvas:
    """A square picture: `pixels` float32 (3, S, S) in 0 … 255 and `owners` uint8 (S, S).

    `owners` says what each pixel shows: 0 for scenery, else the code that the painter gave.
    """

    def __init__(self, size):
        self.size = size
        self.pixels = np.zeros((3, size, size), np.float32)
        self.owners = np.zeros((size, size), np.uint8)

    def fill(self, polygon, colour, owner=0):
        """Paint one polygon in one flat colour."""
        Layer(self, polygon, colour, owner).commit()


class Layer:
    """An outline filled with a base colour, to be decorated inside, shaded, then laid on the canvas.

    Decorations are painted into the layer's own colours and cut by its outline only at the end, so
    no fringe of one colour shows along the border of another.
    """

    def __init__(self, canvas, polygon, colour, owner=0):
        self.canvas = canvas
        self.box = bounds(polygon, canvas.size)
        self.alpha = coverage(polygon, canvas.size, self.box)
        self.colours = np.empty((3, *self.alpha.shape), np.float32)
        self.colours[:] = np.asarray(colour, np.float32)[:, None, None]
        self.owners = np.full(self.alpha.shape, owner, np.uint8)

    def paint(self, polygon, colour, owner=None, soft=0.0, opacity=1.0):
        """Decorate with a polygon; `soft` blurs its edge (canvas units); without a colour it only owns."""
        radius = int(soft * self.canvas.size + 0.5)
        inner = self._overlap(bounds(polygon, self.canvas.size), radius)
        if inner is None:
            return
        y0, y1, x0, x1 = inner
        top, left = self.box[0], self.box[2]
        here = np.s_[y0 - top : y1 - top, x0 - left : x1 - left]
        wider = (y0 - radius, y1 + radius, x0 - radius, x1 + radius)
        alpha = soften(coverage(polygon, self.canvas.size, wider), radius)
        alpha = alpha[radius : radius + y1 - y0, radius : radius + x1 - x0]
        if colour is not None:
            alpha_of_colour = alpha * np.float32(opacity)
            blend(
                self.colours[(slice(None), *here)],
                np.asarray(colour, np.float32)[:, None, None],
                alpha_of_colour,
            )
        if owner is not None:
            self.owners[here][alpha > 0.5] = owner

    def _overlap(self, box, margin):
        y0, y1 = max(box[0] - margin, self.box[0]), min(box[1] + margin, self.box[1])
        x0, x1 = max(box[2] - margin, self.box[2]), min(box[3] + margin, self.box[3])
        return (y0, y1, x0, x1) if y0 < y1 and x0 < x1 else None

    def shade(self, depth, strength):
        """Round the layer: light from above on its rim, shadow below, over `depth` (canvas units)."""
        radius = max(int(depth * self.canvas.size + 0.5), 1)
        blurred = soften(np.pad(self.alpha, ((2 * radius, 2 * radius), (0, 0))), radius)
        slope = blurred[3 * radius : len(blurred) - radius] - blurred[radius : len(blurred) - 3 * radius]
        self.colours *= 1 + np.float32(strength) * slope

    def commit(self):
        """Lay the layer on the canvas."""
        y0, y1, x0, x1 = self.box
        blend(self.canvas.pixels[:, y0:y1, x0:x1], self.colours, self.alpha)
        solid = self.alpha > 0.5
        self.canvas.owners[y0:y1, x0:x1][solid] = self.owners[solid]


def blend(pixels, colours, alpha):
    """In place: pixels + alpha · (colours − pixels)."""
    change = colours - pixels
    change *= alpha
    pixels += change
