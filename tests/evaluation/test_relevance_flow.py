"""Relevance inside a network."""

import pytest
import torch
from torch import nn

from contrastlib.contrasts import original
from contrastlib.evaluation import relevance_flow
from contrastlib.explainers.lrp import lrp


@pytest.fixture
def small():
    torch.manual_seed(0)
    return (
        nn.Sequential(
            nn.Conv2d(3, 4, 3, bias=False),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(4 * 36, 10, bias=False),
            nn.ReLU(),
            nn.Linear(10, 6),
        )
        .double()
        .eval()
    )


@pytest.fixture
def images():
    return torch.rand(3, 3, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def test_relevance_of_the_last_layer_written_plainly(small, images):
    """z+ rule: unit i receives x_i w_it+ / sum of these of abs(y_t)."""
    arrived = relevance_flow.arriving(small, images, ["4"], count=2)["4"]
    hidden, logits = small[:5](images).detach(), small(images).detach()
    for rank, target in enumerate(logits.topk(2).indices.T):
        shares = hidden * small[5].weight.detach()[target].clamp(min=0)
        expected = shares / shares.sum(dim=1, keepdim=True) * logits.gather(1, target[:, None]).abs()
        torch.testing.assert_close(arrived[rank], expected)
    assert not any(module._forward_hooks for module in small.modules())


def test_units_that_receive_from_both(small, images):
    one, other = relevance_flow.arriving(small, images, ["4"], count=2)["4"]
    table = relevance_flow.received(small, images, layers=["1", "4"]).set_index(["layer", "image"])
    for i in range(3):
        units = [set(relevance[i].nonzero().flatten().tolist()) for relevance in (one, other)]
        assert table.loc[("4", i), "from_both"] == pytest.approx(
            len(units[0] & units[1]) / len(units[0] | units[1])
        )
        assert table.loc[("4", i), "similarity"] == pytest.approx(
            torch.cosine_similarity(one[i], other[i], dim=0).item()
        )
    assert (table.loc["1", "similarity"] > table.loc["4", "similarity"]).all()


def test_what_a_layer_passes_on(small, images):
    """The maps of the pixels sum to what the first layer received; only the last layer has a bias."""
    shares = relevance_flow.passed_on(small, images, {"linear": ("1", "4"), "itself": ("4", "4")})
    assert shares.to_dict() == pytest.approx({"linear": 1, "itself": 1})
    whole = lrp(small, images, lambda y: original(y, y.argmax(dim=1)) * y.abs()).sum(dim=(1, 2, 3))
    torch.testing.assert_close(relevance_flow.arriving(small, images, ["1"], 1)["1"][0].sum(dim=1), whole)
