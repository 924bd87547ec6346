"""Numbers and images as bytes for the browser.

A stack of maps is stored as planes (planes, height, width) of signed 16-bit integers, row by row: the low bytes of
all, then their high bytes, under zlib (a seventh shorter than with both bytes side by side). Each plane has a scale:
the real value is the integer times the scale. For a network's K listed classes,
the most probable first, and the rest, if there are other classes, the planes are

=========================  ===================================================================================
0                          the mean of the maps that follow
1 to K                     phi^s of each listed class, less plane 0
K + 1, K + 2               the rest's mean weighted by probability, and its plain mean, less plane 0
K + 3, K + 4               those two of y_s phi^s (only where maps are of relevance)
=========================  ===================================================================================

Weights of a contrast add up to 0, so that plane 0, which is often much larger than what tells classes apart,
cancels exactly and does not add its rounding. The kind of an entry says what becomes of a stack:

=========================  ===================================================================================
linear                     sum_s w_s phi^s
relevance                  max(0, abs(y_t) sum_s w_s phi^s), phi^s from unit relevance at a logit
scored                     sum_s w_s y_s phi^s of the same phi^s
table                      plane 4 r + c is the map of class r and contrast c itself (original, mean, maximum,
                           weighted), for maps that are no weighted sum over classes
=========================  ===================================================================================
"""

from __future__ import annotations

import io
import zlib

import numpy as np
from PIL import Image
from torch import Tensor

STEPS = (1023, 2047, 4095, 8191, 16383, 32767)
"""integers go from -n to n for one of these n, the first that is fine enough: fewer are quicker to load"""
TOLERANCE = 5e-4  # of a map's range
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


def packed_stack(planes: np.ndarray, probes: np.ndarray) -> tuple[bytes, list[float]]:
    """Planes (planes, h, w) as bytes, and their scales.

    Args:
        probes: (N, planes) weights of maps that keep to ``TOLERANCE``, as far as 16 bits can.
    """
    largest = abs(planes).max(axis=(1, 2))
    wanted = np.tensordot(probes, planes, 1)
    ranges = np.ptp(wanted, axis=(1, 2))
    for steps in STEPS:
        scales = np.array([number(most / steps, 6) or 1 for most in largest])
        integers = np.rint(planes / scales[:, None, None])
        errors = abs(np.tensordot(probes * scales, integers, 1) - wanted).max(axis=(1, 2))
        if (errors <= TOLERANCE * ranges).all():
            break
    low_and_high = integers.clip(-steps, steps).astype("<i2").reshape(-1, 1).view(np.uint8).T
    return zlib.compress(low_and_high.tobytes(), 9), scales.tolist()


def unpacked_stack(data: bytes, height: int, width: int) -> np.ndarray:
    """The integers (planes, height, width) of a stack.

    >>> data, scales = packed_stack(np.ones((2, 3, 4)), np.eye(2))
    >>> bool(np.allclose(unpacked_stack(data, 3, 4) * scales[0], 1, rtol=1e-6))
    True
    """
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


def number(value: float, digits: int = 9) -> float:
    """Rounded to that many digits; nine keep all of single precision.

    >>> number(0.1234567891234)
    0.123456789
    """
    return float(f"{float(value):.{digits}g}")


def _bytes(image: Tensor) -> np.ndarray:
    return (image.permute(1, 2, 0) * 255).round().byte().numpy(force=True)
