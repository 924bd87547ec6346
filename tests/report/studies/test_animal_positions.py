"""The photographs of zebra and elephant: where the animals are in them."""

import pytest
import torch

from contrastlib.evaluation import relevance_mass
from contrastlib.report.studies import animal_positions


def test_the_boxes_lie_in_the_photographs():
    for photograph in animal_positions.BOXES:
        assert set(photograph) == {animal_positions.ZEBRA, animal_positions.ELEPHANT}
        for x0, y0, x1, y1 in (box for boxes in photograph.values() for box in boxes):
            assert 0 <= x0 < x1 <= 224 and 0 <= y0 < y1 <= 224
        zebra, elephant = (relevance_mass.region(boxes, 224) for boxes in photograph.values())
        assert (zebra & elephant).sum() < min(zebra.sum(), elephant.sum()) / 3


def test_other_photographs_are_refused():
    with pytest.raises(ValueError, match="four photographs"):
        animal_positions.zebra_elephant(torch.nn.Identity(), torch.rand(3, 3, 16, 16))
