"""What is rounded stays in proportion; bytes come back as they were."""

import io
import itertools

import numpy as np
import pytest
import torch
from PIL import Image

from contrastlib.explorer import packing

GENERATOR = np.random.default_rng(0)


def alike(apart, rows=6, side=8):
    """Rows that share one large map and differ by little: what maps of relevance are."""
    return GENERATOR.normal(size=(1, side, side)) + apart * GENERATOR.normal(size=(rows, side, side))


@pytest.mark.parametrize("apart", [1, 0.1, 0.01])
def test_rounding_is_in_proportion_to_each_difference(apart):
    rows = alike(apart)
    # two of them are nearer still
    rows[1] = rows[0] + 0.01 * (rows[1] - rows[0])
    pairs = np.stack([np.eye(6)[i] - np.eye(6)[j] for i, j in itertools.combinations(range(6), 2)])
    stack = packing.quantised(rows, pairs, np.zeros(len(pairs)))
    wanted = np.tensordot(pairs, rows, 1)
    errors = abs(stack.maps(pairs) - wanted).max(axis=(1, 2)) / np.ptp(wanted, axis=(1, 2))
    assert errors.max() <= packing.TOLERANCE
    assert abs(stack.planes).max() <= 8191  # far from the last resort of 16 bits


def test_no_finer_than_it_must_be():
    rows = alike(1)
    coarse, fine = (packing.quantised(rows, np.eye(6), np.full(6, cut)) for cut in (False, True))
    assert abs(coarse.planes).max() < abs(fine.planes).max()
    assert len(packing.packed_planes(coarse.planes)) < len(packing.packed_planes(fine.planes))


def test_rows_that_are_combinations_take_fewer_planes():
    rows = np.tensordot(GENERATOR.normal(size=(6, 2)), GENERATOR.normal(size=(2, 8, 8)), 1)
    stack = packing.quantised(rows, np.eye(6), np.zeros(6))
    assert stack.planes.shape == (2, 8, 8) and stack.coefficients.shape == (6, 2)


def test_maps_of_zeros():
    rows = np.zeros((3, 4, 4))
    for stack in (packing.quantised(rows, np.eye(3), np.zeros(3)), packing.tabulated(rows)):
        assert not stack.maps(np.eye(3)).any() and stack.maps(np.eye(3)).shape == (3, 4, 4)


def test_a_table_keeps_each_row_to_its_own_scale():
    rows = GENERATOR.normal(size=(5, 4, 4)) * 10.0 ** np.arange(-8, 2, 2)[:, None, None]
    stack = packing.tabulated(rows)
    errors = abs(stack.maps(np.eye(5)) - rows).max(axis=(1, 2)) / np.ptp(rows, axis=(1, 2))
    assert stack.coefficients.shape == (5,) and errors.max() <= packing.TOLERANCE


def test_integers_come_back():
    planes = GENERATOR.integers(-32767, 32768, size=(3, 5, 7)).astype(np.int16)
    np.testing.assert_array_equal(packing.unpacked_planes(packing.packed_planes(planes), 5, 7), planes)


@pytest.mark.parametrize("side, lossless", [(128, True), (160, False)])
def test_small_images_lose_nothing(side, lossless):
    image = torch.rand(3, side, side, generator=torch.Generator().manual_seed(0))
    data = packing.packed_image(image)
    stored = torch.from_numpy(np.array(Image.open(io.BytesIO(data)))).permute(2, 0, 1)
    assert data[8:12] == b"WEBP" and data == packing.packed_image(image)
    assert torch.equal(stored, (image * 255).round().byte()) == lossless


def test_chunks_keep_their_numbers():
    chunks = packing.Chunks([b"a", b"b"])
    assert [chunks.add(data) for data in (b"b", b"c", b"a", b"c")] == [1, 2, 0, 2]
    assert chunks.bytes == [b"a", b"b", b"c"]
