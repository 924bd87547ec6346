"""Drawing of one bird: its pose and coordinate frames, and the drawing of each part."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, pi, sin

import numpy as np

from contrastlib.datasets.birds import anatomy
from contrastlib.datasets.birds.raster import Canvas, Layer
from contrastlib.datasets.birds.scenery import Draw
from contrastlib.datasets.birds.species import COLOURS, PARTS, Species

CODES = {part: code for code, part in enumerate(PARTS, 1)}
"""Code of each part of the first bird of an image, by name."""
DULL = np.array((126, 112, 98))
"""Colour of completely worn plumage."""
BIRD_STEP = 16
"""Difference between the codes of the same part of two successive birds of an image."""


@dataclass(frozen=True)
class Frame:
    """A coordinate frame: an affine map from the coordinates of a part to canvas units.

    The point (px, py) of the part lies at (x + xx px + xy py, y + yx px + yy py).

    Attributes:
        x: Horizontal position of the origin.
        y: Vertical position of the origin.
        xx: First entry of the first row of the matrix.
        xy: Second entry of the first row.
        yx: First entry of the second row.
        yy: Second entry of the second row.
    """

    x: float
    y: float
    xx: float
    xy: float
    yx: float
    yy: float

    @classmethod
    def at(cls, x: float, y: float, scale: float, angle: float = 0.0, mirror: bool = False) -> Frame:
        """Return the frame that mirrors, then scales, rotates and translates.

        Args:
            x: Horizontal translation.
            y: Vertical translation.
            scale: Scale factor.
            angle: Rotation in radians, positive from x towards y.
            mirror: Whether to negate x first.
        """
        # rounded, so that the image does not depend on the last digit of a platform's sine
        c, s = round(cos(angle), 6) * scale, round(sin(angle), 6) * scale
        return cls(x, y, -c, -s, -s, c) if mirror else cls(x, y, c, -s, s, c)

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Map points (N, 2) of the part to canvas units."""
        x, y = points[:, 0], points[:, 1]
        return np.stack((self.x + self.xx * x + self.xy * y, self.y + self.yx * x + self.yy * y), 1)

    def child(self, x: float, y: float, scale: float, angle: float = 0.0, mirror: bool = False) -> Frame:
        """Return the frame of a part that is attached at (x, y) of this frame; arguments as of :meth:`at`."""
        inner = Frame.at(x, y, scale, angle, mirror)
        return Frame(
            self.x + self.xx * x + self.xy * y,
            self.y + self.yx * x + self.yy * y,
            self.xx * inner.xx + self.xy * inner.yx,
            self.xx * inner.xy + self.xy * inner.yy,
            self.yx * inner.xx + self.yy * inner.yx,
            self.yx * inner.xy + self.yy * inner.yy,
        )


