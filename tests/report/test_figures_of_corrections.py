"""Tables and sentences of page 05 that depend on the order or the presence of rows."""

import pandas as pd
import pytest

from contrastlib.evaluation import choices, correction_tables
from contrastlib.report.figures import correction_results, corrections


def masked(networks=("birds_vgg", "birds_resnet"), **columns):
    return pd.DataFrame([
        {"network": network, "method": "gradcam", "rank": rank, "mask_rule": rule, "kept_sign": "positive", "group": i, "image": i,
         "baseline": "blur", "contrast": contrast, "relative_probability": value + 0.1 * (rule == "by_sign") * (contrast == "weighted"),
         "masked": 0.5, "p_2": 0.15} | columns
        for network in networks for rank in (1, 2) for rule in ("by_sign", "equal_as_described") for i in range(12)
        for contrast, value in (("weighted", 0.6), ("original", 0.5))])


def test_the_published_choice_comes_first_and_rules_keep_their_order():
    table = pd.concat([masked(choice="another"), masked(choice=choices.PUBLISHED)])
    shown = correction_results.choices_table({"quick": table}, resamples=10).data
    assert shown.index.get_level_values("choice").tolist() == [choices.PUBLISHED, "another"] * 2
    assert shown.index.get_level_values("network").tolist() == ["small ResNet"] * 2 + ["small VGG"] * 2
    assert shown.columns.tolist() == [("positive", "by sign"), ("positive", "equal, of the right sign")]
    assert shown.iloc[0, 0].startswith("+0.200 [")


def test_words_count_what_the_tables_hold():
    found = correction_tables.at_thresholds(masked(), (0.1,), resamples=10)
    words = correction_results.threshold_in_words(found)
    assert "thresholds of 0.1" in words and "8 of 8 at 0.1" in words
    shown = correction_results.threshold_table(found).data
    assert shown["images", "of a network"].tolist() == ["12 to 12"] and shown.iloc[0, 0] == "+0.200\xa0(4\xa0of\xa04)"
    assert "smaller at equal counts in 2 of 2 networks" in correction_results.confound_in_words({"real": masked()}, 10)
    table = pd.concat([masked(choice="another"), masked(choice=choices.PUBLISHED)])
    gains = pd.DataFrame([
        {"network": "birds_vgg", "choice": choice, "contrast": contrast, "group": i, "image": i, "epsilon": 0.003, "iterations": 1,
         "correct": True, "p_t": p, "y_t": 1.0, "correct_before": True, "p_t_before": 0.5, "y_t_before": 1.0}
        for choice in (choices.PUBLISHED, "towards") for i in range(4) for contrast, p in (("weighted", 0.6), ("original", 0.5))])
    words = correction_results.choices_in_words({"quick": table}, {"quick": gains}, 10)
    assert "Of 5 intervals 0 change sides and 0 come to contain 0" in words


def test_no_drawing_above_the_threshold():
    draws = pd.DataFrame(columns=["image", "draw", "sigma", "relative_probability"])
    assert "take more" in corrections.blur_in_words(draws)


@pytest.mark.parametrize("low, apart", [(0.1, "1 of 1"), (-0.1, "0 of 1")])
def test_intervals_that_leave_out_zero(low, apart):
    rows = pd.DataFrame([{"network": "birds_vgg", "baseline": "zeros − black", "mean": 0.2, "low": low, "high": 0.3}])
    assert f"leaves out 0 in {apart} networks" in corrections.baseline_in_words({"real": rows})
