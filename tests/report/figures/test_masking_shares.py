"""The advantage of weighted maps where both keep the same share of the pixels."""

from itertools import product

import pandas as pd
import pytest

from contrastlib.evaluation import masking, masking_effects
from contrastlib.report.figures import masking as figures


def table(rules):
    gain = {rule: 0.1 * (i + 1) for i, rule in enumerate(rules)}
    rows = [
        {"network": "birds_vgg", "method": "gradcam", "rank": rank, "baseline": baseline, "kept_sign": sign,
         "mask_rule": rule, "contrast": contrast, "image": i, "group": i, "masked": 0.5,
         "relative_probability": 0.4 + (gain[rule] if (contrast == "weighted") == (sign == "positive") else 0)}
        for rank, baseline, sign, rule, contrast, i in product(
            (1, 2), masking.PAPERS_BASELINES, masking.KEPT_SIGNS, rules, ("original", "weighted"), range(4))
    ]
    return masking_effects.mean_advantages(pd.DataFrame(rows), resamples=100)


@pytest.fixture(scope="module")
def advantages():
    return {"quick": table(masking.MASK_RULES)}, {"quick": table(masking.KEPT_SHARES)}


def test_a_column_for_each_share(advantages):
    shown = figures.advantage_table(advantages[1], figures.SHARES).data
    assert list(shown.columns) == ["10% kept", "30% kept", "50% kept"]
    assert shown["30% kept"].str.startswith("+0.200 [").all() and shown["30% kept"].str.endswith("(50%)").all()


def test_the_figure_has_every_rule_in_every_panel(advantages):
    figure = figures.share_figure(*advantages)
    assert len(figure.axes) == 4
    for ax in figure.axes:
        drawn = [float(bars.lines[0].get_xdata()[0]) for bars in ax.containers]
        assert drawn == pytest.approx([0.1, 0.2, 0.3, 0.1, 0.2, 0.3])
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["small VGG"]
