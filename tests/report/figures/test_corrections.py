"""Tables and sentences of the pages on corrections that depend on the order or the presence of rows."""

import pandas as pd
import pytest

from contrastlib.evaluation import choices, correction_tables
from contrastlib.report.figures import (
    correction_effects,
    correction_results,
    layers,
    lrp_effects,
    masking_errata,
)


def masked(networks=("birds_vgg", "birds_resnet"), **columns):
    return pd.DataFrame(
        [
            {
                "network": network,
                "method": "gradcam",
                "rank": rank,
                "mask_rule": rule,
                "kept_sign": "positive",
                "group": i,
                "image": i,
                "baseline": "blur",
                "contrast": contrast,
                "relative_probability": value + 0.1 * (rule == "by_sign") * (contrast == "weighted"),
                "masked": 0.5,
                "p_2": 0.15,
            }
            | columns
            for network in networks
            for rank in (1, 2)
            for rule in ("by_sign", "equal_as_described")
            for i in range(12)
            for contrast, value in (("weighted", 0.6), ("original", 0.5))
        ]
    )


def test_the_published_choice_comes_first_and_rules_keep_their_order():
    table = pd.concat([masked(choice="another"), masked(choice=choices.PUBLISHED)])
    shown = masking_errata.choices_table({"quick": table}, resamples=10).data
    assert shown.index.get_level_values("choice").tolist() == [choices.PUBLISHED, "another"] * 2
    assert shown.index.get_level_values("network").tolist() == ["small ResNet"] * 2 + ["small VGG"] * 2
    assert shown.columns.tolist() == [("positive", "by sign"), ("positive", "equal, of the right sign")]
    assert shown.iloc[0, 0].startswith("+0.200 [")


def test_words_count_what_the_tables_hold():
    found = correction_tables.at_thresholds(masked(), (0.1,), resamples=10)
    words = masking_errata.threshold_in_words(found)
    assert "thresholds of 0.1" in words and "8 of 8 at 0.1" in words
    shown = masking_errata.threshold_table(found).data
    assert (
        shown["images", "of a network"].tolist() == ["12 to 12"]
        and shown.iloc[0, 0] == "+0.200\xa0(4\xa0of\xa04)"
    )
    assert "smaller at equal counts in 2 of 2 networks" in masking_errata.confound_in_words(
        {"real": masked()}, 10
    )
    table = pd.concat([masked(choice="another"), masked(choice=choices.PUBLISHED)])
    gains = pd.DataFrame(
        [
            {
                "network": "birds_vgg",
                "choice": choice,
                "contrast": contrast,
                "group": i,
                "image": i,
                "epsilon": 0.003,
                "iterations": 1,
                "correct": True,
                "p_t": p,
                "y_t": 1.0,
                "correct_before": True,
                "p_t_before": 0.5,
                "y_t_before": 1.0,
            }
            for choice in (choices.PUBLISHED, "towards")
            for i in range(4)
            for contrast, p in (("weighted", 0.6), ("original", 0.5))
        ]
    )
    assert (
        "Of 4 intervals 0 change sides and 0 come to contain 0. A mean moves by"
        in masking_errata.choices_in_words({"quick": table}, 10)
    )
    words = correction_results.choices_in_words({"quick": gains}, 10)
    assert words.endswith("Of 1 intervals 0 change sides and 0 come to contain 0.")


def test_no_drawing_above_the_threshold():
    draws = pd.DataFrame(columns=["image", "draw", "sigma", "relative_probability"])
    assert "take more" in masking_errata.blur_in_words(draws)


@pytest.mark.parametrize("low, apart", [(0.1, "1 of 1"), (-0.1, "0 of 1")])
def test_intervals_that_leave_out_zero(low, apart):
    rows = pd.DataFrame(
        [{"network": "birds_vgg", "baseline": "zeros − black", "mean": 0.2, "low": low, "high": 0.3}]
    )
    assert f"leaves out 0 in {apart} networks" in masking_errata.baseline_in_words({"real": rows})


def test_sides_and_cosines_in_words():
    words = layers.receptive_fields_in_words(pd.Series({"0": 3, "28": 196}))
    assert words.endswith("`features.0` 3, `features.28` 196.")
    rows = pd.DataFrame(
        [
            {
                "image": i,
                "method": name,
                "linear": name == "gradcam",
                "similarity": 1.0 if name == "gradcam" else 0.5 + i / 4,
            }
            for name in ("gradcam", "integrated_gradients")
            for i in range(2)
        ]
    )
    words = correction_results.probability_maps_in_words(rows)
    assert "1.000000 for the 1 methods" in words and "0.625 (0.500)" in words and "GradCAM" not in words


def test_the_sum_that_is_kept_stands_beside_the_cosine():
    rows = pd.DataFrame(
        {
            "layer": ["a", "a", "b"],
            "similarity": [0.5, 0.7, 1.0],
            "negative_sums": [0.5, 0.5, 0.0],
            "kept": [0.2, 0.6, 1.0],
        }
    )
    assert layers.normaliser_table(rows, ["b", "a"]).data.iloc[:, 2].tolist() == pytest.approx([1.0, 0.4])
    assert "`a` 0.600, +0.40; `b` 1.000, +1.00" in correction_effects.normalisers_in_words(rows)


