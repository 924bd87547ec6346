"""What 32 and 16 bits lose of the gradient through a softmax."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from contrastlib.evaluation.precision import (
    angles,
    direction_curve,
    direction_lost,
    lost_by_network,
    rounded_gradients,
    softmax_gradient,
)


class Confident(nn.Module):
    """Its logits are given: the images only say which."""

    def __init__(self, logits):
        super().__init__()
        self.register_buffer("logits", logits)

    def forward(self, images):
        return self.logits[: len(images)]


def through_softmax(logits, dtype="float32"):
    return rounded_gradients(
        Confident(logits), torch.rand(len(logits), 3, 2, 2), dtypes=[dtype], gradients=["softmax"]
    )


def test_the_gradient_through_softmax_is_exact_until_float32_rounds_the_probability_to_1():
    margins = torch.tensor([0.5, 5.0, 20.0, 200.0])
    logits = torch.stack([margins, torch.zeros(4), torch.full((4,), -1.0)], dim=1)
    table = through_softmax(logits)
    assert table["cosine"][:2].tolist() == pytest.approx([1, 1], abs=1e-6)
    assert table["target_weight"][2] == 0 and table["cosine"][2] < 0.8  # the target's own term is lost
    assert table["target_weight"][3] == 0 and np.isnan(table["cosine"][3])  # all of it is
    exact = margins.double() - np.log(1 + np.exp(-1))
    np.testing.assert_allclose(table["log_odds"], exact)


def test_in_float64_it_is_exact_at_20():
    logits = torch.tensor([[20.0, 0.0, -1.0]], dtype=torch.float64)
    assert through_softmax(logits, "float64")["cosine"].item() == pytest.approx(1)
    torch.testing.assert_close(softmax_gradient(logits, torch.tensor([0])).sum(), torch.tensor(0.0).double())


@pytest.mark.parametrize("log_odds, dtype", [(15, "float32"), (6, "float16"), (4, "bfloat16")])
def test_each_precision_is_right_below_its_limit_and_wrong_above(log_odds, dtype):
    """1 - p rounds to 0 at half a unit in the last place of numbers below 1: 2^-25, 2^-12 and 2^-9."""
    logits = torch.tensor([[float(log_odds), 0.0, -1.0], [log_odds + 3.5, 0.0, -1.0]])
    table = rounded_gradients(Confident(logits), torch.rand(2, 3, 2, 2), dtypes=[dtype]).set_index(
        ["gradient", "image"]
    )
    assert table.loc[("softmax", 0), "cosine"] > 0.99 > table.loc[("softmax", 1), "cosine"]
    assert not table.loc[("log_softmax", 1), "cosine"] > 0.99
    assert table.loc["weighted", "cosine"].to_numpy() == pytest.approx(1, abs=1e-4)


def test_a_gradient_that_is_zero_has_lost_its_direction_too():
    logits = torch.tensor([[0.5, 0.0, -1.0], [5.0, 0.0, -1.0], [20.0, 0.0, -1.0], [200.0, 0.0, -1.0]])
    table = through_softmax(logits).assign(dataset="d")
    both = pd.concat([table.assign(network="all"), table[:2].assign(network="unsure")])
    found = direction_lost(both).set_index("network")
    assert found["mean"].to_dict() == {"all": 0.5, "unsure": 0} and found["target_lost"].to_dict() == {
        "all": 0.5,
        "unsure": 0,
    }
    assert found["images"].to_dict() == {"all": 4, "unsure": 2}
    assert found["first"]["all"] == table["log_odds"][2] and np.isnan(found["first"]["unsure"])
    assert direction_lost(both, cosine=1.1)["mean"].tolist() == [1, 1]
    other = both.assign(dtype="float16", cosine=0.0)
    assert lost_by_network(pd.concat([both, other])).to_dict() == {"all": 0.5, "unsure": 0}
    assert lost_by_network(pd.concat([both, other]), dtype="float16").to_dict() == {"all": 1, "unsure": 1}


def test_angles_of_images_with_similar_log_odds():
    table = pd.DataFrame(
        {
            "dtype": "float16",
            "gradient": "softmax",
            "image": range(3),
            "log_odds": [0.1, 1.9, 2.0],
            "cosine": [1.0, 0.5, np.nan],
        }
    )
    assert angles(table)[["log_odds", "angle", "images"]].to_numpy() == pytest.approx(
        np.array([[1, 30, 2], [3, 90, 1]])
    )


def test_the_curve_is_that_of_the_gradients_and_only_the_softmax_falls():
    curve = direction_curve(torch.tensor([1.0, 20.0, 120.0])).set_index(["dtype", "gradient", "log_odds"])[
        "cosine"
    ]
    assert curve.xs("weighted", level="gradient").to_numpy() == pytest.approx(1, abs=1e-4)
    curve = curve["float32"]
    logits = torch.tensor([[20 + torch.tensor([0.0, -1, -2]).logsumexp(0).item(), 0.0, -1.0, -2.0]])
    assert curve["softmax", 20.0] == through_softmax(logits)["cosine"].item() < 0.7
    assert curve["softmax", 1.0] == pytest.approx(1, abs=1e-6) and np.isnan(curve["softmax", 120.0])
