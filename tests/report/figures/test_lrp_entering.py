"""Tables and sentences of the relevance that enters LRP."""

import pandas as pd

from contrastlib.evaluation.relevance_entering import ALPHA_BETA, RELEVANCES, RULES
from contrastlib.report.figures import lrp_entering

COMPARED = ("probability", "logit", "relevance over logits", "LRP, either sign")


def measured():
    values = {"weighted": (1.0, 1.0), "sglrp": (0.75, -0.25), "lrp": (0.5, 0.25)}
    rows = [
        {
            "network": name,
            "rules": rules,
            "relevance": relevance,
            "compared_with": other,
            "image": i,
            "rank": 1,
            "similarity": values[relevance][i],
        }
        for name in ("birds_vgg", "random, with biases")
        for rules in (*RULES, ALPHA_BETA)
        for relevance in RELEVANCES
        for other in COMPARED
        for i in range(2)
    ]
    return {"quick": pd.DataFrame(rows)}


def test_a_row_for_each_rule():
    table = lrp_entering.products(measured()).data
    assert table.shape == (2 * 5, 6)
    row = table.loc[("small VGG", lrp_entering.RULES["z"])]
    assert row.tolist() == [
        "0.3750 (0.25)",
        "0.2500 (-0.25)",
        "1.0000 (1.00)",
        "0.2500 (-0.25)",
        "0.2500 (-0.25)",
        "1.0000 (1.00)",
    ]
    assert set(lrp_entering.RULES) == {*RULES, ALPHA_BETA}


def test_heads_are_words_and_formulas_with_subscripts():
    table = lrp_entering.products(measured()).data
    assert list(table.columns.names) == ["compared with", "relevance"]
    assert set(table.columns.get_level_values("relevance")) == {
        "yₜ eₜ (LRP)",
        "∂pₜ/∂y (SGLRP)",
        "w · y (weighted)",
    }
    shown = lrp_entering.products(measured()).to_html()
    assert "compared with" in shown and "_t" not in shown and "compared_with" not in shown


def test_without_networks_there_is_a_note():
    assert "Not measured" in lrp_entering.products({}).data
    assert lrp_entering.in_words({}) == ""


def test_in_words():
    said = lrp_entering.in_words(measured())
    assert "at least 1.0000000000 in every network" in said
    assert "0.25 to 0.25 in the mean of a network, and -0.25 at least" in said