def test_effects_of_relevance_in_words():
    duals = pd.DataFrame(
        {
            "network": "birds_vgg",
            "methods": ["clrp1, clrp2", "clrp1, clrp1_coded"],
            "similarity": [0.25, 0.75],
        }
    )
    game = pd.DataFrame(
        [
            {
                "network": "birds_vgg",
                "method": name,
                "threshold": share,
                "image": i,
                "object": 0,
                "group": i,
                "hit": name == "clrp1" and share == 0,
            }
            for name in ("clrp1", "clrp2")
            for share in (0, 0.5)
            for i in range(4)
        ]
    )
    words = lrp_effects.equivalence_in_words({"quick": game}, {"quick": duals})
    assert "CLRP2: quick 1.00 (small VGG)." in words and "maps: quick 0.25 (small VGG)." in words
    received = pd.DataFrame(
        {"layer": ["late", "late", "early"], "from_both": [0.5, 0.7, 1.0], "similarity": [0.8, 0.6, 1.0]}
    )
    assert "`late` 60.0%, cosine 0.70; `early` 100.0%, cosine 1.00" in lrp_effects.support_in_words(
        {"quick": received}
    )
    boxes = pd.DataFrame({"method": ["lrp", "lrp", "clrp1"], "similarity": [0.9, 0.8, 1.0]})
    assert "LRP 0.8500 (0.8000); CLRP1 1.0000" in lrp_effects.boxes_in_words({"quick": boxes})
    drops = pd.DataFrame(
        [
            {
                "network": "birds_vgg",
                "method": name,
                "size": 9,
                "image": i,
                "group": i,
                "y_t": -lost - i,
                "p_t": 0.5,
                "y_t_before": 0.0 - i,
                "p_t_before": 0.5,
            }
            for name, lost in (("guided_backpropagation", 2.0), ("clrp1", 1.0), ("clrp2", 3.0))
            for i in range(6)
        ]
    )
    assert "more in 1 and less in 1 of 2 intervals, networks +0.00" in lrp_effects.guided_in_words(
        {"quick": drops}, 50
    )


def test_effects_of_wang_and_wang_say_what_the_tables_hold():
    steps = pd.DataFrame(
        [
            {
                "form": form,
                "iterations": n,
                "change": change,
                "apart": 0.0 if form == "printed index" else 0.5,
                "group": i,
                "image": i,
            }
            for form, change in (("printed index", 0.1), ("corrected", 0.2), ("printed clamp", 0.3))
            for n in (1, 10)
            for i in range(3)
        ]
    )
    words = correction_effects.index_in_words(steps, 10)
    assert "as printed" in words and "+0.1000" in words and "+0.2000" in words and "+0.3000" not in words
    training = pd.DataFrame(
        {"rates": ["equal", "twice as long", "doubled"], "update": 200, "gap": [0.229, 0.0011, 0.0]}
    )
    assert "0.229 at equal rates; 0.0011" in correction_effects.path_in_words(training)
    rules = pd.DataFrame(
        [
            {
                "network": "birds_vgg",
                "rules": rule,
                "biases": biases,
                "input_x_gradient": value - 0.5 * (not biases),
            }
            for rule, value in (("z", 1.0), ("epsilon", 0.3), ("z_plus", 0.01))
            for biases in (True, False)
        ]
    )
    words = correction_effects.rules_in_words({"real": rules}, ["z", "epsilon"])
    assert "LRP-0 ($z$ rule) real 1.00 (small VGG); ε rule real 0.30" in words and "z^+" not in words
    ranges = pd.DataFrame(
        [
            {"contrast": "original", "range": name, "similarity": value, "size": value}
            for name, value in (("0 < i, j < d'", 0.9), ("0 < i, j < d'", 0.7), ("all positions", 1.0))
        ]
    )
    assert "*original* mean cosine 0.800 (least 0.700), size 0.80" in correction_effects.ranges_in_words(
        ranges
    )
    compared = pd.DataFrame(
        [
            {"explained": explained, "biases": biases, "similarity": value}
            for explained, biases, value in (
                ("p_t", False, 0.9),
                ("p_t", True, 0.6),
                ("y_t", False, 1.0),
                ("y_t", True, 0.7),
            )
        ]
    )
    assert "shifts 0.9000 (0.9000), with them 0.6000" in correction_effects.product_in_words(compared, "p_t")


def test_the_size_of_the_subtracted_mean_at_fewest_and_most_classes():
    linear = pd.DataFrame(
        {
            "classes": [2, 9, 2, 9],
            "features": ["shared"] * 2 + ["own"] * 2,
            "subtracted": [1.0, 1.0, 1.0, 0.35],
        }
    )
    norms = pd.DataFrame(
        {
            "network": ["birds_vgg"] * 2 + ["birds_resnet"] * 2,
            "classes": [2, 10, 2, 100],
            "foil_norm": [0.4, 0.1, 0.5, 0.2],
        }
    )
    words = correction_effects.subtracted_in_words(linear, {"real": norms})
    assert (
        "1.00 to 0.35" in words
        and "0.40 (small VGG) to 0.50 (small ResNet) for one other class, 0.10 (small VGG) to 0.20" in words
    )


def test_intervals_of_a_second_network_are_counted_on_both_sides():
    words = correction_effects.scored_in_words({"real": masked().assign(method="gradcam")}, 10)
    assert "real 8 of 8 intervals on the claimed side, 0 on the other" in words
