"""Maps at the size of the images, and what is said about maps and sizes that have none."""

import numpy as np
import pytest
import torch

from contrastlib.explainers import upsample


@pytest.mark.parametrize("maps, size, kind, complaint", [
    (torch.ones(2, 3), (0, 4), ValueError, r"size is \(0, 4\): height and width must be at least 1"),
    (torch.ones(2, 3), (4, -1), ValueError, r"size is \(4, -1\)"),
    (torch.ones(2, 3), 4, TypeError,
     r"size must be two whole numbers \(H, W\), got 4: take images.shape\[-2:\]"),
    (torch.ones(2, 3), (4,), TypeError, "size must be two whole numbers"),
    (torch.ones(2, 3), (4.0, 4), TypeError, "size must be two whole numbers"),
    (torch.ones(2, 3), torch.ones(1, 3, 8, 8).shape, TypeError, "size must be two whole numbers"),
    (torch.ones(2, 3), None, TypeError, "size must be two whole numbers"),
    (torch.ones(2, 3, dtype=torch.int64), (4, 4), TypeError,
     r"maps must be floating point, got torch.int64: convert them with maps.float\(\)"),
    (torch.ones(2, 3, dtype=torch.bool), (4, 4), TypeError, "maps must be floating point, got torch.bool"),
    (torch.ones(2, 3, dtype=torch.complex64), (4, 4), TypeError,
     "maps must be floating point, got torch.complex64"),
    (torch.ones(3), (4, 4), ValueError,
     r"maps must have shape \(..., h, w\) with h and w from 1, got \(3,\)"),
    (torch.ones(2, 0), (4, 4), ValueError, r"got \(2, 0\)"),
    (np.ones((2, 3)), (4, 4), TypeError,
     r"maps must be a tensor \(..., h, w\), got ndarray: use torch.as_tensor\(maps\)"),
])  # fmt: skip
def test_what_cannot_be_upsampled(maps, size, kind, complaint):
    with pytest.raises(kind, match=complaint):
        upsample(maps, size)


def test_the_remedies_work():
    images, counts = torch.ones(1, 3, 8, 9), torch.ones(2, 3, dtype=torch.int64)
    assert upsample(counts.float(), images.shape[-2:]).shape == (8, 9)
    assert upsample(torch.as_tensor(np.ones((2, 3))), (np.int64(4), 4)).shape == (4, 4)
    assert upsample(torch.ones(0, 2, 3), (4, 4)).shape == (0, 4, 4)  # maps of no images
