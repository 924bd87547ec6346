"""Compression of maps and images to bytes for the browser.

A stack holds what all maps of an image by one method at one layer are computed from. Its rows are maps
(h, w), in this order, where K classes are listed and the others have R rests, as defined in
:mod:`contrastlib.explorer.ranking`:

===========  ==========================================================================================
K            the map phi^s of the unit vector of each listed class s, the most probable first
R            the map of each rest; none if all classes are listed
R            the map of each rest times the logits, only where maps are relevances
===========  ==========================================================================================

The kind of a method defines how its map of weights w for the target t is computed from the rows:

===========  ==========================================================================================
linear       sum_s w_s phi^s
relevance    max(0, abs(y_t) sum_s w_s phi^s), where phi^s is the relevance of a unit at logit s
scored       sum_s w_s y_s phi^s, with the same phi^s
table        row n r + c is the map itself, of class r and the c-th of n contrasts, in the order of
             the contrasts in the view; for methods that are not linear in w
===========  ==========================================================================================

Maps of different classes are often similar, and their differences are small. Therefore rows are stored as
linear combinations of planes, given by their singular value decomposition: row = sum_j coefficients[row, j]
plane_j. The rounding error of a map is then relative to the map, and not to larger maps that cancel in it.
Planes are signed 16-bit integers, compressed by zlib: first the low bytes of all integers, then the high
bytes, which is a seventh shorter than the two bytes side by side. The coefficients (rows, planes) are in
float32, little-endian. The rows of a table are planes themselves, and each has one coefficient, its scale.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image
from torch import Tensor

STEPS = (511, 1023, 2047, 4095, 8191, 16383, 32767)
"""Possible largest absolute values of the integers, of which the first that is accurate enough is used."""
TOLERANCE = 4e-4
"""Largest error of a map, relative to its range."""
ROUNDING = 1e-7
"""Relative size below which values are rounding errors of single precision."""
LOSSLESS = 128
"""Largest side of an image that is stored without loss, in pixels."""
QUALITY = 90
"""WebP quality of larger images."""


class Chunks:
    """A list of byte strings without duplicates. The number of a byte string never changes.

    Args:
        first: The first byte strings.

    Attributes:
        bytes: All byte strings, in the order of their numbers.

    >>> chunks = Chunks()
    >>> chunks.add(b"a"), chunks.add(b"b"), chunks.add(b"a"), chunks.bytes
    (0, 1, 0, [b'a', b'b'])
    """

    def __init__(self, first: Sequence[bytes] = ()) -> None:
        """Number the first byte strings."""
        self.bytes = list(first)
        self._numbers = {data: number for number, data in enumerate(self.bytes)}

    def add(self, data: bytes) -> int:
        """Add a byte string unless it is there, and return its number."""
        if data not in self._numbers:
            self._numbers[data] = len(self.bytes)
            self.bytes.append(data)
        return self._numbers[data]


class Stack(NamedTuple):
    """Integer planes and the coefficients of the rows."""

    planes: np.ndarray
    """Integers (planes, h, w)."""
    coefficients: np.ndarray
    """Coefficients (rows, planes), or the scale (rows,) of each row of a table."""

    def maps(self, weights: np.ndarray) -> np.ndarray:
        """Compute maps (..., h, w) from weights (..., rows) of the rows."""
        scale = self.coefficients
        return np.tensordot(weights * scale if scale.ndim == 1 else weights @ scale, self.planes, 1)


def quantised(rows: np.ndarray, probes: np.ndarray, clipped: np.ndarray) -> Stack:
    """Decompose rows into planes, and round them to the smallest integers that are accurate enough.

    Args:
        rows: Rows (rows, h, w).
        probes: Weights (N, rows) of maps whose error must not exceed ``TOLERANCE``, as far as 16 bits allow.
        clipped: Whether each of these maps (N,) is clipped at 0. Such a map must have a quarter of the error,
            because its positive part may be small.

    >>> rows = np.arange(8.).reshape(2, 2, 2)
    >>> bool(np.allclose(quantised(rows, np.eye(2), np.zeros(2)).maps(np.eye(2)), rows, atol=0.01))
    True
    """
    left, singular, right = np.linalg.svd(rows.reshape(len(rows), -1), full_matrices=False)
    kept = singular > ROUNDING * singular[0]
    planes, coefficients = right[kept].reshape(-1, *rows.shape[1:]), left[:, kept] * singular[kept]
    return _fine_enough(planes, coefficients, rows, probes, clipped)


def tabulated(rows: np.ndarray) -> Stack:
    """Round rows (rows, h, w) that are maps themselves, each with its own scale."""
    count = len(rows)
    return _fine_enough(rows, np.ones(count), rows, np.eye(count), np.zeros(count))


def _fine_enough(
    planes: np.ndarray, coefficients: np.ndarray, rows: np.ndarray, probes: np.ndarray, clipped: np.ndarray
) -> Stack:
    wanted = np.tensordot(probes, rows, 1)
    allowed = np.where(clipped, TOLERANCE / 4, TOLERANCE) * np.ptp(wanted, axis=(1, 2))
    allowed = allowed.clip(min=ROUNDING * np.abs(rows).max())
    largest = abs(planes).max(axis=(1, 2))
    for steps in STEPS:
        scales = np.where(largest == 0, 1, largest / steps)
        integers = np.rint(planes / scales[:, None, None]).astype("<i2")
        stack = Stack(integers, (coefficients * scales).astype("<f4"))
        if (abs(stack.maps(probes) - wanted).max(axis=(1, 2)) <= allowed).all():
            break
    return stack


def packed_planes(planes: np.ndarray) -> bytes:
    """Compress integers (planes, h, w).

    >>> planes = np.array([[[1, -2], [300, -400]]])
    >>> unpacked_planes(packed_planes(planes), 2, 2).tolist()
    [[[1, -2], [300, -400]]]
    """
    return zlib.compress(planes.astype("<i2").reshape(-1, 1).view(np.uint8).T.tobytes(), 9)


def unpacked_planes(data: bytes, height: int, width: int) -> np.ndarray:
    """Decompress integers (planes, height, width).

    Args:
        data: What :func:`packed_planes` returns.
        height: Height of a plane.
        width: Width of a plane.

    Returns:
        The integers.
    """
    low_and_high = np.frombuffer(zlib.decompress(data), dtype=np.uint8).reshape(2, -1)
    return low_and_high.T.copy().view("<i2").reshape(-1, height, width)


def unpacked_stack(chunks: Sequence[bytes], entry: dict) -> Stack:
    """Decompress the stack of an entry of a view.

    Args:
        chunks: All chunks.
        entry: Fields kind, height, width, stack and coefficients of the entry.
    """
    planes = unpacked_planes(chunks[entry["stack"]], entry["height"], entry["width"])
    coefficients = np.frombuffer(chunks[entry["coefficients"]], dtype="<f4")
    return Stack(planes, coefficients if entry["kind"] == "table" else coefficients.reshape(-1, len(planes)))


def packed_image(image: Tensor) -> bytes:
    """Encode an image (3, H, W) in [0, 1] as WebP, without loss if it is small."""
    buffer = io.BytesIO()
    Image.fromarray(_bytes(image)).save(
        buffer, "WEBP", lossless=max(image.shape[1:]) <= LOSSLESS, quality=QUALITY, method=6
    )
    return buffer.getvalue()


def packed_labels(labels: np.ndarray) -> bytes:
    """Compress numbers of parts (H, W), one byte each, by zlib."""
    return zlib.compress(labels.astype(np.uint8).tobytes(), 9)


def mean_colour(image: Tensor) -> list[int]:
    """Return the mean of each channel, from 0 to 255."""
    return _bytes(image.mean(dim=(1, 2), keepdim=True)).flatten().tolist()


def _bytes(image: Tensor) -> np.ndarray:
    return (image.permute(1, 2, 0) * 255).round().byte().numpy(force=True)
