"""Figures as notebooks store them."""

import io
import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
from IPython.core.interactiveshell import InteractiveShell
from matplotlib.figure import Figure
from PIL import Image

from contrastlib.report.figures import formats, legible


def lines():
    figure = Figure(figsize=(4, 3), dpi=110)
    figure.subplots().plot([0, 1 / 3, 2], [0, 2 / 3, 1], label="a")
    return figure


def picture(width=4):
    figure = Figure(figsize=(width, 3), dpi=100)
    figure.subplots().imshow(np.eye(3))
    return figure


def test_drawings_are_svg_of_the_size_of_their_png():
    """Coordinates have two decimals at most: more would differ between kinds of processors."""
    with plt.rc_context({"svg.hashsalt": "contrastlib"}):  # as in the folder of the notebooks
        svg, again = formats.svg(lines()), formats.svg(lines())
    width, height = map(int, re.search(r'width="(\d+)" height="(\d+)"', svg).groups())
    _, shown = formats.dense(lines())
    assert (width, height) == pytest.approx((shown["width"], shown["height"]), abs=2) and formats.png(
        lines()
    ) is None
    places = " ".join(re.findall(r' (?:d|x|y)="([^"]*)"', svg))
    assert re.search(r"\d\.\d\d\b", places) and not re.search(r"\d\.\d{3}", places)
    assert "<metadata" not in svg and "scale(0.0" in svg and svg == again


@pytest.mark.parametrize("width", [4, 20])
def test_pictures_have_two_pixels_for_each_of_the_page(width):
    data, shown = formats.png(picture(width))
    image = Image.open(io.BytesIO(data))
    page = min(1, legible.SHOWN / (width * 100))  # a wide figure is shown smaller
    assert formats.svg(picture(width)) is None
    assert image.width == pytest.approx(2 * page * shown["width"], abs=2)
    assert image.height / image.width == pytest.approx(shown["height"] / shown["width"], abs=0.01)


def test_many_points_are_a_picture():
    figure = Figure()
    figure.subplots().scatter(np.arange(3000), np.arange(3000))
    assert not formats.is_drawing(figure)


def test_a_notebook_stores_them_like_this(monkeypatch):
    shell = InteractiveShell.instance()
    monkeypatch.setattr(formats, "get_ipython", lambda: shell)
    formats.use()
    drawn, _ = shell.display_formatter.format(lines())
    shown, sizes = shell.display_formatter.format(picture())
    InteractiveShell.clear_instance()
    assert "image/svg+xml" in drawn and "image/png" not in drawn
    assert "image/png" in shown and "image/svg+xml" not in shown and sizes["image/png"]["width"] > 100
    plt.close("all")
