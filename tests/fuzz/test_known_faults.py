"""The smallest inputs with faults that are not mended yet. One that is mended fails here, and leaves ``known_faults.py`` too."""

import pytest
import torch
from known_faults import BOX, KNOWN, known_fault
from outcomes import is_named
from torch import nn

import contrastlib

NETWORK = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
OVERWRITTEN = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Tanh(), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(144, 5))
TWICE = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(144, 5))
PICTURES = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
FAULTS = {
    "the network cannot run on the images": [
        (NETWORK, PICTURES[:, :1].repeat(1, 7, 1, 1), {}), (NETWORK, PICTURES[..., :4], {}), (nn.Module(), PICTURES, {"method": "gradient"})],
    "an operation in place overwrites what the gradient needs": [(OVERWRITTEN, PICTURES, {"method": "gradient"}), (TWICE, PICTURES, {"method": "lrp"})],
    "sparse images": [(NETWORK, PICTURES.to_sparse(), {})],
    BOX: [(NETWORK, PICTURES, {"method": "lrp", "box": box}) for box in [(0,), (0, 1, 2), 0.5, (0, torch.ones(4, 1, 1)), (0, "one")]],
}  # fmt: skip


def test_every_known_fault_has_its_smallest_input():
    assert set(FAULTS) == {*KNOWN, BOX}


@pytest.mark.parametrize("fault, model, images, options", [(name, *call) for name, calls in FAULTS.items() for call in calls])
def test_these_alone_are_known(fault, model, images, options):
    with pytest.raises(Exception) as caught:
        contrastlib.explain(model, images, **options)
    assert known_fault(caught.value) == fault


@pytest.mark.xfail(strict=True, raises=AssertionError, reason="found by random inputs, not mended yet")
@pytest.mark.parametrize("model, images, options", [call for calls in FAULTS.values() for call in calls])
def test_a_named_error(model, images, options):
    try:
        contrastlib.explain(model, images, **options)
    except Exception as error:  # noqa: BLE001 (of any kind: which one, is the question)
        assert is_named(error)
