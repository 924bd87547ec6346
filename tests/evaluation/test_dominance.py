"""Dominating classes: agreement of weighted and original maps, gradients' norms, slopes within images."""

import numpy as np
import pandas as pd
import pytest
import torch

from contrastlib import contrasts, explainers
from contrastlib.autograd import INPUT, forward
from contrastlib.evaluation import dominance


def cosine(a, b):
    return (a * b).sum().item() / (a.norm() * b.norm()).item()


def test_agreement_written_plainly(network, images):
    layer = network.layers[0]
    table = dominance.agreement(network, images, layer=layer).set_index(["method", "image"])
    record = forward(network, images, [INPUT, layer])
    target = record.logits.argmax(1)
    for name, explain in (
        ("gradient", lambda w: explainers.gradient(record, w, INPUT)),
        ("gradcam", lambda w: explainers.gradcam(record, w, layer)),
    ):
        logit, contrast = (
            explain(f(record.logits, target)) for f in (contrasts.original, contrasts.weighted)
        )
        for i in range(3):
            row = table.loc[name, i]
            assert row["weighted"] == pytest.approx(cosine(contrast[i], logit[i]), abs=1e-10)
            assert row["softmax"] == pytest.approx(
                row["weighted"], abs=1e-10
            )  # the same direction in float64
            assert row["foils"] == pytest.approx(
                ((logit - contrast)[i].norm() / logit[i].norm()).item(), abs=1e-10
            )


def test_a_saturated_softmax_is_told_apart(make_network):
    network, images = make_network(torch.float32), make_network.images(dtype=torch.float32)
    with torch.no_grad():
        network[-1].weight *= 200 / network(images).abs().max()
    confident = dominance.agreement(network, images, layer="0")
    assert (confident["log_odds"] > 17).any()
    lost = confident[confident["log_odds"] > 17]
    assert ((lost["softmax"] - lost["weighted"]).abs().fillna(1) > 1e-3).all()


def test_gradient_norms_are_those_of_each_class(network, images):
    table = dominance.gradient_norms(network, images, ends=2, step=1)
    assert len(table) == 3 * 6
    for row in table.itertuples():
        leaf = images[row.image : row.image + 1].clone().requires_grad_()
        logits = network(leaf)[0]
        chosen = logits.sort(descending=True).indices[row.rank]
        gradient = torch.autograd.grad(logits[chosen], leaf)[0]
        assert (row.logit, row.norm) == pytest.approx(
            (logits[chosen].item(), gradient.norm().item()), rel=1e-10
        )
    assert sorted(dominance.gradient_norms(network, images, ends=1, step=3)["rank"].unique()) == [0, 1, 4, 5]


def test_the_pooled_slope_is_fitted_anew_in_each_resample():
    table = pd.DataFrame(
        {
            "logit": [0.0, 1, 5, 6, 2, 3],
            "norm": [1.0, 3, 2, 0, 5, 4],
            "image": [0, 0, 1, 1, 2, 2],
            "group": [0, 0, 1, 1, 2, 2],
        }
    )
    found = dominance.slopes(table, resamples=500).loc["pooled"]
    draws = np.random.default_rng(0).multinomial(3, np.full(3, 1 / 3), 500)
    refits = [
        np.polyfit(
            *table.loc[np.repeat(table.index, draw[table["group"]]), ["logit", "norm"]].T.to_numpy(), 1
        )[0]
        for draw in draws
    ]
    np.testing.assert_allclose(
        found[["low", "high"]].astype(float), np.percentile(refits, [2.5, 97.5]), rtol=1e-6
    )


def test_slopes_within_images_do_not_see_differences_between_images():
    rng = np.random.default_rng(0)
    image = np.repeat(np.arange(40), 10)
    x = rng.normal(size=400) + 10 * image
    table = pd.DataFrame(
        {"image": image, "group": image, "logit": x, "norm": 2 * (x - 10 * image) - 30 * image + 2000}
    )
    found = dominance.slopes(table, resamples=200)
    assert found.loc["within images", "slope"] == pytest.approx(2) and found.loc["pooled", "slope"] < -2
    assert (found["low"] <= found["slope"] + 1e-9).all() and (found["slope"] <= found["high"] + 1e-9).all()


def test_slopes_in_units_of_the_mean_norm():
    base = pd.DataFrame(
        {
            "logit": [0.0, 1, 2, 5, 6, 7],
            "norm": [1.0, 2, 3, 2, 4, 6],
            "image": [0, 0, 0, 1, 1, 1],
            "group": [0, 0, 0, 1, 1, 1],
        }
    )
    table = pd.concat([base.assign(network="a"), base.assign(network="ten times", norm=10 * base["norm"])])
    found = dominance.relative_slopes(table, resamples=50).set_index("network")
    assert found.loc["a"].tolist() == pytest.approx([1.5 / 3, 1 / 3, 2 / 3])
    assert found.loc["ten times"].tolist() == pytest.approx(found.loc["a"].tolist())
    assert dominance.relative_slopes(table, 50, "pooled").set_index("network").loc[
        "a", "mean"
    ] == pytest.approx(np.polyfit(base["logit"], base["norm"], 1)[0] / 3)


def test_maps_more_alike_where_a_class_dominates():
    draws = np.random.default_rng(0)
    p_2 = np.tile([0.05, 0.1, 0.2, 0.3], 10)
    both = pd.DataFrame(
        {
            "network": "both",
            "p_2": p_2,
            "group": np.arange(40) // 2,
            "weighted": np.where(p_2 <= 0.1, 0.9, 0.5) + 0.05 * draws.random(40),
        }
    )
    table = pd.concat([both, both[both["p_2"] > 0.1].assign(network="split alone")], ignore_index=True)
    found = dominance.more_alike_where_dominated(table, resamples=200)
    assert found["network"].tolist() == ["both"] and found["groups"].item() == 20
    row = found.iloc[0]
    over = both["p_2"] <= 0.1
    assert row["mean"] == pytest.approx(
        both.loc[over, "weighted"].mean() - both.loc[~over, "weighted"].mean()
    )
    assert 0.35 < row["low"] < row["mean"] < row["high"] < 0.45
    assert dominance.more_alike_where_dominated(table, threshold=0.25, resamples=10)["network"].tolist() == [
        "both",
        "split alone",
    ]
    renamed = dominance.more_alike_where_dominated(
        table.rename(columns={"weighted": "to_original"}), resamples=200, value="to_original"
    )
    assert renamed.equals(found)


def test_few_images_on_one_side_leave_an_interval():
    """Samples without any of them have no difference and do not count."""
    draws = np.random.default_rng(0)
    table = pd.DataFrame({"network": "n", "p_2": [0.05] * 300 + [0.3] * 5, "group": np.arange(305)})
    table["weighted"] = np.where(table["p_2"] > 0.1, 0.5, 0.95) + 0.02 * draws.standard_normal(305)
    row = dominance.more_alike_where_dominated(table, resamples=2000).iloc[0]
    assert 0.4 < row["low"] < row["mean"] < row["high"] < 0.5


def test_which_maps_float32_changes():
    table = pd.DataFrame(
        {
            "network": ["a", "a", "a", "b"],
            "weighted": [0.5, 0.9, 0.7, 0.5],
            "softmax": [0.505, 0.2, np.nan, 0.5],
        }
    )
    found = dominance.float32_changes(table).set_index("network")
    assert found.loc["a"].to_dict() == pytest.approx(
        {"mean": 2 / 3, "images": 3, "weighted": 0.8, "softmax": 0.2}
    )
    assert found.loc["b", "mean"] == 0 and np.isnan(found.loc["b", "weighted"])
