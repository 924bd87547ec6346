"""Pictures of every mode become what a viewer shows of them."""

import numpy as np
import pytest
import torch
from PIL import Image

from contrastlib import assets, datasets
from contrastlib.datasets.base import crop
from contrastlib.datasets.pictures import in_rgb, open_photo

GREY = np.linspace(0, 255, 30 * 40).round().astype(np.uint8).reshape(30, 40)


@pytest.mark.parametrize("mode", ["<u2", ">u2"])
def test_sixteen_bits_are_scaled(tmp_path, mode):
    wide = Image.fromarray((GREY * np.uint16(257)).astype(mode))
    assert wide.mode.startswith("I;16")
    np.testing.assert_array_equal(np.asarray(in_rgb(wide)), np.stack([GREY] * 3, axis=2))
    wide.save(tmp_path / "wide.tiff")
    np.testing.assert_array_equal(np.asarray(open_photo(tmp_path / "wide.tiff"))[..., 0], GREY)
    assert torch.equal(crop(wide, 24, 24), crop(Image.fromarray(GREY), 24, 24))


def transparent(mode):
    """Left half of a red picture visible, right half not."""
    image = Image.new("RGBA", (4, 2), (255, 0, 0, 255))
    image.paste((0, 0, 0, 0), (2, 0, 4, 2))
    if mode in ("RGBA", "LA"):
        return image.convert(mode)
    hidden = image.convert("RGB").convert(mode)
    hidden.info["transparency"] = hidden.getpixel((3, 0))
    return hidden


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "L", "RGB"])
def test_what_is_transparent_is_white(tmp_path, mode):
    transparent(mode).save(tmp_path / "cut out.png")
    shown = np.asarray(open_photo(tmp_path / "cut out.png"))
    assert (shown[:, 2:] == 255).all() and (shown[:, :2, 1] < 100).all()
    assert (crop(transparent(mode), 2, 2)[:, :, 1] == 1).all()


def test_half_transparent_is_half_white():
    assert in_rgb(Image.new("RGBA", (1, 1), (0, 100, 200, 51))).getpixel((0, 0)) == (204, 224, 244)


@pytest.mark.parametrize("number", ["float32", "int32"])
def test_numbers_without_a_range_are_refused(tmp_path, number):
    (tmp_path / "owl").mkdir()
    Image.fromarray(GREY.astype(number)).save(tmp_path / "owl" / "depth.tiff")
    says = (
        r"depth.tiff .*cannot be read.*: the range of its values is unknown \(mode .\): save it with 8 bits"
    )
    with pytest.raises(ValueError, match=says):
        open_photo(tmp_path / "owl" / "depth.tiff")
    with pytest.raises(assets.CorruptFile, match=says):
        datasets.load("folder", root=tmp_path)[0]


def test_other_pictures_stay_as_they_are():
    colours = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    assert (np.asarray(in_rgb(Image.fromarray(colours))) == colours).all()
    assert (np.asarray(in_rgb(Image.fromarray(colours).convert("RGBA"))) == colours).all()


def test_damaged_exif_data_are_no_reason_to_refuse(tmp_path):
    """Viewers show such a picture as it is stored, also after it was converted."""
    Image.fromarray(GREY).save(tmp_path / "bad.jpg", exif=b"Exif\0\0garbage")
    photo = open_photo(tmp_path / "bad.jpg")
    assert photo.size == (40, 30) and crop(photo, 24, 24).shape == (3, 24, 24)


def test_a_picture_that_is_turned_is_turned_once(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter to the right
    Image.fromarray(GREY).save(tmp_path / "turned.jpg", exif=exif)
    photo = open_photo(tmp_path / "turned.jpg")
    assert photo.size == (30, 40) == in_rgb(photo).size


def test_a_thin_picture(tmp_path):
    """Enlarged to the size of a network it would take gigabytes."""
    Image.new("RGB", (2, 201)).save(tmp_path / "thin.png")
    with pytest.raises(ValueError, match=r"thin\.png has 2 x 201 pixels.*cut a wider part out of it"):
        open_photo(tmp_path / "thin.png")
    Image.new("RGB", (2, 200)).save(tmp_path / "thin.png")
    assert open_photo(tmp_path / "thin.png").size == (2, 200)
