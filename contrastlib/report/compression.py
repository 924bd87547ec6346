"""Smaller images in the outputs of notebooks."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
from PIL import Image

SMALL = 40_000
"""bytes of an image that is left as it is"""
TOLERANCE = 32
"""largest change of a channel, of 255, that a palette may make to any pixel"""
EMBEDDED = re.compile(r"data:image/png;base64,([A-Za-z0-9+/=]+)")


def compress(data: dict) -> dict:
    """The forms of an output, MIME type -> content, with large PNG images made smaller.

    >>> compress({"text/plain": "1"})
    {'text/plain': '1'}
    """
    changed = dict(data)
    if "image/png" in changed:
        mime, content = smaller(base64.b64decode(changed.pop("image/png")))
        changed = {mime: base64.b64encode(content).decode(), **changed}
    if "text/html" in changed:
        changed["text/html"] = EMBEDDED.sub(_embedded, changed["text/html"])
    return changed


def smaller(png: bytes) -> tuple[str, bytes]:
    """MIME type and content of an image: of a PNG with 256 colours and a JPEG (quality 88) the smaller one.

    Drawings get smaller as PNG, photographs as JPEG. The palette is refused where it changes a colour: a small blue spot
    in a red map would get another meaning. Small images, and those that would not shrink, stay as they are.

    Args:
        png: an image without transparency that matters: it is laid on white.
    """
    if len(png) <= SMALL:
        return "image/png", png
    image = Image.open(io.BytesIO(png)).convert("RGBA")
    opaque = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    palette, photograph = io.BytesIO(), io.BytesIO()
    opaque.save(photograph, "JPEG", quality=88, subsampling=0)
    forms = [("image/png", png), ("image/jpeg", photograph.getvalue())]
    few = opaque.quantize(256)
    if np.abs(np.asarray(few.convert("RGB"), dtype=int) - np.asarray(opaque, dtype=int)).max() <= TOLERANCE:
        few.save(palette, "PNG", optimize=True)
        forms.append(("image/png", palette.getvalue()))
    return min(forms, key=lambda form: len(form[1]))


def _embedded(found: re.Match) -> str:
    mime, content = smaller(base64.b64decode(found[1]))
    return f"data:{mime};base64,{base64.b64encode(content).decode()}"
