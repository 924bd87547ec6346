"""Picture files of any kind as 8-bit RGB, as data sets, networks and readers take them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError


def open_photo(path: Path) -> Image.Image:
    """The picture in a file, as :func:`in_rgb` makes it.

    Raises:
        ValueError: it is missing, a folder, no picture, or one without a known range.
    """
    if path.is_dir():
        raise ValueError(f"{path} is a folder: name one picture")
    try:
        with Image.open(path) as image:
            return in_rgb(image)
    except FileNotFoundError:
        raise ValueError(f"there is no file {path}") from None
    except UnidentifiedImageError:
        raise ValueError(f"{path} is not a picture that Pillow can read: save it as JPEG or PNG") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error


def in_rgb(image: Image.Image) -> Image.Image:
    """A picture upright, in 8-bit RGB. Greys of 16 bits are scaled; what is transparent becomes white.

    Raises:
        ValueError: its numbers, 32-bit integers or floating point, have no known range.

    >>> in_rgb(Image.new("I;16", (1, 1), 65535)).getpixel((0, 0))
    (255, 255, 255)
    """
    image = ImageOps.exif_transpose(image)
    if image.mode in ("I", "F"):
        raise ValueError(f"the picture has numbers without a known range (mode {image.mode}): save it as 8-bit")
    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image) / 257).round().astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")
