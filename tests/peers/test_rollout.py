"""Both rollouts from torch's own attention: what its softmax returns, and the gradients that arrive there.

The codes that published them hook the attention of each block: matrices are kept in the order of the forward
pass, gradients in that of the backward pass.
"""

import pytest
import torch
from torch.nn import functional

from contrastlib import contrasts
from contrastlib.explainers.vit import (
    PUBLISHED,
    REVIEW,
    attention_rollout,
    gradient_attention_rollout,
    vit_forward,
)


class Hooked:
    """The attention matrices (heads, N, N) of one image, and their gradients for a score of the logits."""

    def __init__(self, network, image, monkeypatch):
        self.attentions, self.gradients, softmax = [], [], functional.softmax

        def recording(scores, dim):
            attention = softmax(scores, dim=dim)
            attention.register_hook(self.gradients.append)
            self.attentions.append(attention)
            return attention

        def with_weights(module, inputs, options):  # without them no softmax is called
            return inputs, options | {"need_weights": True, "average_attn_weights": False}

        def as_returned(module, inputs, output):
            assert torch.equal(output[1][0], self.attentions[-1])

        attending = [block.self_attention for block in network.encoder.layers]
        handles = [module.register_forward_pre_hook(with_weights, with_kwargs=True) for module in attending]
        handles += [module.register_forward_hook(as_returned) for module in attending]
        with monkeypatch.context() as patched:
            patched.setattr(functional, "softmax", recording)
            self.logits = network(image[None])[0]
        for handle in handles:
            handle.remove()
        assert len(self.attentions) == len(attending)

    def aligned(self, score):
        """The gradients, each asked for by its matrix."""
        return torch.autograd.grad(score(self.logits), self.attentions, retain_graph=True)

    def in_backward_order(self, score):
        self.gradients.clear()
        torch.autograd.grad(score(self.logits), self.attentions[0], retain_graph=True)
        return self.gradients


@pytest.fixture
def hooked(transformer, images, monkeypatch):
    return [Hooked(transformer, image, monkeypatch) for image in images[:2]]


def rolled_out(matrices):
    """Block after block, the first one nearest to the image; what the class token draws from each patch."""
    total = torch.eye(17, dtype=torch.float64)
    for matrix in matrices:
        total = matrix @ total
    return total[0, 1:].reshape(4, 4)


def assert_same(maps, expected):
    expected = torch.stack(expected).detach()
    largest = expected.abs().max()
    assert largest > 0 and expected.std() > 1e-3 * largest
    torch.testing.assert_close(maps / largest, expected / largest, rtol=0, atol=1e-10)


def test_attention_rollout(transformer, images, hooked):
    expected = []
    for each in hooked:
        mixed = [attention.mean(dim=0) + torch.eye(17) for attention in each.attentions]
        expected.append(rolled_out(matrix / matrix.sum(dim=1, keepdim=True) for matrix in mixed))
    assert_same(attention_rollout(vit_forward(transformer, images[:2])), expected)


@pytest.fixture
def explained(transformer, images, scheme):
    """``explained(**options)``: our maps for the contrast."""
    name, options, _ = scheme
    record = vit_forward(transformer, images[:2])
    w = contrasts.cotangent(name, record.logits, **options)
    return lambda **choices: gradient_attention_rollout(record, w, **choices)


def test_repaired_gradient_rollout(explained, hooked, scheme):
    expected = []
    for each, score in zip(hooked, scheme[2]):
        matrices = []
        for attention, gradient in zip(each.attentions, each.aligned(score)):
            matrix = torch.eye(17) + (attention * gradient).mean(dim=0)
            matrices.append(matrix / matrix.abs().sum(dim=1, keepdim=True))
        expected.append(rolled_out(matrices))
    assert_same(explained(), expected)


@pytest.mark.parametrize("variant", [PUBLISHED, REVIEW], ids=["published", "review"])
def test_gradient_rollout_as_coded(explained, hooked, scheme, variant):
    """Zipped in the two orders; a batch of one matrix divided by its sums: without keepdim, by columns."""
    expected = []
    for each, score in zip(hooked, scheme[2]):
        matrices = []
        for attention, gradient in zip(each.attentions, each.in_backward_order(score)):
            edges = (attention * gradient)[None].mean(dim=1)
            if variant is PUBLISHED:
                edges = edges.relu()
                edges.flatten()[edges.flatten().argsort()[: int(0.9 * 17 * 17)]] = 0
            matrix = (edges + torch.eye(17)) / 2
            matrices.append((matrix / matrix.sum(dim=-1))[0])
        expected.append(rolled_out(matrices))
    assert_same(explained(**variant), expected)