@dataclass(frozen=True)
class Pose:
    """The pose of one bird and the variation of its colours. Both are independent of the species.

    Attributes:
        scale: Half the length of the trunk, in canvas units.
        mirrored: Whether the bird faces left.
        tilt: Angle of the trunk, in radians.
        nod: Angle of the head relative to the trunk, in radians.
        looks_back: Whether the head is turned backwards.
        tail: Angle of the tail relative to the trunk, in radians.
        leg: Length of the legs, as a fraction of ``scale``.
        tones: Factors (15, 3) on the colours of the parts.
        wear: How far the colour of each part (15,) is mixed with ``DULL``, 0 to 1.
    """

    scale: float
    mirrored: bool
    tilt: float
    nod: float
    looks_back: bool
    tail: float
    leg: float
    tones: np.ndarray
    wear: np.ndarray

    @classmethod
    def sample(cls, draw: Draw, low: float, high: float) -> Pose:
        """Return a random pose with a scale between ``low`` and ``high``."""
        tilt = -draw.between(0.15, 0.95)
        return cls(
            scale=draw.between(low, high),
            mirrored=draw.chance(0.5),
            tilt=tilt,
            nod=-0.75 * tilt + draw.between(-0.35, 0.30),
            looks_back=draw.chance(0.18),
            tail=pi + draw.between(-0.25, 0.40),
            leg=draw.between(0.22, 0.40),
            tones=draw.array((len(PARTS), 1), 0.90, 1.10) * draw.array((len(PARTS), 3), 0.96, 1.04),
            wear=draw.array(len(PARTS), 0, 0.95) * draw.array(len(PARTS), 0.35, 1),
        )

    def frame(self, x: float = 0.0, y: float = 0.0) -> Frame:
        """Return the body frame of a bird whose trunk is centred on (x, y)."""
        if not self.mirrored:
            return Frame.at(x, y, self.scale, self.tilt)
        return Frame.at(x, y, self.scale, -self.tilt, mirror=True)

    def head(self, body: Frame) -> Frame:
        """Return the head frame that belongs to a body frame."""
        if self.looks_back:
            return body.child(0.74, -0.60, 0.43, -self.tilt * 1.6 - self.nod + 0.2, mirror=True)
        return body.child(0.80, -0.56, 0.43, self.nod)

    def feet(self, body: Frame) -> list[np.ndarray]:
        """Return hip and foot of both legs, each a pair of points (2, 2) in canvas units."""
        hips = body(np.array(anatomy.HIPS))
        drop = self.scale * self.leg
        level = hips[:, 1].max() + drop
        return [np.array([hip, (hip[0] + 0.25 * drop, level)]) for hip in hips]

    def extent(self) -> tuple[float, float, float, float]:
        """Return the box (x0, y0, x1, y1) of any bird in this pose, relative to the centre of the trunk."""
        body = self.frame()
        head, tail = self.head(body), body.child(-0.95, -0.02, 1, self.tail)
        parts = [body(anatomy.TRUNK), tail(anatomy.TAILS["straight"]), *self.feet(body)]
        parts += [head(shape) for shape in (anatomy.HEAD, anatomy.BEAKS["dagger"], anatomy.CRESTS["tuft"])]
        points = np.concatenate(parts)
        return (*points.min(0).tolist(), *points.max(0).tolist())


