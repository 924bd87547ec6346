"""Outlines of the parts of a perched songbird that faces right.

Each outline is a polygon (N, 2) of vertices (x, y) in the coordinate frame of its part. In the body frame, x
runs along the spine (positive to the front), y downwards, and one unit is about half the length of the trunk.
In the head frame, one unit is the radius of the head. In the tail frame, x runs from the rump to the tip.
Angles are positive from x towards y.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_SAMPLES = 6  # vertices per spline segment


def smooth(points: Sequence[tuple[float, float]]) -> np.ndarray:
    """Return the closed Catmull–Rom spline through N points as a polygon (6 N, 2).

    Args:
        points: The points (x, y).

    >>> smooth([(0, 0), (1, 0), (0, 1)]).shape
    (18, 2)
    """
    p1 = np.asarray(points, float)
    p0, p2, p3 = np.roll(p1, 1, 0), np.roll(p1, -1, 0), np.roll(p1, -2, 0)
    curve = []
    for k in range(_SAMPLES):
        t = k / _SAMPLES
        curve.append(
            p1 + 0.5 * t * ((p2 - p0) + t * ((2 * p0 - 5 * p1 + 4 * p2 - p3) + t * (3 * (p1 - p2) + p3 - p0)))
        )
    return np.stack(curve, 1).reshape(-1, 2)


def ellipse(x: float, y: float, a: float, b: float) -> np.ndarray:
    """Return an ellipse as a polygon (72, 2), the spline through twelve of its points.

    Args:
        x: Horizontal position of its centre.
        y: Vertical position of its centre.
        a: Horizontal semi-axis.
        b: Vertical semi-axis.
    """
    half = 0.8660254
    turn = [(1, 0), (half, 0.5), (0.5, half), (0, 1), (-0.5, half), (-half, 0.5)]
    turn += [(-c, -s) for c, s in turn]
    return smooth([(x + a * c, y + b * s) for c, s in turn])


# body frame
TRUNK = smooth([
    (0.62, -0.60), (0.20, -0.56), (-0.35, -0.46), (-0.85, -0.24), (-1.10, -0.04), (-1.02, 0.12),
    (-0.60, 0.38), (-0.05, 0.57), (0.45, 0.52), (0.82, 0.26), (1.00, -0.10), (0.98, -0.45),
])  # fmt: skip
BACK = smooth([
    (1.05, -0.75), (0.20, -0.80), (-0.60, -0.70), (-1.30, -0.30), (-1.30, 0.04), (-0.70, -0.02),
    (-0.10, -0.05), (0.45, -0.10), (0.66, -0.28),
])  # fmt: skip
BREAST = smooth([
    (0.45, -0.80), (0.30, -0.35), (0.25, 0.00), (0.20, 0.30), (0.28, 0.70), (0.75, 0.70), (1.20, 0.25),
    (1.25, -0.35), (0.90, -0.85),
])  # fmt: skip
WING = smooth([
    (0.56, -0.12), (0.38, -0.27), (0.00, -0.30), (-0.55, -0.20), (-1.10, -0.01), (-1.42, 0.11),
    (-1.05, 0.16), (-0.55, 0.24), (-0.05, 0.29), (0.38, 0.18),
])  # fmt: skip
WING_BAR = smooth([
    (0.20, -0.40), (0.02, -0.14), (-0.12, 0.10), (-0.28, 0.40), (-0.04, 0.40), (0.06, 0.14),
    (0.20, -0.10), (0.38, -0.38),
])  # fmt: skip
FEATHERS = (
    np.array([(-0.25, -0.02), (-1.42, 0.08), (-1.40, 0.12), (-0.25, 0.02)]),
    np.array([(-0.25, 0.10), (-1.15, 0.12), (-1.15, 0.15), (-0.25, 0.135)]),
    np.array([(-0.15, -0.16), (-1.20, 0.00), (-1.20, 0.03), (-0.15, -0.125)]),
)
WING_TIP = np.array([(-0.75, -0.4), (-0.62, 0.3), (-1.6, 0.3), (-1.6, -0.2)])
HIPS = ((0.02, 0.46), (-0.22, 0.42))

# tail frame
TAILS = {
    "short": smooth([
        (-0.25, -0.12), (0.30, -0.13), (0.62, -0.14), (0.68, 0.0), (0.62, 0.14), (0.30, 0.13),
        (-0.25, 0.12),
    ]),
    "straight": smooth([
        (-0.25, -0.13), (0.50, -0.14), (1.00, -0.15), (1.06, 0.0), (1.00, 0.15), (0.50, 0.14),
        (-0.25, 0.13),
    ]),
    "long": smooth([
        (-0.25, -0.14), (0.60, -0.15), (1.35, -0.12), (1.55, 0.0), (1.35, 0.14), (0.60, 0.16),
        (-0.25, 0.14),
    ]),
    "forked": np.array([
        (-0.25, -0.12), (0.50, -0.13), (1.12, -0.30), (0.82, 0.0), (1.12, 0.30), (0.50, 0.13),
        (-0.25, 0.12),
    ]),
}  # fmt: skip
TAIL_FEATHER = np.array([(-0.1, -0.012), (1.6, -0.02), (1.6, 0.02), (-0.1, 0.012)])

# head frame
HEAD = smooth([
    (1.00, 0.05), (0.88, -0.46), (0.50, -0.88), (0.00, -1.00), (-0.55, -0.88), (-0.95, -0.45),
    (-1.10, 0.10), (-0.95, 0.60), (-0.50, 0.95), (0.10, 1.00), (0.62, 0.82), (0.92, 0.46),
])  # fmt: skip
CROWN = smooth([
    (1.05, -0.20), (0.60, -0.34), (0.20, -0.40), (-0.30, -0.30), (-0.75, 0.05), (-1.15, 0.45),
    (-1.40, 0.20), (-1.20, -0.80), (-0.30, -1.25), (0.60, -1.15), (1.10, -0.60),
])  # fmt: skip
THROAT = smooth([
    (1.15, 0.15), (0.70, 0.22), (0.10, 0.30), (-0.40, 0.60), (-0.45, 1.30), (0.70, 1.35), (1.20, 0.80),
])  # fmt: skip
STRIPE = smooth([
    (1.02, -0.06), (0.60, -0.20), (0.30, -0.30), (-0.30, -0.22), (-0.92, 0.12), (-0.85, 0.30),
    (-0.25, 0.10), (0.40, 0.04), (1.00, 0.12),
])  # fmt: skip
EYE_RING = ellipse(0.38, -0.12, 0.345, 0.335)
EYE = ellipse(0.38, -0.12, 0.185, 0.18)
PUPIL = ellipse(0.40, -0.12, 0.12, 0.12)
HIGHLIGHT = ellipse(0.45, -0.20, 0.065, 0.06)

BEAKS = {
    "cone": smooth([(0.72, -0.34), (1.15, -0.28), (1.50, 0.06), (1.52, 0.12), (1.15, 0.36), (0.78, 0.44)]),
    "thin": np.array([(0.80, -0.10), (1.20, -0.04), (1.72, 0.08), (1.20, 0.17), (0.80, 0.24)]),
    "stout": smooth([
        (0.75, -0.28), (1.15, -0.26), (1.55, -0.08), (1.74, 0.22), (1.45, 0.22), (1.10, 0.36),
        (0.78, 0.38),
    ]),
    "dagger": np.array([(0.76, -0.28), (1.30, -0.15), (2.15, 0.12), (1.30, 0.32), (0.76, 0.40)]),
    "curved": smooth([
        (0.78, -0.22), (1.30, -0.20), (1.80, 0.10), (2.08, 0.62), (1.66, 0.32), (1.20, 0.22),
        (0.78, 0.34),
    ]),
}  # fmt: skip
GAPE = {
    "cone": np.array([(0.70, 0.05), (1.50, 0.07), (1.50, 0.11), (0.70, 0.13)]),
    "thin": np.array([(0.70, 0.05), (1.70, 0.07), (1.70, 0.09), (0.70, 0.10)]),
    "stout": np.array([(0.70, 0.04), (1.55, 0.14), (1.55, 0.19), (0.70, 0.11)]),
    "dagger": np.array([(0.70, 0.04), (2.00, 0.08), (2.00, 0.11), (0.70, 0.10)]),
    "curved": smooth([(0.70, 0.04), (1.25, 0.01), (1.86, 0.34), (1.82, 0.37), (1.20, 0.07), (0.70, 0.10)]),
}
CRESTS = {
    "swept": smooth([
        (0.55, -0.80), (0.10, -1.15), (-0.60, -1.35), (-1.75, -1.38), (-1.25, -0.95), (-0.95, -0.45),
        (-0.20, -0.65),
    ]),
    "tuft": smooth([
        (0.45, -0.85), (0.20, -1.25), (-0.25, -1.75), (-0.35, -1.40), (-0.65, -1.45), (-0.70, -1.10),
        (-0.80, -0.60), (0.0, -0.7),
    ]),
    "fan": smooth([
        (0.70, -0.55), (0.62, -1.05), (0.10, -1.42), (-0.55, -1.62), (-1.15, -1.50), (-0.98, -1.05),
        (-0.95, -0.45), (0.0, -0.6),
    ]),
}  # fmt: skip
