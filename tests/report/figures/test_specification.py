"""The figure of a specification curve, and its sentence."""

from itertools import product

import numpy as np
import pandas as pd

from contrastlib.report.figures.specification import (
    CROSSED_INTERVENTIONS,
    crossed_cells,
    in_words,
    largest_scale,
    masking_cells,
    perturbation_cells,
    scales_in_words,
    specification_curve,
)

CHOICES = {"network": "network", "mask_rule": "mask rule"}
CELLS = pd.DataFrame(
    {
        "network": ["birds_vgg", "birds_vgg", "birds_resnet", "birds_resnet"],
        "mask_rule": ["by_sign", "equal_as_coded"] * 2,
        "mean": [0.3, 0.1, 0.2, 0.0],
        "low": [0.2, 0.05, 0.1, -0.1],
        "high": [0.4, 0.15, 0.3, 0.1],
    }
)


def test_every_option_has_a_row_below_its_choice():
    figure = specification_curve(CELLS, CHOICES, "gain", 0.01)
    labels = [label.get_text() for label in figure.axes[1].get_yticklabels()]
    assert labels == [
        "mask rule (80%)",
        "by sign",
        "equal as coded",
        "network (20%)",
        "small VGG",
        "small ResNet",
    ]
    assert "4 combinations" in figure.axes[1].get_xlabel()


def test_the_sentence_says_where_intervals_lie_and_what_moves_the_effect():
    text = in_words(CELLS, CHOICES, 0.01)
    assert text.startswith(
        "Of 4 combinations of choices, 75% have an interval above 0 and 0% one below. "
        "The median effect is +0.150"
    )
    assert "The mask rule explains 80% of the variance" in text and "75% reach" in text


def test_masking_under_every_choice():
    """Explainers with the same map count once, and only combinations of ten photographs or more count."""
    rng = np.random.default_rng(0)
    rows = [
        {
            "network": "n",
            "method": method,
            "rank": rank,
            "baseline": baseline,
            "kept_sign": sign,
            "mask_rule": rule,
            "image": image,
            "group": image,
            "p_2": 0.15 + 0.02 * image,
            "contrast": contrast,
            "relative_probability": rng.random() if contrast == "original" else 1.0,
        }
        for rank, baseline, sign, rule, image, contrast in product(
            (1, 2),
            ("blur", "mean", "black"),
            ("positive", "negative"),
            ("by_sign",),
            range(12),
            ("original", "weighted"),
        )
        for method in ("gradcam", "xgradcam")
    ]
    table = pd.DataFrame(rows)
    same = table.groupby([each for each in table if each not in ("method", "relative_probability")])[
        "relative_probability"
    ].transform("first")
    cells = masking_cells({"quick": table.assign(relative_probability=same)}, [0.1, 0.2, 0.3], resamples=10)
    assert set(cells["method"]) == {"gradcam"} and set(cells["baseline"]) == {"blur", "mean"}
    assert set(cells["threshold"]) == {0.1} and len(cells) == 8
    assert (cells["mean"].gt(0) == cells["kept_sign"].eq("positive")).all()


def test_steps_under_every_choice():
    before = {
        "network": "n",
        "image": 0,
        "group": 0,
        "y_t_before": 1.0,
        "p_t_before": 0.5,
        "y_t": 1.0,
        "correct": True,
        "correct_before": True,
    }
    rows = [
        before | {"epsilon": epsilon, "iterations": 1, "contrast": contrast, "p_t": p}
        for epsilon, p in ((0.001, 0.6), (0.003, 0.9))
        for contrast, p in (("weighted", p), ("original", 0.5))
    ]
    cells = perturbation_cells({"quick": pd.DataFrame(rows)}, resamples=10)
    assert cells["mean"].round(6).tolist() == [0.1, 0.4]


def test_crossed_choices_on_enough_images():
    choices = dict.fromkeys(CROSSED_INTERVENTIONS, "a")
    table = pd.DataFrame(
        [
            choices
            | {"network": network, "repaintings": n, "image": image, "group": image, "difference": n * image}
            for network, count in (("birds_vgg", 12), ("birds_vit", 9))
            for n in (1, 2)
            for image in range(count)
        ]
    )
    found = crossed_cells(
        {"quick": table[table["image"] < 9], "real": table}, "difference", CROSSED_INTERVENTIONS, resamples=10
    )
    assert (
        list(found) == ["real"]
        and set(found["real"]["network"]) == {"birds_vgg"}
        and found["real"]["mean"].tolist() == [5.5, 11.0]
    )
    assert "**Real.** Of 2 combinations" in scales_in_words(found, CROSSED_INTERVENTIONS, 0.05).data
    assert "repaintings explains 100%" in scales_in_words(found, CROSSED_INTERVENTIONS, 0.05).data
    assert "2 combinations" in largest_scale(found, CROSSED_INTERVENTIONS, "difference").axes[1].get_xlabel()
    assert largest_scale({}, CROSSED_INTERVENTIONS, "difference").data.startswith(
        "No combination rests on 10 images"
    )
