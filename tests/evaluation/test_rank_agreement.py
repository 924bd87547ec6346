"""Rank correlations over contrasts, against pandas, and their intervals."""

import numpy as np
import pandas as pd
import pytest

from contrastlib.evaluation import rank_agreement
from contrastlib.evaluation.perturbation import CONTRASTS, mean_changes


@pytest.fixture
def table():
    """Two networks on 12 photographs of which the second saw 8: random changes."""
    draws = np.random.default_rng(0)
    rows = []
    for network, images in (("b", 12), ("a", 8)):
        for image in range(images):
            for n in (1, 2):
                for contrast in CONTRASTS:
                    before, after = draws.random(3), draws.random(3)
                    rows.append(
                        {
                            "network": network,
                            "dataset": "d",
                            "image": image,
                            "group": image,
                            "epsilon": 0.1,
                            "iterations": n,
                            "contrast": contrast,
                            "correct": after[0] > 0.5,
                            "p_t": after[1],
                            "y_t": after[2],
                            "correct_before": before[0] > 0.5,
                            "p_t_before": before[1],
                            "y_t_before": before[2],
                        }
                    )
    return pd.DataFrame(rows)


def by_pandas(table):
    means = mean_changes(table, resamples=2)
    rows = []
    for (network, _), part in means.groupby(["network", "iterations"]):
        wide = part.pivot(index="contrast", columns="quantity", values="change")
        rows.append((network, *wide.corr(method="spearman").loc["accuracy", ["p_t", "y_t"]]))
    return pd.DataFrame(rows, columns=["network", "p_t", "y_t"]).groupby("network").mean()


def test_correlations_are_those_of_pandas(table):
    found = rank_agreement.agreement(table, resamples=20)
    assert found["network"].unique().tolist() == ["b", "a", rank_agreement.MEAN]
    wide = found.pivot(index="network", columns="correlation", values="mean")
    expected = by_pandas(table)
    for name in ("p_t", "y_t"):
        np.testing.assert_allclose(wide.loc[["a", "b"], name], expected[name])
        assert wide.loc[rank_agreement.MEAN, name] == pytest.approx(expected[name].mean())
    np.testing.assert_allclose(wide["difference"], wide["p_t"] - wide["y_t"])


def test_published_means_give_the_same(table):
    found = rank_agreement.of_means(mean_changes(table, resamples=2)).set_index(["network", "correlation"])[
        "mean"
    ]
    own = rank_agreement.agreement(table, resamples=2).set_index(["network", "correlation"])["mean"]
    np.testing.assert_allclose(found, own[found.index])


def test_intervals_vanish_where_all_photographs_are_alike(table):
    alike = table[table["image"] == 0]
    copies = pd.concat([alike.assign(image=i, group=i) for i in range(6)])
    found = rank_agreement.agreement(copies, resamples=30).dropna()
    assert (
        len(found) and np.allclose(found["low"], found["mean"]) and np.allclose(found["high"], found["mean"])
    )


def test_intervals_hold_the_bulk_of_the_draws(table):
    found = rank_agreement.agreement(table, resamples=200)
    assert (found["low"] < found["high"]).all()
    assert (found.loc[found["correlation"] != "difference", ["low", "high"]].abs() <= 1).all(axis=None)


def test_closer_is_the_difference_of_each_network(table):
    found = rank_agreement.closer(table, resamples=20)
    assert found["network"].tolist() == ["b", "a"] and set(found["correlation"]) == {"difference"}


def test_a_setting_without_correlation_is_left_out(table):
    """In one of two settings accuracy stays the same under all contrasts."""
    stays = table["iterations"] == 2
    flat = table.assign(correct=table["correct"].where(~stays, table["correct_before"]))
    only = rank_agreement.agreement(table[~stays], resamples=20)
    found = rank_agreement.agreement(flat, resamples=20)
    np.testing.assert_allclose(found["mean"], only["mean"])


def test_a_network_whose_accuracy_never_changes_has_no_correlation(table, recwarn):
    flat = table.assign(correct=table["correct"].where(table["network"] != "a", table["correct_before"]))
    found = rank_agreement.agreement(flat, resamples=20).set_index("network")
    assert found.loc["a", ["mean", "low", "high"]].isna().all(axis=None) and not recwarn
    other, mean = (found.loc[name, ["mean", "low", "high"]] for name in ("b", rank_agreement.MEAN))
    np.testing.assert_allclose(mean, other)


def test_means_that_rounding_alone_tells_apart_share_their_rank():
    values = np.array([[0.1 + 0.2, 0.3, 0.5]])
    assert rank_agreement.spearman(
        values.round(rank_agreement.DIGITS), np.array([[1, 2, 3]])
    ).item() == pytest.approx(np.sqrt(0.75))
