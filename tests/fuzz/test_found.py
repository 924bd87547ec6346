"""The smallest inputs with faults that random inputs found; each ends in a named error now."""

from dataclasses import replace

import pytest
import torch
from outcomes import is_named
from random_networks import Recipe, Spelled
from torch import nn

import contrastlib
from contrastlib.autograd import run

NETWORK = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
OVERWRITTEN = nn.Sequential(
    nn.Conv2d(3, 4, 3), nn.Tanh(), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(144, 5)
)
TWICE = nn.Sequential(
    nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(144, 5)
)
PICTURES = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
METHODS = [
    "gradcam",
    "gradient",
    "integrated_gradients",
    "deeplift",
    "guided_backpropagation",
    "fullgrad",
    "lrp",
    "vit_gradcam",
]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "model, images",
    [
        (NETWORK, PICTURES.repeat(1, 2, 1, 1)),
        (NETWORK, PICTURES[..., :4]),
        (NETWORK, PICTURES[..., :2, :2]),
        (nn.Module(), PICTURES),
        (nn.LSTM(4, 4), PICTURES),
        (nn.ModuleList([nn.Conv2d(3, 4, 3)]), PICTURES),
    ],
)
def test_images_that_the_network_does_not_take(method, model, images):
    with pytest.raises(
        ValueError, match="cannot run on images of shape .*: give images of the channels and the size"
    ) as caught:
        contrastlib.explain(model, images, method=method, target=0)
    assert is_named(caught.value)


class OutOfMemory(nn.Module):
    def forward(self, x):
        return torch.empty(2**60)


class Own(nn.Module):
    def __init__(self, error):
        super().__init__()
        self.error = error

    def forward(self, x):
        raise self.error


@pytest.mark.parametrize(
    "model, kind, said",
    [
        (OutOfMemory(), RuntimeError, "can't allocate memory"),
        (Own(RuntimeError("a cat on the keyboard")), RuntimeError, "a cat on the keyboard"),
        (Own(ValueError("a cat")), ValueError, "^a cat$"),
        (Spelled(lambda x: {}["cat"]), KeyError, "cat"),
    ],
)
def test_errors_that_say_something_else_pass(model, kind, said):
    with pytest.raises(kind, match=said):
        run(model, PICTURES)


@pytest.mark.parametrize(
    "model, method", [(OVERWRITTEN, "gradient"), (OVERWRITTEN, "integrated_gradients"), (TWICE, "gradcam")]
)
def test_operations_in_place_that_the_gradient_cannot_pass(model, method):
    with pytest.raises(
        ValueError,
        match=r"an operation in place overwrites values that the gradient needs: write it out of place",
    ):
        contrastlib.explain(model, PICTURES, method=method)


def test_relevance_passes_a_relu_in_place_after_another():
    once = nn.Sequential(TWICE[0], nn.ReLU(), *TWICE[3:])
    assert torch.equal(
        contrastlib.explain(TWICE, PICTURES, method="lrp"), contrastlib.explain(once, PICTURES, method="lrp")
    )


def test_sparse_images():
    with pytest.raises(
        ValueError, match=r"images are stored as torch.sparse_coo: make them dense with images.to_dense\(\)"
    ):
        contrastlib.explain(NETWORK, PICTURES.to_sparse())


@pytest.mark.parametrize("method", ["lrp", "clrp2"])
@pytest.mark.parametrize(
    "box", [(0,), (0, 1, 2), 0.5, (0, torch.ones(4, 1, 1)), (0, "one"), (0, None), "01", [[0, 0], 1]]
)
def test_a_box_that_is_no_pair_of_values(method, box):
    said = (
        r"box must be the lowest and the highest value of a pixel, "
        r"numbers or tensors \(channels, 1, 1\), got"
    )
    with pytest.raises(ValueError, match=said):
        contrastlib.explain(NETWORK, PICTURES, method=method, box=box)


@pytest.mark.parametrize(
    "method", ["vit_gradcam", "attention_x_gradient", "gradient_attention_rollout", "gradient"]
)
@pytest.mark.parametrize("end", ["logits", "half", "double"])
def test_maps_have_the_precision_of_the_network_and_not_of_its_logits(method, end):
    recipe = Recipe(3, (8, 8), (), "transformer", 3, end)
    maps, plain = (
        contrastlib.explain(each.build(), PICTURES, method=method, target=1)
        for each in (recipe, replace(recipe, end="logits"))
    )
    assert maps.dtype == torch.float32
    torch.testing.assert_close(maps, plain, rtol=0, atol=1e-2 * float(plain.abs().max()))
