"""Effects of interventions: against plain numbers, and intervals that hold what they should."""

from itertools import product

import numpy as np
import pandas as pd
import pytest

from contrastlib.evaluation.intervention_effects import against_best_other, differences, over_networks
from contrastlib.evaluation.interventions import QUESTIONS


def table(means, images=40, networks=("n",), noise=0.1, spread=0.0, seed=0):
    """Correlations around given means (contrast, question) -> mean; other cells are 0."""
    draw = np.random.default_rng(seed)
    rows = []
    for network in networks:
        shift = spread * draw.standard_normal()
        for image, contrast, question in product(range(images), ("original", "weighted"), QUESTIONS):
            value = means.get((contrast, question), 0.0) + shift + noise * draw.standard_normal()
            rows.append(
                {
                    "network": network,
                    "method": "gradcam",
                    "contrast": contrast,
                    "question": question,
                    "image": image,
                    "group": image,
                    "correlation": value,
                    "top": value > 0.5,
                }
            )
    return pd.DataFrame(rows)


PAIR = [[["original", "logit"], ["original", "pair"]]]


def test_a_difference_is_paired_by_image():
    data = table({("original", "logit"): 0.4, ("original", "pair"): 0.1})
    found = differences(data, PAIR).iloc[0]
    wide = data[data["contrast"] == "original"].pivot(index="image", columns="question", values="correlation")
    assert found["mean"] == pytest.approx((wide["logit"] - wide["pair"]).mean())
    assert found["low"] < found["mean"] < found["high"] and found["images"] == found["groups"] == 40
    assert found["pair"] == "original / logit minus original / pair" and (
        found["network"],
        found["method"],
    ) == ("n", "gradcam")
    reverse = differences(data, [PAIR[0][::-1]], absolute=True).iloc[0]
    assert reverse[["mean", "low", "high"]].tolist() == pytest.approx(found[["mean", "low", "high"]].tolist())


def test_an_absolute_difference_is_below_a_bound_only_if_its_interval_is_inside_the_band():
    same = differences(table({}, images=400), PAIR, absolute=True).iloc[0]
    assert 0 <= same["low"] < same["high"] < 0.05
    few = differences(table({}, images=10, noise=0.5), PAIR, absolute=True).iloc[0]
    assert few["high"] > 0.05 > few["low"]


def test_contrasts_that_a_table_lacks_are_left_out():
    assert differences(table({}), [[["finer_cam", "logit"], ["original", "logit"]]]).empty
    assert against_best_other(table({}), ["maximum"]).empty


def test_against_the_best_other_question():
    found = against_best_other(
        table({("original", "logit"): 0.6, ("original", "mean"): 0.5, ("weighted", "pair"): 0.3}),
        ["original", "weighted"],
    ).set_index("contrast")
    assert found.loc["original", "low"] > 0 and found.loc["original", "mean"] == pytest.approx(0.1, abs=0.05)
    assert found.loc["weighted", "high"] < 0
    tied = against_best_other(table({}), ["original"]).iloc[0]
    assert tied["mean"] < 0 and tied["low"] < tied["mean"]


def test_the_interval_of_a_family_holds_the_spread_over_networks():
    names = [f"n{i}" for i in range(5)]
    alike, apart = (
        over_networks(table({}, networks=names, spread=spread).assign(family="f")) for spread in (0.0, 0.3)
    )
    assert (alike["networks"] == 5).all() and len(alike) == 10
    width = [(each["high"] - each["low"]).mean() for each in (alike, apart)]
    assert width[1] > 3 * width[0]
    one = over_networks(table({("original", "logit"): 0.4}).assign(family="f")).iloc[0]
    assert one["low"] < 0.4 < one["high"] and one["networks"] == 1


def test_the_interval_of_a_family_covers_its_mean():
    names = [f"n{i}" for i in range(12)]
    held = 0
    for seed in range(40):
        found = over_networks(
            table({}, images=12, networks=names, spread=0.2, seed=seed).assign(family="f"), resamples=200
        )
        held += ((found["low"] <= 0) & (found["high"] >= 0)).iloc[0]
    assert held >= 33  # 95 % of 40 is 38; a bootstrap of twelve networks is a little narrow


def test_networks_need_not_see_the_same_images():
    data = table({("original", "logit"): 0.4}, networks=("a", "b")).assign(family="f")
    some = data[(data["network"] == "a") | (data["image"] < 10)]
    found = over_networks(some).set_index(["contrast", "question"])
    means = (
        some[(some["contrast"] == "original") & (some["question"] == "logit")]
        .groupby("network")["correlation"]
        .mean()
    )
    assert found.loc[("original", "logit"), "mean"] == pytest.approx(means.mean())
    assert found.notna().all(axis=None)
