"""The advantage of weighted maps where both keep the same share of the pixels."""

from itertools import product

import pandas as pd
import pytest

from contrastlib.evaluation import masking, masking_effects
from contrastlib.report.figures import masking_shares as figures


def values(rules):
    gain = {rule: 0.1 * (i + 1) for i, rule in enumerate(rules)}
    rows = [
        {
            "network": "birds_vgg",
            "method": "gradcam",
            "rank": rank,
            "baseline": baseline,
            "kept_sign": sign,
            "mask_rule": rule,
            "contrast": contrast,
            "image": i,
            "group": i,
            "masked": 0.5,
            "relative_probability": 0.4
            + (gain[rule] if (contrast == "weighted") == (sign == "positive") else 0),
        }
        for rank, baseline, sign, rule, contrast, i in product(
            (1, 2), masking.PAPERS_BASELINES, masking.KEPT_SIGNS, rules, ("original", "weighted"), range(4)
        )
    ]
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def advantages():
    tables = (values(masking.MASK_RULES), values(masking.KEPT_SHARES))
    return [{"quick": masking_effects.mean_advantages(table, resamples=100)} for table in tables]


def test_a_column_for_each_share(advantages):
    shown = figures.table(advantages[1]).data
    assert list(shown.columns) == ["10% kept", "30% kept", "50% kept"]
    assert (
        shown["30% kept"].str.startswith("+0.200 [").all() and shown["30% kept"].str.endswith("(50%)").all()
    )


def test_the_figure_has_every_rule_in_every_panel(advantages):
    other = advantages[0]["quick"].replace({"network": {"birds_vgg": "birds_resnet"}})  # not at equal shares
    figure = figures.rules({**advantages[0], "real": other}, advantages[1])
    assert len(figure.axes) == 4
    for ax in figure.axes:
        drawn = [float(bars.lines[0].get_xdata()[0]) for bars in ax.containers]
        assert drawn == pytest.approx([0.1, 0.2, 0.3, 0.1, 0.2, 0.3])
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["small VGG"]


def test_what_is_left_is_relative_to_the_advantage_by_sign():
    more = values(masking.MASK_RULES).replace({"network": {"birds_vgg": "birds_resnet"}})
    measured = {"quick": pd.concat([values(masking.MASK_RULES), more])}
    said = figures.left_in_words(measured, {"quick": values(masking.KEPT_SHARES)})
    line = "100% (small VGG) with 10% kept; 200% (small VGG) with 30% kept; 300% (small VGG) with 50% kept"
    assert said.count(line) == 2 and "ResNet" not in said
