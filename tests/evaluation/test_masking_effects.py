"""Advantages of weighted maps in tables whose means are known."""

from itertools import product

import numpy as np
import pandas as pd
import pytest

from contrastlib.evaluation import masking_effects

RULES = {"by_sign": 0.4, "equal_as_coded": 0.3, "equal_as_described": 0.1}


@pytest.fixture
def table():
    """Two networks, the weighted map ahead by ``RULES`` times 1 and 2; methods differ in the second."""
    rows = []
    keys = product(
        ("one", "two"),
        ("m", "n"),
        (1, 2),
        ("blur", "zeros", "mean", "black"),
        ("positive", "negative"),
        RULES,
        range(4),
    )
    for network, method, rank, baseline, kept, rule, image in keys:
        gain = RULES[rule] * (1 if network == "one" else 2) / 2 * (1 if kept == "positive" else -1)
        own = 0.01 * (method == "n") * (network == "two") * (1 + image)
        for contrast in ("original", "weighted"):
            value = 0.5 + 0.01 * image + own + gain * (contrast == "weighted") + (baseline == "black")
            rows.append(
                {
                    "network": network,
                    "method": method,
                    "rank": rank,
                    "baseline": baseline,
                    "kept_sign": kept,
                    "mask_rule": rule,
                    "image": image,
                    "group": image,
                    "contrast": contrast,
                    "relative_probability": value,
                    "masked": 0.2 if contrast == "original" else 0.6,
                }
            )
    return pd.DataFrame(rows)


def test_mean_advantages_are_positive_as_claimed(table):
    """Both kept signs, the papers' three baselines alone, and the masked shares of both maps."""
    found = masking_effects.mean_advantages(table, "m", resamples=20)
    assert len(found) == 2 * 2 * 2 * 3
    one = found[(found["network"] == "one") & (found["mask_rule"] == "by_sign")]
    np.testing.assert_allclose(one[["mean", "low", "high"]], 0.2)
    np.testing.assert_allclose(found["masked_original"], 0.2)
    np.testing.assert_allclose(found["masked_weighted"], 0.6)


def test_advantage_left_is_the_ratio_to_masking_by_sign(table):
    """For each kept sign and network."""
    left = masking_effects.advantage_left(table, "equal_as_described", method="m", resamples=2)
    assert set(zip(left["kept_sign"], left["network"])) == set(
        product(("positive", "negative"), ("one", "two"))
    )
    np.testing.assert_allclose(left["mean"], 0.25)


def test_methods_are_compared_where_their_maps_differ(table):
    """In network one both methods are the same; rows with all values of ``unless`` do not count."""
    coded = table[(table["mask_rule"] == "equal_as_coded") & (table["baseline"] != "black")]
    found = masking_effects.method_advantages(
        coded, "n", ["m"], unless={"rank": 1, "kept_sign": "positive"}, resamples=20
    )
    assert set(found["network"]) == {"two"}
    assert len(found) == 3 * 3
    signs = found["kept_sign"].map({"positive": 1, "negative": -1})
    np.testing.assert_allclose(found["mean"], 0.025 * signs)


def test_no_row_where_all_methods_are_the_same(table):
    coded = table[(table["network"] == "one") & (table["mask_rule"] == "equal_as_coded")]
    assert masking_effects.method_advantages(coded, "n", ["m"]).empty
