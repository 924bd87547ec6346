"""Pictures, maps and masks as text in the data of a page."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image

from contrastlib.explorer.export import LARGEST

PICTURE = "image/webp"
"""Type of encoded pictures."""


def as_text(data: bytes) -> str:
    """Encode bytes in base64.

    >>> as_text(b"abc")
    'YWJj'
    """
    return base64.b64encode(data).decode()


def picture(pixels: np.ndarray) -> str:
    """Encode a picture, uint8 (H, W, 3), as WebP without loss, in base64."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "WEBP", lossless=True, quality=75, method=4)
    return as_text(buffer.getvalue())


def maps(values: np.ndarray) -> dict:
    """Round maps (C, h, w) to 16-bit integers with one scale for all.

    Returns:
        The scale, and the integers in base64, little-endian.

    >>> maps(np.array([[[-2., 1.]]]))["scale"] * 32767
    2.0
    """
    scale = float(np.abs(values).max()) / LARGEST or 1.0
    return {"scale": scale, "data": as_text(np.rint(values / scale).astype("<i2").tobytes())}


def mask(inside: np.ndarray) -> str:
    """Pack a boolean mask (H, W) to bits, the highest of each byte first, in base64.

    >>> mask(np.array([[True, False, True, True]]))
    'sA=='
    """
    return as_text(np.packbits(inside).tobytes())
