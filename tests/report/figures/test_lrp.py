"""Tables and sentences of the page on relevance propagation."""

import numpy as np
import pandas as pd
import pytest

from contrastlib import models
from contrastlib.report.figures import lrp, lrp_conservation, lrp_pointing


def of_rules(arrived):
    """A table of conservation: network -> the sum over the logit under the z+ rule; the z rule overflows."""
    rows = [
        {
            "network": name,
            "rules": rules,
            "biases": biases,
            "image": i,
            "arrived": np.nan if rules == "z" else value,
            "input_x_gradient": 0.5,
            "pixels_x_gradient": 0.25,
        }
        for name, value in arrived.items()
        for rules in ("z_plus", "z")
        for biases in (False, True)
        for i in range(2)
    ]
    return pd.DataFrame(rows)


def test_what_overflows_is_named_so():
    html = lrp_conservation.conservation({"quick": of_rules({"birds_vgg": 1.0})}).to_html()
    assert "nan" not in html and html.count("overflow") == 2 and "small VGG" in html and "z+" in html


def test_large_values_show_their_order_of_magnitude():
    html = lrp_conservation.conservation({"quick": of_rules({"birds_vgg": -31234.5})}).to_html()
    assert "-3e+04" in html


def test_networks_that_lose_relevance_are_named():
    measured = {
        "quick": of_rules({"birds_vgg": 1.0}),
        "real": of_rules({"mobilenet_v2": 0.01, "squeezenet1_1": 0.99}),
    }
    said = lrp_conservation.lossy_in_words(measured)
    assert "MobileNet V2 (1.0%, real)" in said and "SqueezeNet" not in said and "VGG" not in said
    assert lrp_conservation.lossy_in_words({"quick": measured["quick"]}).startswith("In every network")


def of_classes(random):
    """Cosines of one image: LRP's are 1, others 0.5, those of CLRP1 with ten random classes as said."""
    return pd.DataFrame(
        [
            {
                "network": "birds_vgg",
                "pair": pair,
                "method": method,
                "image": 0,
                "similarity": 1.0
                if method == "lrp"
                else random
                if (method, pair) == ("clrp1", "1, random")
                else 0.5,
            }
            for pair in lrp.PAIRS
            for method in ("lrp", "clrp1", "clrp2", "sglrp")
        ]
    )


@pytest.mark.parametrize("random, said", [(0.95, True), (0.5, False)])
def test_what_is_still_alike_is_said_where_it_is(random, said):
    text = lrp.similarity_in_words({"quick": of_classes(random)})
    assert "CLRP1 0.500 (small VGG)" in text and ("still alike in small VGG 0.95" in text) == said


@pytest.mark.parametrize(
    "show",
    [
        lrp.received,
        lrp.initial_relevance,
        lrp_pointing.pointing_curves,
        lrp_pointing.energy,
        lrp_pointing.neurons,
        lrp_conservation.homogeneity,
    ],
)
def test_what_was_not_measured_is_said(show):
    assert show({}).data == "*Not measured at this scale.*"


def test_published_rows_stand_below():
    table = pd.DataFrame(
        [
            {
                "network": "birds_vgg",
                "size": 9,
                "method": method,
                "y_t_before": 2.0,
                "y_t": 0.5,
                "p_t_before": 1.0,
                "p_t": 0.75,
            }
            for method in ("random", "gradient", "guided_backpropagation", "lrp", "clrp1", "clrp2", "sglrp")
        ]
    )
    html = lrp_pointing.drops({"quick": table}).to_html()
    assert "+1.50 (+0.250)" in html and "+0.3844" in html and html.index("+1.50") < html.index("+0.3844")


def test_blocks_without_an_expansion_are_left_out():
    steps = lrp_conservation._steps(models.load("efficientnet_lite0"))
    assert ("depthwise", 1) not in steps and ("depthwise", 2) in steps and ("projection", 2) in steps
