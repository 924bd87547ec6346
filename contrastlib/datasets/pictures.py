"""Image files of any format, read as 8-bit RGB."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

LONGEST = 100
"""How many times a side may be longer than the other. A network sees a square from the middle."""


class ThinPicture(ValueError):
    """A picture is far longer than wide."""


def open_photo(path: Path) -> Image.Image:
    """Read an image file, and convert it with :func:`in_rgb`.

    Args:
        path: The file.

    Returns:
        The image, upright, in mode RGB.

    Raises:
        ValueError: The file does not exist, is a folder, cannot be read as an image, or has an unknown range
            of values, or the image is far longer than wide.
    """
    if path.is_dir():
        raise ValueError(f"{path} is a folder: name one picture")
    if path.exists() and not path.is_file():  # a pipe would wait for a writer
        raise ValueError(f"{path} is not a file: save the picture, and name it")
    try:
        with Image.open(path) as image:
            _check_sides(path, image)
            return in_rgb(image)
    except ThinPicture:
        raise
    except FileNotFoundError:
        raise ValueError(f"there is no file {path}") from None
    except UnidentifiedImageError:
        raise ValueError(f"{path} is not a picture that Pillow can read: save it as JPEG or PNG") from None
    except Image.DecompressionBombError as error:
        raise ValueError(f"{path} cannot be read: {error}: save it with fewer pixels") from error
    except MemoryError:
        raise
    except Exception as error:  # decoders raise errors of many kinds
        raise ValueError(f"{path} cannot be read: {error}") from error


def _check_sides(path: Path, image: Image.Image) -> None:
    """Raise an error if the image would take much memory when its shorter side is enlarged."""
    if 0 not in image.size and max(image.size) > LONGEST * min(image.size):
        raise ThinPicture(
            f"{path} has {image.width} x {image.height} pixels, and a network sees a square: cut a "
            "wider part out of it"
        )


def in_rgb(image: Image.Image) -> Image.Image:
    """Turn an image upright and convert it to 8-bit RGB.

    16-bit grey values are scaled to 8 bits. Transparent pixels become white.

    Args:
        image: An image of any mode.

    Returns:
        The converted image.

    Raises:
        ValueError: The image has a side of 0 pixels, or holds 32-bit integers or floating-point numbers,
            whose range is unknown.

    >>> in_rgb(Image.new("I;16", (1, 1), 65535)).getpixel((0, 0))
    (255, 255, 255)
    """
    if 0 in image.size:
        raise ValueError(f"the image has {image.width} x {image.height} pixels: each side must be at least 1")
    image = _upright(image)
    if image.mode in ("I", "F"):
        raise ValueError(f"the range of its values is unknown (mode {image.mode}): save it with 8 bits")
    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image) / 257).round().astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    image = image.convert("RGB")
    image.info.pop("exif", None)  # the image is upright now
    return image


def _upright(image: Image.Image) -> Image.Image:
    """The image as its Exif data turn it; as it is stored, if they cannot be read."""
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # noqa: BLE001 (damaged Exif data raise errors of many kinds)
        return image
