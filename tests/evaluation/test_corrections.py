"""What page 05 measures: tables and their sums. The corrections are proved in tests/corrections."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from contrastlib.evaluation import choices, correction_tables, corrections, masking
from contrastlib.models.classifier import Normalise

EXACT = 1e-10


def test_erratum_3_a_ratio_of_means():
    changes = pd.DataFrame(
        {
            "network": "a",
            "contrast": "weighted",
            "iterations": 10,
            "quantity": "y_t",
            "group": [0, 1, 0, 1],
            "image": [0, 1, 0, 1],
            "epsilon": [0.001, 0.001, 0.003, 0.003],
            "change": [1.0, 2.0, 3.0, 6.0],
        }
    )
    row = correction_tables.epsilon_ratios(changes, "y_t", resamples=20).loc["a"]
    assert row.to_dict() == pytest.approx({"mean": 3, "low": 3, "high": 3})
    published = correction_tables.epsilon_ratios(
        changes.groupby("epsilon").first().reset_index().drop(columns=["group", "image"]), "y_t"
    )
    assert published.loc["a"].to_dict() == {"mean": 3}


def test_erratum_5_relative_probabilities_add_up_and_probabilities_do_not(network, images):
    table = masking.relative_probabilities(
        network, images, layer=network.layers[-1], threshold=0.0, baselines=("mean",)
    )
    pairs = table.drop_duplicates(["image", "rank"]).groupby("image")
    assert (pairs["relative_probability_before"].sum() - 1).abs().max() < EXACT
    first = pairs.first()
    assert (first["p_1"] + first["p_2"]).max() < 1 - 1e-3
    ratio = first["p_1"] / (first["p_1"] + first["p_2"])
    header = correction_tables.headers(table.assign(network="a")).loc["a"]
    assert header["relative_probability_before"] == pytest.approx(ratio.mean(), abs=EXACT)
    assert header["p_1"] == pytest.approx(first["p_1"].mean(), abs=EXACT)


def test_erratum_13_from_the_table_is_the_direct_count(network, images):
    layer = network.layers[-1]
    table = masking.relative_probabilities(
        network, images, layer=layer, threshold=0.0, baselines=("mean",), methods=("gradcam",)
    )
    table = table[table["rank"] == 1].assign(network="a", group=table["image"])
    found = correction_tables.as_coded(table).set_index(["kept_sign", "contrast"])
    counted = corrections.pixels_of_the_wrong_sign(network, images, threshold=0.0, layer=layer)
    direct = (
        counted[counted["mask_rule"] == "equal_as_coded"].groupby(["kept_sign", "contrast"])["wrong"].mean()
    )
    assert found["wrong"].to_dict() == pytest.approx(direct.to_dict(), abs=EXACT) and direct.max() > 0
    means = (
        table[table["method"] == "gradcam"]
        .groupby(["mask_rule", "kept_sign", "contrast"])["relative_probability"]
        .mean()
    )
    changes = (means["equal_as_coded"] - means["equal_as_described"]).to_dict()
    assert found["change"].to_dict() == pytest.approx(changes, abs=EXACT)


class Recurrent(nn.Module):
    """Rows of the image are steps of a recurrent layer, whose attribute ``bias`` is True and no tensor."""

    def __init__(self):
        super().__init__()
        self.layer, self.head = nn.GRU(24, 5, batch_first=True), nn.Linear(5, 4)

    def forward(self, images):
        return self.head(self.layer(images.transpose(1, 2).flatten(2))[0][:, -1])


def test_erratum_8_of_a_network_whose_layers_have_biases_of_other_names():
    torch.manual_seed(0)
    table = corrections.path_and_product(Recurrent(), torch.rand(2, 3, 8, 8), steps=2)
    assert len(table) == 2 * 2 * 2 and table["similarity"].between(-1, 1).all()


def test_erratum_6_the_blur_is_drawn_and_commutes_with_the_normalisation(network, images):
    draws = corrections.blur_draws(network, images, draws=3, threshold=0.0, layer=network.layers[0])
    assert (
        len(draws) == 3 * len(images) and draws.groupby("image")["relative_probability"].nunique().eq(3).all()
    )
    errors = correction_tables.blur_errors(draws)
    cells = draws.pivot(index="draw", columns="image", values="relative_probability").to_numpy()
    assert errors["one_sigma"] == pytest.approx(cells.mean(1).std(ddof=1))
    assert errors["own_sigma"] == pytest.approx(np.sqrt(cells.var(0, ddof=1).sum()) / 3)
    assert errors["sampling"] == pytest.approx(cells.mean(0).std(ddof=1) / np.sqrt(3))
    assert corrections.blur_draws(network, images, threshold=1.0, layer=network.layers[0]).empty
    normalise = Normalise((0.4, 0.5, 0.6), (0.2, 0.2, 0.3)).double()
    before, after = (masking.blur(normalise(images), 2.0, 9), normalise(masking.blur(images, 2.0, 9)))
    assert (before - after).abs().max() < EXACT


def test_erratum_10_differences():
    table = pd.DataFrame(
        [
            {
                "network": "a",
                "kept_sign": "positive",
                "contrast": c,
                "group": i,
                "image": i,
                "rank": r,
                "v": v + r,
            }
            for c, v in (("weighted", 1.0), ("softmax", 0.25))
            for i in range(3)
            for r in (1, 2)
        ]
    )
    row = correction_tables.exact_minus_softmax(table, "v", ["kept_sign"], resamples=10).iloc[0]
    assert row["mean"] == row["low"] == row["high"] == 0.75


def test_erratum_14_advantages_by_baseline():
    rows = pd.DataFrame(
        [
            {
                "network": "a",
                "method": "gradcam",
                "rank": 1,
                "mask_rule": "by_sign",
                "kept_sign": "positive",
                "group": i,
                "image": i,
                "baseline": baseline,
                "contrast": contrast,
                "relative_probability": value,
            }
            for i in range(3)
            for baseline, contrast, value in (
                ("black", "weighted", 0.6),
                ("black", "original", 0.5),
                ("zeros", "weighted", 0.8),
                ("zeros", "original", 0.5),
            )
        ]
    )
    found = correction_tables.advantages_by_baseline(rows, resamples=10).set_index("baseline")["mean"]
    assert found.to_dict() == pytest.approx({"black": 0.1, "zeros": 0.3, "zeros − black": 0.2})


def test_erratum_15_stages_follow_the_order_of_the_layers():
    def rows(network, **layers):
        return [
            {
                "network": network,
                "layer": name.replace("_", "."),
                "contrast": contrast,
                "negative": value,
                "p_2": 0.2,
                "method": "gradcam",
            }
            for name, value in layers.items()
            for contrast in ("original", "weighted")
        ]

    table = pd.DataFrame(
        rows("three", features_18_2=0.1, features_18_1=0.4, features_18_0=0.2)
        + rows("two", features_11=0.1, features_10=0.5)
        + rows("one", features_12=0.3)
    )
    found = correction_tables.negative_area(table)["original"]
    assert found["three"].to_dict() == {"convolution": 0.2, "+ batch norm": 0.4, "+ ReLU": 0.1}
    assert found["two"].to_dict() == {"convolution": 0.5, "+ ReLU": 0.1} and found["one"].to_dict() == {
        "+ ReLU": 0.3
    }


def masked_rows(images=12):
    return pd.DataFrame(
        [
            {
                "network": "a",
                "method": "gradcam",
                "rank": 1,
                "mask_rule": "by_sign",
                "kept_sign": "positive",
                "group": i,
                "image": i,
                "baseline": "blur",
                "contrast": contrast,
                "relative_probability": value,
                "masked": 0.5,
                "p_2": 0.15 + 0.3 * (i % 2),
            }
            for i in range(images)
            for contrast, value in (("weighted", 0.7), ("original", 0.6))
        ]
    )


def test_erratum_26_networks_with_few_images_are_left_out():
    found = correction_tables.at_thresholds(masked_rows(), (0.1, 0.4), fewest=10, resamples=10)
    assert found["threshold"].tolist() == [0.1] and found["mean"].item() == pytest.approx(0.1)
    assert correction_tables.at_thresholds(masked_rows(), (0.1, 0.4), fewest=6, resamples=10)[
        "images"
    ].tolist() == [12, 6]


def test_open_choices_that_turn_an_interval_around():
    rows = masked_rows().drop(columns=["p_2", "masked"])
    turned = rows.assign(relative_probability=1 - rows["relative_probability"])
    table = pd.concat(
        [rows.assign(choice=choices.PUBLISHED), turned.assign(choice="other"), rows.assign(choice="same")]
    )
    found = choices.masking_turned(table, resamples=10).set_index("choice")["mean"]
    assert found.to_dict() == {"other": 1.0, "same": 0.0}


def test_open_choices_of_the_perturbation():
    table = pd.DataFrame(
        [
            {
                "network": "a",
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
            for choice, gain in ((choices.PUBLISHED, 0.2), ("towards", 0.1))
            for i in range(4)
            for contrast, p in (("weighted", 0.5 + gain), ("original", 0.5))
        ]
    )
    gains = choices.perturbation_gains(table, resamples=10).set_index("choice")["mean"]
    assert gains.to_dict() == pytest.approx({choices.PUBLISHED: 0.2, "towards": 0.1})
    compared = choices.beside_published(choices.perturbation_gains(table, resamples=10), ["network"])
    assert (
        compared["moved"].item() == pytest.approx(0.1)
        and not compared["turned"].any()
        and not compared["lost"].any()
    )
    assert choices.perturbation_turned(table, resamples=10)["mean"].tolist() == [0.0]
