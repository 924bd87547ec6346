"""Figures as small files."""

import io

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

from contrastlib.plotting import compressed


def of_pixels(pixels):
    figure = plt.figure(figsize=(2, 2))
    figure.figimage(pixels, resize=True)
    return figure


def test_charts_stay_sharp_and_photographs_become_small():
    chart, ax = plt.subplots(figsize=(3, 2))
    ax.plot([0, 1, 0], color="red")
    assert compressed(chart)[0] == "png"
    smooth = np.random.default_rng(0).random((8, 8, 3))
    photograph = np.asarray(Image.fromarray((255 * smooth).astype(np.uint8)).resize((200, 200), Image.Resampling.BICUBIC)) / 255
    kind, data = compressed(of_pixels(photograph))
    assert kind == "jpeg" and len(data) < 40_000 and Image.open(io.BytesIO(data)).format == "JPEG"


def test_the_same_file_each_time_and_no_figure_left_open():
    first, second = (compressed(of_pixels(np.eye(50))) for _ in range(2))
    assert first == second and not plt.get_fignums()
