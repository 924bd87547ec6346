"""One bird: how an individual sits (`Pose`), and drawing it part by part (`draw`)."""

from dataclasses import dataclass
from math import cos, pi, sin

import numpy as np

from . import anatomy
from .raster import Layer
from .species import COLOURS, PARTS

CODES = {part: code for code, part in enumerate(PARTS, 1)}
DULL = np.array((126, 112, 98))  # what all colours fade to
BIRD_STEP = 16  # the parts of the k-th bird of a scene own codes k · 16 + 1 …


@dataclass(frozen=True)
class Frame:
    """An affine map from the coordinates of a part to canvas units: origin (x, y), then a 2 × 2 matrix."""

    x: float
    y: float
    xx: float
    xy: float
    yx: float
    yy: float

    @classmethod
    def at(cls, x, y, scale, angle=0.0, mirror=False):
        """Mirrored in x if so, then scaled, turned and moved to (x, y)."""
        # rounded, so that the last digit of a platform's sine never reaches the picture
        c, s = round(cos(angle), 6) * scale, round(sin(angle), 6) * scale
        return cls(x, y, -c, -s, -s, c) if mirror else cls(x, y, c, -s, s, c)

    def __call__(self, points):
        x, y = points[:, 0], points[:, 1]
        return np.stack((self.x + self.xx * x + self.xy * y, self.y + self.yx * x + self.yy * y), 1)

    def child(self, x, y, scale, angle=0.0, mirror=False):
        """The frame of a part fixed at (x, y) of this one."""
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
    """How one individual sits, and its own shade of the plumage. Independent of the species.

    `scale` is half a trunk in canvas units; angles are in radians; `tones` (15, 3) are factors on
    the colours of the parts, and `wear` (15,) says how far each has faded towards dull brown.
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
    def sample(cls, draw, low, high):
        """A random pose with a scale between `low` and `high`."""
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

    def frame(self, x=0.0, y=0.0):
        """The body frame of a bird whose trunk is centred on (x, y)."""
        if not self.mirrored:
            return Frame.at(x, y, self.scale, self.tilt)
        return Frame.at(x, y, self.scale, -self.tilt, mirror=True)

    def head(self, body):
        """The head frame on a body frame."""
        if self.looks_back:
            return body.child(0.74, -0.60, 0.43, -self.tilt * 1.6 - self.nod + 0.2, mirror=True)
        return body.child(0.80, -0.56, 0.43, self.nod)

    def feet(self, body):
        """Two hips and the feet below them, each a pair of points (2, 2) in canvas units."""
        hips = body(np.array(anatomy.HIPS))
        drop = self.scale * self.leg
        level = hips[:, 1].max() + drop
        return [np.array([hip, (hip[0] + 0.25 * drop, level)]) for hip in hips]

    def extent(self):
        """The box (x0, y0, x1, y1) of any bird in this pose around its trunk's centre."""
        body = self.frame()
        head, tail = self.head(body), body.child(-0.95, -0.02, 1, self.tail)
        parts = [body(anatomy.TRUNK), tail(anatomy.TAILS["straight"]), *self.feet(body)]
        parts += [head(shape) for shape in (anatomy.HEAD, anatomy.BEAKS["dagger"], anatomy.CRESTS["tuft"])]
        points = np.concatenate(parts)
        return (*points.min(0).tolist(), *points.max(0).tolist())


