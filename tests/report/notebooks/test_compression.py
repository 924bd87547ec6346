"""Images of outputs become smaller and stay what they show."""

import base64
import io

import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from contrastlib import datasets
from contrastlib.report.notebooks.compression import SMALL, TOLERANCE, compress, smaller


def png(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def photograph():
    pixels = datasets.load("photographs")[0].image.permute(1, 2, 0).numpy()
    return np.ascontiguousarray((255 * pixels).astype(np.uint8))


def difference(content, pixels):
    return np.abs(np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).astype(float) - pixels).mean()


def test_a_photograph(photograph):
    """Less than half the size, and hardly another picture."""
    before = png(photograph)
    mime, after = smaller(before)
    assert mime == "image/jpeg"
    assert len(after) < len(before) / 2
    assert difference(after, photograph) < 3
    assert smaller(before) == (mime, after)


def test_a_drawing():
    """Few colours stay exact."""
    pixels = np.random.default_rng(0).choice(
        np.array([[255, 255, 255], [178, 24, 43], [33, 102, 172]], np.uint8), (400, 600)
    )
    before = png(pixels)
    assert len(before) > SMALL
    mime, after = smaller(before)
    assert mime == "image/png"
    assert len(after) < len(before)
    assert difference(after, pixels) == 0


def test_a_heat_map_with_numbers():
    """Text in cells of many colours: rare colours have to stay as well, and a JPEG would be larger."""
    figure, ax = plt.subplots(figsize=(9, 9))
    values = np.linspace(-1, 1, 144).reshape(12, 12)
    ax.imshow(values, cmap="RdBu_r")
    for (row, column), value in np.ndenumerate(values):
        ax.text(
            column,
            row,
            f"{value:+.2f}",
            ha="center",
            va="center",
            color="white" if abs(value) > 0.6 else "black",
        )
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    plt.close(figure)
    mime, after = smaller(buffer.getvalue())
    before = np.asarray(Image.open(buffer).convert("RGB"), dtype=int)
    assert mime == "image/png" and len(after) < len(buffer.getvalue())
    assert (
        np.abs(np.asarray(Image.open(io.BytesIO(after)).convert("RGB"), dtype=int) - before).max()
        <= TOLERANCE
    )


def test_a_second_time_changes_nothing():
    """A stored notebook is the same file when it is normalised again, also where a drawing stays large."""
    pixels = np.random.default_rng(0).integers(0, 12, (400, 600, 1)).repeat(3, axis=2).astype(np.uint8) * 20
    once = smaller(png(pixels))
    assert len(once[1]) > SMALL
    assert smaller(once[1]) == once


def test_outputs(photograph):
    """Images of figures and images within HTML; small ones stay."""
    large, small = (base64.b64encode(png(pixels)).decode() for pixels in (photograph, photograph[:8, :8]))
    data = compress(
        {"image/png": large, "text/plain": "x", "text/html": f'<img src="data:image/png;base64,{large}">'}
    )
    assert set(data) == {"image/jpeg", "text/plain", "text/html"}
    assert "data:image/jpeg;base64,/9j" in data["text/html"]
    assert compress({"image/png": small}) == {"image/png": small}


def test_a_rare_colour_keeps_its_meaning():
    """A few blue pixels in an image of thousands of reds and greys stay blue."""
    generator = np.random.default_rng(0)
    grey = generator.integers(60, 220, (300, 300, 1)).repeat(3, axis=2)
    grey[:, :, 0] = np.clip(grey[:, :, 0] + generator.integers(0, 35, (300, 300)), 0, 255)
    grey[100:104, 100:104] = (30, 60, 200)
    before = png(grey.astype(np.uint8))
    _, after = smaller(before)
    spot = np.asarray(Image.open(io.BytesIO(after)).convert("RGB"))[101:103, 101:103].astype(int)
    assert (spot[..., 2] - spot[..., 0] > 100).all()
