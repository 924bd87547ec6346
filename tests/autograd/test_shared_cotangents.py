"""Contrasts that share a basis go back once, and come out as they would alone."""

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

from contrastlib import contrasts, explainers
from contrastlib.autograd import INPUT, forward, shared_basis


def rows_sent_back(record, cotangents, monkeypatch):
    """How many cotangents of each image the backward passes of one pull-back carry to the recorded layers."""
    sent, backward = [], torch.autograd.grad

    def counted(outputs, inputs, cotangent, **options):
        if torch.is_tensor(inputs[0]):  # not the edge of the head, above them, which all share
            sent.append(len(cotangent) if cotangent.ndim == 3 else 1)
        return backward(outputs, inputs, cotangent, **options)

    with monkeypatch.context() as patch:
        patch.setattr(torch.autograd, "grad", counted)
        gradients = record.pull_back(cotangents)
    return sum(sent), gradients


@pytest.mark.parametrize("dtype, tolerance", [(torch.float64, 1e-10), (torch.float32, 2e-5)])
def test_contrasts_that_depend_on_each_other_go_back_once(make_network, monkeypatch, dtype, tolerance):
    network, images = make_network(dtype), make_network.images(dtype=dtype)
    for layer in (INPUT, "0"):
        record = forward(network, images, layer)
        classes = record.logits.topk(2, dim=1).indices.T
        cotangents = torch.stack(
            [
                contrasts.cotangent(name, record.logits, target)
                for name in ("original", "mean", "maximum", "weighted", "probability")
                for target in classes
            ]
        )
        one_by_one = torch.stack([record.pull_back(w)[layer] for w in cotangents])
        rank, gradients = rows_sent_back(record, cotangents, monkeypatch)
        assert rank == 4  # e_1, e_2, the vector of ones, the softmax
        scale = one_by_one.flatten(2).norm(dim=2)
        gap = (gradients[layer] - one_by_one).flatten(2).norm(dim=2)
        assert (gap <= tolerance * scale).all()


class ShallowHead(nn.Module):
    """As SqueezeNet ends: a convolution with a channel for each class, ReLU, average pooling."""

    def __init__(self, classes=50):
        super().__init__()
        self.scores = nn.Conv2d(3, classes, 3)

    def forward(self, images):
        return self.scores(images).relu().mean(dim=(2, 3))


@pytest.mark.parametrize("sharpness", [1, 50])  # probabilities down to 1e-7 and to 1e-40
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_what_contrasts_share_does_not_change_the_sign_of_a_map(dtype, sharpness, monkeypatch):
    torch.manual_seed(0)
    network, images = ShallowHead().to(dtype), torch.randn(4, 3, 12, 12, dtype=dtype)
    network.scores.weight.data *= 10 * sharpness
    record = forward(network, images, "scores")
    classes = record.logits.topk(2, dim=1).indices.T
    cotangents = torch.stack(
        [
            contrasts.cotangent(name, record.logits, target)
            for name in ("original", "mean", "maximum", "weighted", "probability")
            for target in classes
        ]
    )
    gradients = torch.stack([record.pull_back(w)["scores"] for w in cotangents])
    maps = torch.stack([explainers.linear_approximation(record, w) for w in cotangents])
    rank, together = rows_sent_back(record, cotangents, monkeypatch)
    assert rank < len(cotangents)
    for found, expected in (
        (together["scores"], gradients),
        (explainers.linear_approximation(record, cotangents), maps),
    ):
        normal = (expected == 0) | (expected.abs() > torch.finfo(dtype).tiny)
        assert normal.float().mean() > 0.5 and (expected == 0).any() and (expected != 0).any()
        assert (found.sign() == expected.sign())[normal].all()
        largest = expected.abs().amax(dim=(-2, -1), keepdim=True)
        assert ((found - expected).abs() <= 100 * torch.finfo(dtype).eps * largest).all()


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    classes=st.integers(2, 40),
    images=st.integers(1, 3),
    spread=st.sampled_from([0.01, 3, 30, 300]),
    dtype=st.sampled_from([torch.bfloat16, torch.float32, torch.float64]),
    seed=st.integers(0, 2**31),
    data=st.data(),
)
def test_shared_vectors_give_every_entry_of_the_contrasts(classes, images, spread, dtype, seed, data):
    generator = torch.Generator().manual_seed(seed)
    logits = (spread * torch.randn(images, classes, generator=generator)).to(dtype)
    names = data.draw(
        st.lists(
            st.sampled_from(
                [
                    n
                    for n, each in contrasts.CONTRASTS.items()
                    if each.is_of_one_class and not each.needs_foils
                ]
            ),
            min_size=1,
            max_size=5,
        )
    )
    count = data.draw(st.integers(1, min(4, classes)))
    targets = torch.stack(
        [torch.randperm(classes, generator=generator)[:count] for _ in range(images)], dim=1
    )
    many = torch.stack([contrasts.cotangent(name, logits, target) for name in names for target in targets])
    shared = shared_basis(many)
    assume(shared is not None)
    weights, vectors = shared
    assert len(vectors) < len(many)
    precision, eps = torch.finfo(dtype), min(torch.finfo(dtype).eps, 2**-23)
    terms = weights.permute(2, 1, 0)[..., None].double() * vectors[:, None].double()
    many = many.double()
    error = (terms.sum(dim=0) - many).abs()
    assert (error <= max(eps**0.5, precision.eps) * many.abs() + precision.tiny).all()
    rounding = classes * precision.smallest_normal * precision.eps  # below the smallest normal number
    assert (error.sum(dim=-1) <= max(17 * eps, precision.eps) * many.abs().sum(dim=-1) + rounding).all()
    assert ((terms != 0).sum(dim=0) <= 1).all()  # no entry is a difference of others


def test_independent_contrasts_go_back_as_they_are(network, images, monkeypatch):
    record = forward(network, images, network.layers[0])
    rank, _ = rows_sent_back(
        record, torch.eye(6, dtype=torch.float64)[:, None].expand(-1, 3, -1), monkeypatch
    )
    assert rank == 6
    rank, zero = rows_sent_back(record, torch.zeros(4, 3, 6, dtype=torch.float64), monkeypatch)
    assert rank == 1 and not zero[network.layers[0]].any()


def test_small_contrasts_keep_their_precision_beside_large_ones(network, images):
    layer = network.layers[0]
    record = forward(network, images, layer)
    direction = torch.randn(3, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    other = torch.randn(3, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    many = torch.stack([other, 1e-30 * direction, other + direction])
    expected = 1e-30 * record.pull_back(direction)[layer]
    gap = (record.pull_back(many)[layer][1] - expected).norm()
    assert gap <= 1e-10 * expected.norm()