class _Painter:
    """Draws the parts of one bird, with the colours of its species and the variation of its pose."""

    def __init__(self, canvas: Canvas, species: Species, pose: Pose, number: int) -> None:
        self.canvas, self.traits, self.pose, self.offset = canvas, species.traits, pose, number * BIRD_STEP

    def code(self, part: str) -> int:
        """Return the code of the pixels of a part."""
        return CODES[part] + self.offset

    def colour(self, part: str) -> np.ndarray | None:
        """Return the colour (3,) of a part, worn and toned as the pose says, or None if it has none."""
        trait = self.traits[part]
        if trait is None:
            return None
        number, fresh = CODES[part] - 1, np.array(COLOURS[trait.colour])
        faded = fresh + (DULL - fresh) * self.pose.wear[number]
        return np.minimum(faded * self.pose.tones[number], 255)

    def layer(self, part: str, polygon: np.ndarray) -> Layer:
        """Begin a layer in the colour of a part."""
        return Layer(self.canvas, polygon, self.colour(part), self.code(part))

    def mark(self, layer: Layer, part: str, polygon: np.ndarray, soft: float = 0.0) -> None:
        """Draw a part inside a layer. An unmarked part changes only the codes of its pixels."""
        layer.paint(polygon, self.colour(part), self.code(part), soft * self.pose.scale)

    def tail(self, frame: Frame) -> None:
        """Draw the tail, with its feathers."""
        shape = anatomy.TAILS[self.traits["tail"].shape]
        layer = self.layer("tail", frame(shape))
        for offset in (-0.06, 0.06):
            layer.paint(frame(anatomy.TAIL_FEATHER + (0, offset)), (0, 0, 0), opacity=0.28)
        layer.shade(0.10 * self.pose.scale, 0.35)
        layer.commit()

    def legs(self, body: Frame) -> None:
        """Draw both legs, with three toes each."""
        width = 0.035 * self.pose.scale
        for hip, foot in self.pose.feet(body):
            colour, code = self.colour("legs"), self.code("legs")
            self.canvas.fill(_strip(hip, foot, width), colour, code)
            for reach, dip in ((-0.13, 0.05), (0.10, 0.07), (0.20, 0.03)):
                toe = foot + np.array([reach, dip]) * self.pose.scale
                self.canvas.fill(_strip(foot, toe, 0.9 * width), colour, code)

    def trunk(self, frame: Frame) -> None:
        """Draw belly, breast and back."""
        layer = self.layer("belly", frame(anatomy.TRUNK))
        self.mark(layer, "breast", frame(anatomy.BREAST), 0.07)
        self.mark(layer, "back", frame(anatomy.BACK), 0.03)
        layer.shade(0.22 * self.pose.scale, 0.42)
        layer.commit()

    def wing(self, frame: Frame) -> None:
        """Draw the wing, with its bar and feathers."""
        layer = self.layer("wing", frame(anatomy.WING))
        layer.paint(frame(anatomy.WING_TIP), (0, 0, 0), soft=0.08 * self.pose.scale, opacity=0.30)
        self.mark(layer, "wing bar", frame(anatomy.WING_BAR))
        for feather in anatomy.FEATHERS:
            layer.paint(frame(feather), (0, 0, 0), opacity=0.35)
        layer.shade(0.09 * self.pose.scale, 0.38)
        layer.commit()

    def head(self, frame: Frame) -> None:
        """Draw crest, face, throat, crown, what is around the eye, and the eye."""
        if self.traits["crest"]:
            crest = self.layer("crest", frame(anatomy.CRESTS[self.traits["crest"].shape]))
            crest.shade(0.08 * self.pose.scale, 0.3)
            crest.commit()
        layer = self.layer("face", frame(anatomy.HEAD))
        self.mark(layer, "throat", frame(anatomy.THROAT), 0.02)
        self.mark(layer, "crown", frame(anatomy.CROWN), 0.02)
        around = {"eye stripe": anatomy.STRIPE, "eye ring": anatomy.EYE_RING}
        for part in sorted(around, key=lambda part: self.traits[part] is not None):  # marked after unmarked
            self.mark(layer, part, frame(around[part]))
        layer.shade(0.16 * self.pose.scale, 0.42)
        layer.paint(frame(anatomy.EYE), self.colour("eye"), self.code("eye"))
        layer.paint(frame(anatomy.PUPIL), (14, 12, 14))
        layer.paint(frame(anatomy.HIGHLIGHT), (255, 255, 255))
        layer.commit()

    def beak(self, frame: Frame) -> None:
        """Draw the beak, with the line between its halves."""
        shape = self.traits["beak"].shape
        layer = self.layer("beak", frame(anatomy.BEAKS[shape]))
        layer.paint(frame(anatomy.GAPE[shape]), (0, 0, 0), opacity=0.45)
        layer.shade(0.05 * self.pose.scale, 0.4)
        layer.commit()


STEPS = (
    ("tail",), ("legs",), ("belly", "breast", "back"), ("beak",),
    ("crest", "crown", "face", "eye stripe", "eye ring", "eye", "throat"), ("wing", "wing bar"),
)  # fmt: skip
"""The parts that are drawn together, in the order in which a bird is drawn."""


def draw(
    canvas: Canvas, species: Species, pose: Pose, x: float, y: float, number: int = 0,
    steps: slice = slice(None),
) -> None:  # fmt: skip
    """Draw a bird on a canvas.

    Args:
        canvas: The canvas.
        species: Species of the bird.
        pose: Its pose.
        x: Horizontal position of the centre of its trunk, in canvas units.
        y: Vertical position of the centre of its trunk, in canvas units.
        number: Number of the bird in the image, from 0. It determines the codes of its parts.
        steps: Which of ``STEPS`` to draw.
    """
    painter = _Painter(canvas, species, pose, number)
    body = pose.frame(x, y)
    head, tail = pose.head(body), body.child(-0.95, -0.02, 1, pose.tail)
    drawing = (
        (painter.tail, tail), (painter.legs, body), (painter.trunk, body), (painter.beak, head),
        (painter.head, head), (painter.wing, body),
    )  # fmt: skip
    for paint, frame in drawing[steps]:
        paint(frame)


def _strip(start: np.ndarray, end: np.ndarray, width: float) -> np.ndarray:
    """Return a quadrilateral around the segment from start to end."""
    along = end - start
    across = np.array([-along[1], along[0]]) * (width / (abs(along[0]) + abs(along[1])))
    return np.array([start + across, end + across, end - across, start - across])
