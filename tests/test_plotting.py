"""What is drawn, and what is said about shapes and values that cannot be drawn."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from contrastlib import plotting
from contrastlib.explainers import upsample

PICTURE, MAP = np.full((4, 6, 3), 0.5), np.arange(24.0).reshape(4, 6) - 12


@pytest.fixture
def ax():
    figure, made = plt.subplots()
    yield made
    plt.close(figure)


@pytest.mark.parametrize("image, heat, alpha, kind, complaint", [
    (np.moveaxis(PICTURE, -1, 0), MAP, 0.5, ValueError,
     r"the image must be \(H, W, 3\), got \(3, 4, 6\).*image.permute\(1, 2, 0\)"),
    (PICTURE[..., 0], MAP, 0.5, ValueError, r"the image must be \(H, W, 3\), got \(4, 6\)"),
    (PICTURE[:0], MAP[:0], 0.5, ValueError, r"got \(0, 6, 3\)"),
    (PICTURE, MAP.T, 0.5, ValueError,
     r"the map must be \(H, W\) = \(4, 6\) like the image, got \(6, 4\): resize it with .*upsample"),
    (PICTURE, MAP[None], 0.5, ValueError, r"got \(1, 4, 6\)"),
    (PICTURE, MAP * np.nan, 0.5, ValueError, "the map holds NaN or infinite values"),
    (PICTURE + np.inf, MAP, 0.5, ValueError, "the image holds NaN or infinite values"),
    (PICTURE, MAP + 1j, 0.5, TypeError, "the map must hold real numbers, got ndarray of complex128"),
    ("bird.png", MAP, 0.5, TypeError, "the image must hold real numbers, got str"),
    (None, MAP, 0.5, TypeError, "the image must hold real numbers, got NoneType"),
    (PICTURE, [[1], [2, 3]], 0.5, TypeError, "the map must be an array"),
    (PICTURE, torch.zeros(4, 6, requires_grad=True), 0.5, TypeError,
     r"the map must be an array: a tensor becomes one with .numpy\(force=True\)"),
    (np.full((4, 6, 3), 7, np.uint8), MAP, 0.5, ValueError, "values from 7 to 7, and not from 0"),
    (PICTURE - 1, MAP, 0.5, ValueError, "values from -0.5 to -0.5.* undo the normalisation"),
    (PICTURE, MAP, 2, ValueError, "alpha is 2: choose an opacity from 0 to 1"),
    (PICTURE, MAP, np.nan, ValueError, "alpha is nan"),
])  # fmt: skip
def test_what_cannot_be_drawn(ax, image, heat, alpha, kind, complaint):
    with pytest.raises(kind, match=complaint):
        plotting.overlay(ax, image, heat, alpha)
    assert not ax.images


def test_the_remedies_work(ax):
    image, coarse = torch.rand(3, 4, 6), torch.rand(2, 3, requires_grad=True)
    drawn = plotting.overlay(ax, image.permute(1, 2, 0), upsample(coarse, (4, 6)).numpy(force=True))
    assert drawn.get_array().shape == (4, 6) and drawn.norm(0) == 0.5


@pytest.mark.parametrize(
    "heat, share, kind, complaint",
    [
        (MAP, 2, ValueError, "share is 2 .*choose a quantile"),
        (MAP, np.nan, ValueError, "share is nan .*choose a quantile"),
        (MAP[:0], 0.5, ValueError, "the map has 0 values"),
        (MAP + np.inf, 0.5, ValueError, "the map holds NaN or infinite values"),
        ("map", 0.5, TypeError, "the map must hold real numbers, got str"),
    ],
)
def test_what_cannot_be_clipped(heat, share, kind, complaint):
    with pytest.raises(kind, match=complaint):
        plotting.clipped(heat, share)
