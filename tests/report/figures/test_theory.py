"""Tables and figures of the gradient of p in 32 and 16 bits."""

import pandas as pd
import pytest
import torch

from contrastlib.evaluation import precision
from contrastlib.report.figures import theory


@pytest.fixture(scope="module")
def curve():
    return precision.direction_curve(torch.arange(0, 120.5, 0.5))


def test_limits_are_said_for_each_precision_and_computation(curve):
    said = theory.limits_in_words(curve)
    limits = {}
    for (dtype, gradient), part in curve[curve["gradient"] != "weighted"].groupby(["dtype", "gradient"]):
        limits[dtype, gradient] = part.loc[~(part["cosine"] >= 0.99), "log_odds"].min()
        assert f"{limits[dtype, gradient]:.1f} through `{gradient}`" in said
    assert 4 < limits["bfloat16", "softmax"] < limits["float16", "softmax"] < 9
    assert 14 < limits["float32", "softmax"] < 17
    assert said.count("nothing is left") == 6


def test_lost_directions_by_network_and_precision():
    rows = [
        {
            "image": i,
            "network": n,
            "dataset": "cifar10-test",
            "dtype": t,
            "gradient": g,
            "log_odds": 3.0 + i,
            "target_weight": 0.1,
            "cosine": 0.5 if t == "float16" and g == "softmax" and i == 0 else 1.0,
        }
        for i in range(4)
        for n in ("birds_vgg", "other")
        for t in precision.DTYPES
        for g in precision.GRADIENTS
    ]
    shown = theory.lost_directions({"quick": pd.DataFrame(rows)}).data
    assert shown.index.tolist() == [
        ("quick", "CIFAR-10, test", "other"),
        ("quick", "CIFAR-10, test", "small VGG"),
    ]
    assert (shown["from p", "float16"] == 0.25).all() and (shown["median log-odds", ""] == 4.5).all()
    assert (shown.drop(columns=[("from p", "float16"), ("median log-odds", "")]) == 0).all(axis=None)


def test_each_panel_has_a_line_for_each_gradient(curve):
    figure = theory.direction_curves(curve)
    assert [ax.get_title() for ax in figure.axes] == list(precision.DTYPES)
    assert all(len(ax.lines) == len(precision.GRADIENTS) for ax in figure.axes)
    drawn = {line.get_label(): line.get_ydata() for line in figure.axes[0].lines}
    assert min(drawn["weighted contrast"]) == pytest.approx(1) and min(drawn["from $p_t$"]) < 0.6
