"""Specification curves: effects under every combination of choices, and shares of variance."""

from itertools import product

import numpy as np
import pandas as pd
import pytest

from contrastlib.evaluation.specification import REST, curve, specifications, variance_shares

CHOICES = ["layer", "rule", "network"]


def cells(effect):
    """Every combination of 3 × 2 × 4 options with the effect of it."""
    rows = list(product("abc", "xy", range(4)))
    return pd.DataFrame(rows, columns=CHOICES).assign(mean=[effect(*row) for row in rows])


def test_a_choice_that_decides_alone_explains_all():
    shares = variance_shares(cells(lambda layer, rule, network: "abc".index(layer) ** 2), CHOICES)
    assert shares.index[0] == "layer"
    np.testing.assert_allclose(shares, [1, 0, 0, 0], atol=1e-12)


def test_shares_of_a_sum_add_up():
    shares = variance_shares(
        cells(lambda layer, rule, network: ord(layer) + 2 * (rule == "x") - network), CHOICES
    )
    assert shares.drop(REST).sum() == pytest.approx(1, abs=1e-10) and abs(shares[REST]) < 1e-10


def test_what_only_combinations_explain_is_the_rest():
    shares = variance_shares(
        cells(lambda layer, rule, network: (1 if rule == "x" else -1) * (network - 1.5)), CHOICES
    )
    assert shares[REST] == pytest.approx(1, abs=1e-10)


def test_combinations_that_are_missing():
    """Shares overlap then, but the rest is that of the additive fit: here none."""
    some = cells(lambda layer, rule, network: 3.0 * (rule == "x") + network).sample(15, random_state=0)
    assert abs(variance_shares(some, CHOICES)[REST]) < 1e-10
    assert (variance_shares(some.assign(mean=1.0), CHOICES) == 0).all()


def test_the_curve_is_in_order():
    ordered = curve(
        cells(lambda layer, rule, network: network - 2.0 * (rule == "x")).sample(frac=1, random_state=0),
        CHOICES,
    )
    assert ordered["mean"].is_monotonic_increasing and ordered.index.tolist() == list(range(24))


@pytest.mark.parametrize("table, choices, says", [
    (cells(lambda *_: 0.0), ["layer", "blur"], "no column blur"),
    (cells(lambda *_: 0.0), ["layer", "rule"], "some cells have the same layer, rule"),
    (cells(lambda *_: 0.0)[:0], CHOICES, "at least one cell"),
])  # fmt: skip
def test_incomplete_tables_are_refused(table, choices, says):
    with pytest.raises(ValueError, match=says):
        curve(table, choices)


def test_thresholds_are_a_choice():
    table = pd.DataFrame({"p_2": [0.1, 0.2, 0.3], "v": [1.0, 2.0, 3.0]})
    found = specifications(table, lambda rows: pd.DataFrame({"mean": [rows["v"].mean()]}), [0.05, 0.15])
    assert found.to_dict("list") == {"mean": [2.0, 2.5], "threshold": [0.05, 0.15]}