class _Painter:
    """Paints one bird: knows its traits, its own tones and the codes that its parts own."""

    def __init__(self, canvas, species, pose, number):
        self.canvas, self.traits, self.pose, self.offset = canvas, species.traits, pose, number * BIRD_STEP

    def code(self, part):
        return CODES[part] + self.offset

    def colour(self, part):
        trait = self.traits[part]
        if trait is None:
            return None
        number, fresh = CODES[part] - 1, np.array(COLOURS[trait.colour])
        faded = fresh + (DULL - fresh) * self.pose.wear[number]
        return np.minimum(faded * self.pose.tones[number], 255)

    def layer(self, part, polygon):
        return Layer(self.canvas, polygon, self.colour(part), self.code(part))

    def mark(self, layer, part, polygon, soft=0.0):
        """Paint a part inside a layer; worn plain it only owns its pixels."""
        layer.paint(polygon, self.colour(part), self.code(part), soft * self.pose.scale)

    def tail(self, frame):
        shape = anatomy.TAILS[self.traits["tail"].shape]
        layer = self.layer("tail", frame(shape))
        for offset in (-0.06, 0.06):
            layer.paint(frame(anatomy.TAIL_FEATHER + (0, offset)), (0, 0, 0), opacity=0.28)
        layer.shade(0.10 * self.pose.scale, 0.35)
        layer.commit()

    def legs(self, body):
        width = 0.035 * self.pose.scale
        for hip, foot in self.pose.feet(body):
            colour, code = self.colour("legs"), self.code("legs")
            self.canvas.fill(_strip(hip, foot, width), colour, code)
            for reach, dip in ((-0.13, 0.05), (0.10, 0.07), (0.20, 0.03)):
                toe = foot + np.array([reach, dip]) * self.pose.scale
                self.canvas.fill(_strip(foot, toe, 0.9 * width), colour, code)

    def trunk(self, frame):
        layer = self.layer("belly", frame(anatomy.TRUNK))
        self.mark(layer, "breast", frame(anatomy.BREAST), 0.07)
        self.mark(layer, "back", frame(anatomy.BACK), 0.03)
        layer.shade(0.22 * self.pose.scale, 0.42)
        layer.commit()

    def wing(self, frame):
        layer = self.layer("wing", frame(anatomy.WING))
        layer.paint(frame(anatomy.WING_TIP), (0, 0, 0), soft=0.08 * self.pose.scale, opacity=0.30)
        self.mark(layer, "wing bar", frame(anatomy.WING_BAR))
        for feather in anatomy.FEATHERS:
            layer.paint(frame(feather), (0, 0, 0), opacity=0.35)
        layer.shade(0.09 * self.pose.scale, 0.38)
        layer.commit()

    def head(self, frame):
        if self.traits["crest"]:
            crest = self.layer("crest", frame(anatomy.CRESTS[self.traits["crest"].shape]))
            crest.shade(0.08 * self.pose.scale, 0.3)
            crest.commit()
        layer = self.layer("face", frame(anatomy.HEAD))
        self.mark(layer, "throat", frame(anatomy.THROAT), 0.02)
        self.mark(layer, "crown", frame(anatomy.CROWN), 0.02)
        around = {"eye stripe": anatomy.STRIPE, "eye ring": anatomy.EYE_RING}
        for part in sorted(around, key=lambda part: self.traits[part] is not None):  # worn over plain
            self.mark(layer, part, frame(around[part]))
        layer.shade(0.16 * self.pose.scale, 0.42)
        layer.paint(frame(anatomy.EYE), self.colour("eye"), self.code("eye"))
        layer.paint(frame(anatomy.PUPIL), (14, 12, 14))
        layer.paint(frame(anatomy.HIGHLIGHT), (255, 255, 255))
        layer.commit()

    def beak(self, frame):
        shape = self.traits["beak"].shape
        layer = self.layer("beak", frame(anatomy.BEAKS[shape]))
        layer.paint(frame(anatomy.GAPE[shape]), (0, 0, 0), opacity=0.45)
        layer.shade(0.05 * self.pose.scale, 0.4)
        layer.commit()


def draw(canvas, species, pose, x, y, number=0):
    """Draw a bird of a species in a pose, its trunk centred on (x, y), as bird `number` of the scene."""
    painter = _Painter(canvas, species, pose, number)
    body = pose.frame(x, y)
    head = pose.head(body)
    painter.tail(body.child(-0.95, -0.02, 1, pose.tail))
    painter.legs(body)
    painter.trunk(body)
    painter.beak(head)
    painter.head(head)
    painter.wing(body)


def _strip(start, end, width):
    """A quadrilateral of a width around the segment from start to end."""
    along = end - start
    across = np.array([-along[1], along[0]]) * (width / (abs(along[0]) + abs(along[1])))
    return np.array([start + across, end + across, end - across, start - across])
