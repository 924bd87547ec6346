"""The measurements of statements of Wang & Wang: against values computed in another way."""

import pandas as pd
import pytest
import torch

from contrastlib.autograd import predict
from contrastlib.evaluation import statements
from contrastlib.explainers.lrp import contrastive_lrp, relevance_maps


def test_the_factor_is_the_ratio_of_the_two_gradients():
    """Also where 1 - p_t would be rounded: at log-odds of 40 it is e^-40."""
    found = statements.sensitivities(pd.DataFrame({"network": ["n"] * 3, "log_odds": [0.0, 1.0, 40.0]})).loc[
        "n"
    ]
    assert found["largest"] == 0.25 and found["smallest"] == pytest.approx(
        torch.exp(torch.tensor(-40.0)).item(), rel=1e-6
    )
    assert found["median"] == pytest.approx(0.19661193)


def test_clrp1_and_the_mean_contrast_are_those_of_the_library(make_network):
    network, images = make_network(), make_network.images(2)
    target = predict(network, images).argmax(dim=1)
    rows = statements.mean_contrast_and_clrp1(network, images)
    clrp1 = relevance_maps(network, images, target, ["clrp1"])["clrp1"].sum(dim=1).flatten(1)
    every = (
        torch.stack(
            [
                contrastive_lrp(network, images, lambda y, s=s: torch.eye(y.shape[1]).to(y)[s].expand_as(y))
                for s in range(6)
            ]
        )
        .sum(dim=2)
        .flatten(2)
    )
    own = every[target, range(2)]
    mean = own - (every.sum(dim=0) - own) / 5
    assert rows["after_clipping"].tolist() == pytest.approx(
        torch.cosine_similarity(clrp1, mean).tolist(), abs=1e-10
    )
    assert (rows["before_clipping"] - rows["after_clipping"]).abs().min() > 1e-3
