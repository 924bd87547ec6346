"""Numbers and images as bytes for the browser.

A stack is what all maps of a picture by one method at one layer are made of: rows, maps (height, width) of

===========  =================================================================================================
K            phi^s of each listed class, the most probable first
R            of the rest, if there are other classes: sums of phi^s with fixed weights, the first by probability
R            the same sums of y_s phi^s, where maps are of relevance
===========  =================================================================================================

and the kind of an entry says what becomes of them:

===========  =================================================================================================
linear       sum_s w_s phi^s
relevance    max(0, abs(y_t) sum_s w_s phi^s), phi^s from unit relevance at a logit
scored       sum_s w_s y_s phi^s of the same phi^s
table        row n r + c is the map of class r and the c-th of n contrasts itself, in the order of the
             view's weights, for maps that are no weighted sum over classes
===========  =================================================================================================

Maps of different classes are often much alike, and what sets them apart is small. Rows are therefore stored
as combinations of planes, those of their singular value decomposition: row = sum_j mix[row, j] plane_j. A
contrast takes of each plane as much as it needs, so that rounding is in proportion to the contrast and not to
what cancels in it. Planes are signed 16-bit integers, row by row: the low bytes of all, then their high bytes
(a seventh shorter than both bytes side by side), under zlib. The mix (rows, planes) is in float32,
little-endian; a table has no combinations, and for each row one number, its scale.
"""

from __future__ import annotations

import io
import zlib
from typing import NamedTuple

import numpy as np
from PIL import Image
from torch import Tensor

STEPS = (511, 1023, 2047, 4095, 8191, 16383, 32767)
"""integers go from -n to n for one of these n, the first that is fine enough: fewer are quicker to load"""
TOLERANCE = 4e-4  # of a map's range
ROUNDING = 1e-7  # of the largest value: what is below is the rounding of single precision
LOSSLESS = 128  # pixels a side up to which images are stored without loss
QUALITY = 90


class Chunks:
    """Bytes by number; what has come before keeps its number.

    >>> chunks = Chunks()
    >>> chunks.add(b"a"), chunks.add(b"b"), chunks.add(b"a"), chunks.bytes
    (0, 1, 0, [b'a', b'b'])
    """

    def __init__(self, given: list[bytes] = ()):
        self.bytes = list(given)
        self._numbers = {data: number for number, data in enumerate(self.bytes)}

    def add(self, data: bytes) -> int:
        if data not in self._numbers:
            self._numbers[data] = len(self.bytes)
            self.bytes.append(data)
        return self._numbers[data]


class Stack(NamedTuple):
    """Rows as integer planes (planes, h, w) and a mix (rows, planes), or scales (rows,) of a table."""

    planes: np.ndarray
    mix: np.ndarray

    def maps(self, weights: np.ndarray) -> np.ndarray:
        """Maps (..., h, w) of weights over the rows (..., rows)."""
        return np.tensordot(weights * self.mix if self.mix.ndim == 1 else weights @ self.mix, self.planes, 1)


def quantised(rows: np.ndarray, probes: np.ndarray, cut: np.ndarray) -> Stack:
    """A stack of as few steps as are fine enough.

    Args:
        rows: (rows, h, w).
        probes: (N, rows) weights of maps that keep to ``TOLERANCE``, as far as 16 bits can.
        cut: (N,) which of those maps are cut at 0: what is left of them may be small, so they keep to a
            quarter of it.

    >>> rows = np.arange(8.).reshape(2, 2, 2)
    >>> bool(np.allclose(quantised(rows, np.eye(2), np.zeros(2)).maps(np.eye(2)), rows, atol=0.01))
    True
    """
    left, singular, right = np.linalg.svd(rows.reshape(len(rows), -1), full_matrices=False)
    kept = singular > ROUNDING * singular[0]
    planes, mix = right[kept].reshape(-1, *rows.shape[1:]), left[:, kept] * singular[kept]
    return _fine_enough(planes, mix, rows, probes, cut)


def tabulated(rows: np.ndarray) -> Stack:
    """A stack of rows (rows, h, w) that are maps themselves."""
    count = len(rows)
    return _fine_enough(rows, np.ones(count), rows, np.eye(count), np.zeros(count))


def _fine_enough(
    planes: np.ndarray, mix: np.ndarray, rows: np.ndarray, probes: np.ndarray, cut: np.ndarray
) -> Stack:
    wanted = np.tensordot(probes, rows, 1)
    allowed = np.where(cut, TOLERANCE / 4, TOLERANCE) * np.ptp(wanted, axis=(1, 2))
    allowed = allowed.clip(min=ROUNDING * np.abs(rows).max())
    largest = abs(planes).max(axis=(1, 2))
    for steps in STEPS:
        scales = np.where(largest == 0, 1, largest / steps)
        integers = np.rint(planes / scales[:, None, None]).astype("<i2")
        stack = Stack(integers, (mix * scales).astype("<f4"))
        if (abs(stack.maps(probes) - wanted).max(axis=(1, 2)) <= allowed).all():
            break
    return stack


def packed_planes(planes: np.ndarray) -> bytes:
    """Integers (planes, h, w) as bytes.

    >>> planes = np.array([[[1, -2], [300, -400]]])
    >>> unpacked_planes(packed_planes(planes), 2, 2).tolist()
    [[[1, -2], [300, -400]]]
    """
    return zlib.compress(planes.astype("<i2").reshape(-1, 1).view(np.uint8).T.tobytes(), 9)


def unpacked_planes(data: bytes, height: int, width: int) -> np.ndarray:
    """The integers (planes, height, width) in those bytes."""
    low_and_high = np.frombuffer(zlib.decompress(data), dtype=np.uint8).reshape(2, -1)
    return low_and_high.T.copy().view("<i2").reshape(-1, height, width)


def packed_image(image: Tensor) -> bytes:
    """An image (3, H, W) in [0, 1] as WebP: without loss if it is small, else at quality 90."""
    buffer = io.BytesIO()
    Image.fromarray(_bytes(image)).save(
        buffer, "WEBP", lossless=max(image.shape[1:]) <= LOSSLESS, quality=QUALITY, method=6)
    return buffer.getvalue()


def packed_labels(labels: np.ndarray) -> bytes:
    """Numbers of parts (H, W), one byte each, under zlib."""
    return zlib.compress(labels.astype(np.uint8).tobytes(), 9)


def mean_colour(image: Tensor) -> list[int]:
    """Mean of each channel, 0 to 255."""
    return _bytes(image.mean(dim=(1, 2), keepdim=True)).flatten().tolist()


def _bytes(image: Tensor) -> np.ndarray:
    return (image.permute(1, 2, 0) * 255).round().byte().numpy(force=True)
