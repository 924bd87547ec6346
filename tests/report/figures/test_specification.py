"""The figure of a specification curve, and its sentence."""

import pandas as pd

from contrastlib.report.figures.specification import in_words, specification_curve

CHOICES = {"network": "network", "mask_rule": "mask rule"}
CELLS = pd.DataFrame({
    "network": ["birds_vgg", "birds_vgg", "birds_resnet", "birds_resnet"], "mask_rule": ["by_sign", "equal_as_coded"] * 2,
    "mean": [0.3, 0.1, 0.2, 0.0], "low": [0.2, 0.05, 0.1, -0.1], "high": [0.4, 0.15, 0.3, 0.1]})


def test_every_option_has_a_row_below_its_choice():
    figure = specification_curve(CELLS, CHOICES, "gain", 0.01)
    labels = [label.get_text() for label in figure.axes[1].get_yticklabels()]
    assert labels == ["mask rule (80%)", "by sign", "equal as coded", "network (20%)", "small VGG", "small ResNet"]
    assert "4 combinations" in figure.axes[1].get_xlabel()


def test_the_sentence_says_where_intervals_lie_and_what_moves_the_effect():
    text = in_words(CELLS, CHOICES, 0.01)
    assert text.startswith("Of 4 combinations of choices, 75% have an interval above 0 and 0% one below. The median effect is +0.150")
    assert "The mask rule explains 80% of the variance" in text and "75% reach" in text
