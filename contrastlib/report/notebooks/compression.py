"""Compression of images in the outputs of notebooks."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
from PIL import Image

SMALL = 40_000
"""Size in bytes up to which images are not compressed."""
TOLERANCE = 32
"""Largest change of a channel, of 255, that a palette may cause at any pixel."""
PALETTES = (Image.Quantize.MEDIANCUT, Image.Quantize.MAXCOVERAGE)
"""Ways to choose the 256 colours. The second one keeps rare colours, such as those of text in a heat map."""
SHOWN = 920
"""Width in pixels at which a page shows a wide figure on a screen of 1280 pixels."""
EMBEDDED = re.compile(r"data:image/png;base64,([A-Za-z0-9+/=]+)")


def compress(data: dict) -> dict:
    """Compress the large PNG images of an output.

    Args:
        data: MIME type -> content of an output.

    Returns:
        The same with compressed images.

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


def shrink(output: dict) -> None:
    """Reduce the pictures of an output to the size at which a page shows them.

    Pictures have two pixels for each of a page (:mod:`contrastlib.report.figures.formats`). Stored notebooks
    are kept small: their pictures have one, and are at most ``SHOWN`` pixels wide.

    Args:
        output: An output, whose metadata has that size. It is changed.

    >>> content = io.BytesIO()
    >>> Image.new("RGB", (20, 10)).save(content, "PNG")
    >>> data = {"image/png": base64.b64encode(content.getvalue()).decode()}
    >>> output = {"data": data, "metadata": {"image/png": {"width": 10, "height": 5}}}
    >>> shrink(output)
    >>> Image.open(io.BytesIO(base64.b64decode(output["data"]["image/png"]))).size
    (10, 5)
    """
    for mime in ("image/png", "image/jpeg"):
        size = output.get("metadata", {}).get(mime)
        if not size or mime not in output["data"]:
            continue
        image = Image.open(io.BytesIO(base64.b64decode(output["data"][mime]))).convert("RGB")
        width = min(size["width"], SHOWN)
        if image.width > width:
            content, height = io.BytesIO(), round(size["height"] * width / size["width"])
            image.resize((width, height), Image.Resampling.LANCZOS).save(content, "PNG")
            output["data"].pop(mime)
            found, stored = smaller(content.getvalue())
            output["data"] = {found: base64.b64encode(stored).decode(), **output["data"]}
            output["metadata"][found] = output["metadata"].pop(mime)
        return


def smaller(png: bytes) -> tuple[str, bytes]:
    """Compress a PNG to 256 colours or to a JPEG of quality 81, whichever is smaller.

    Drawings are smaller as PNG and photographs as JPEG. The palette is not used if it changes a colour by
    more than ``TOLERANCE``, because a small blue region in a red map would change its meaning. Images of up
    to ``SMALL`` bytes, and those that cannot be compressed, remain unchanged.

    Args:
        png: A PNG image. If it is transparent, it is drawn on white.

    Returns:
        MIME type and content of the image.
    """
    if len(png) <= SMALL:
        return "image/png", png
    image = Image.open(io.BytesIO(png))
    if image.mode == "P":  # it was compressed before: a second time must change nothing
        return "image/png", png
    image = image.convert("RGBA")
    opaque = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    photograph = io.BytesIO()
    opaque.save(photograph, "JPEG", quality=81, subsampling=0)
    forms = [("image/png", png), ("image/jpeg", photograph.getvalue())]
    for method in PALETTES:
        few, palette = opaque.quantize(256, method=method), io.BytesIO()
        change = np.abs(np.asarray(few.convert("RGB"), dtype=int) - np.asarray(opaque, dtype=int))
        if change.max() <= TOLERANCE:
            few.save(palette, "PNG", optimize=True)
            forms.append(("image/png", palette.getvalue()))
    return min(forms, key=lambda form: len(form[1]))


def _embedded(found: re.Match) -> str:
    mime, content = smaller(base64.b64decode(found[1]))
    return f"data:{mime};base64,{base64.b64encode(content).decode()}"
