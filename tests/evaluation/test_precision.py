"""What float32 loses of the gradient through a softmax."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from contrastlib.evaluation.precision import (
    direction_curve,
    direction_lost,
    softmax_gradient,
    softmax_gradients,
)


class Confident(nn.Module):
    """Its logits are given: the images only say which."""

    def __init__(self, logits):
        super().__init__()
        self.register_buffer("logits", logits)

    def forward(self, images):
        return self.logits[: len(images)]


def test_the_gradient_through_softmax_is_exact_until_float32_rounds_the_probability_to_1():
    margins = torch.tensor([0.5, 5.0, 20.0, 200.0])
    logits = torch.stack([margins, torch.zeros(4), torch.full((4,), -1.0)], dim=1)
    table = softmax_gradients(Confident(logits), torch.rand(4, 3, 2, 2))
    assert table["cosine"][:2].tolist() == pytest.approx([1, 1], abs=1e-6)
    assert table["target_weight"][2] == 0 and table["cosine"][2] < 0.8  # the target's own term is lost
    assert table["target_weight"][3] == 0 and np.isnan(table["cosine"][3])  # all of it is
    exact = margins.double() - np.log(1 + np.exp(-1))
    np.testing.assert_allclose(table["log_odds"], exact)


def test_in_float64_it_is_exact_at_20():
    logits = torch.tensor([[20.0, 0.0, -1.0]], dtype=torch.float64)
    assert softmax_gradients(Confident(logits), torch.rand(1, 3, 2, 2))["cosine"].item() == pytest.approx(1)
    torch.testing.assert_close(softmax_gradient(logits, torch.tensor([0])).sum(), torch.tensor(0.0).double())


def test_a_gradient_that_is_zero_has_lost_its_direction_too():
    logits = torch.tensor([[0.5, 0.0, -1.0], [5.0, 0.0, -1.0], [20.0, 0.0, -1.0], [200.0, 0.0, -1.0]])
    table = softmax_gradients(Confident(logits), torch.rand(4, 3, 2, 2)).assign(dataset="d")
    both = pd.concat([table.assign(network="all"), table[:2].assign(network="unsure")])
    found = direction_lost(both).set_index("network")
    assert found["mean"].to_dict() == {"all": 0.5, "unsure": 0} and found["target_lost"].to_dict() == {"all": 0.5, "unsure": 0}
    assert found["images"].to_dict() == {"all": 4, "unsure": 2}
    assert direction_lost(both, cosine=1.1)["mean"].tolist() == [1, 1]


def test_the_curve_is_that_of_the_gradients_and_only_the_softmax_falls():
    curve = direction_curve(torch.tensor([1.0, 20.0, 120.0])).set_index(["contrast", "log_odds"])["cosine"]
    assert curve["weighted"].to_numpy() == pytest.approx(1, abs=1e-6)
    logits = torch.tensor([[20 + torch.tensor([0.0, -1, -2]).logsumexp(0).item(), 0.0, -1.0, -2.0]])
    assert curve["softmax", 20.0] == softmax_gradients(Confident(logits), torch.rand(1, 3, 2, 2))["cosine"].item() < 0.7
    assert curve["softmax", 1.0] == pytest.approx(1, abs=1e-6) and np.isnan(curve["softmax", 120.0])
