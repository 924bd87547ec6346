"""The corrections of page 05: identities in float64 for the corrected forms, counterexamples for the printed ones."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from contrastlib import contrasts
from contrastlib.autograd import INPUT, forward, predict
from contrastlib.evaluation import choices, correction_tables, corrections, masking
from contrastlib.explainers import gradient, input_x_gradient, vit
from contrastlib.models.classifier import Normalise

EXACT = 1e-10


@pytest.fixture
def edged(images):
    """Images of which many values lie at a border of [0, 1] or nearer to one than epsilon."""
    return torch.where(images < 0.2, 0.0005, torch.where(images > 0.8, 1.0, images))


@pytest.fixture
def labels(network, images):
    return predict(network, images).argmin(dim=1)


def test_errata_1_and_2_the_printed_clamp_and_the_printed_index(network, edged, labels):
    rows = corrections.sign_steps(network, edged, labels, iterations=(1, 2, 10))
    form = {name: part for name, part in rows.groupby("form")}
    assert (rows["largest"] < 1 + EXACT).all()  # N steps of epsilon / N, whatever the clamp
    assert (form["corrected"][["outside", "furthest"]] == 0).all(axis=None)
    assert (form["printed clamp"].groupby("iterations")["outside"].max() > 0.01).all()
    assert form["printed clamp"]["furthest"].max() == pytest.approx(1)
    assert form["printed index"]["apart"].max() < EXACT / 3e-3  # one gradient: the number of steps has no effect
    assert form["corrected"].query("iterations == 10")["apart"].max() > 0.1


def test_erratum_1_the_printed_interval_holds_every_pixel(network, edged, labels):
    """min(x - eps, 0) <= 0 and max(x + eps, 1) >= 1, so that no value of [0, 1] is clamped."""
    low, high = (edged - 3e-3).clamp(max=0), (edged + 3e-3).clamp(min=1)
    other = torch.rand_like(edged)
    assert torch.equal(other.clamp(low, high), other)
    assert not torch.equal(other.clamp((edged - 3e-3).clamp(min=0), (edged + 3e-3).clamp(max=1)), other)


def test_erratum_3_a_ratio_of_means():
    changes = pd.DataFrame({
        "network": "a", "contrast": "weighted", "iterations": 10, "quantity": "y_t", "group": [0, 1, 0, 1],
        "image": [0, 1, 0, 1], "epsilon": [0.001, 0.001, 0.003, 0.003], "change": [1.0, 2.0, 3.0, 6.0]})
    row = correction_tables.epsilon_ratios(changes, "y_t", resamples=20).loc["a"]
    assert row.to_dict() == pytest.approx({"mean": 3, "low": 3, "high": 3})
    published = correction_tables.epsilon_ratios(changes.groupby("epsilon").first().reset_index().drop(
        columns=["group", "image"]), "y_t")
    assert published.loc["a"].to_dict() == {"mean": 3}


def test_erratum_5_relative_probabilities_add_up_and_probabilities_do_not(network, images):
    table = masking.relative_probabilities(network, images, layer=network.layers[-1], threshold=0.0, baselines=("mean",))
    pairs = table.drop_duplicates(["image", "rank"]).groupby("image")
    assert (pairs["relative_probability_before"].sum() - 1).abs().max() < EXACT
    first = pairs.first()
    assert (first["p_1"] + first["p_2"]).max() < 1 - 1e-3
    ratio = first["p_1"] / (first["p_1"] + first["p_2"])
    header = correction_tables.headers(table.assign(network="a")).loc["a"]
    assert header["relative_probability_before"] == pytest.approx(ratio.mean(), abs=EXACT)
    assert header["p_1"] == pytest.approx(first["p_1"].mean(), abs=EXACT)


def test_erratum_6_the_blur_is_drawn_and_commutes_with_the_normalisation(network, images):
    draws = corrections.blur_draws(network, images, draws=3, threshold=0.0, layer=network.layers[0])
    assert len(draws) == 3 * len(images) and draws.groupby("image")["relative_probability"].nunique().eq(3).all()
    errors = correction_tables.blur_errors(draws)
    cells = draws.pivot(index="draw", columns="image", values="relative_probability").to_numpy()
    assert errors["one_sigma"] == pytest.approx(cells.mean(1).std(ddof=1))
    assert errors["own_sigma"] == pytest.approx(np.sqrt(cells.var(0, ddof=1).sum()) / 3)
    assert errors["sampling"] == pytest.approx(cells.mean(0).std(ddof=1) / np.sqrt(3))
    assert corrections.blur_draws(network, images, threshold=1.0, layer=network.layers[0]).empty
    normalise = Normalise((0.4, 0.5, 0.6), (0.2, 0.2, 0.3)).double()
    before, after = (masking.blur(normalise(images), 2.0, 9), normalise(masking.blur(images, 2.0, 9)))
    assert (before - after).abs().max() < EXACT


def test_erratum_8_exact_for_methods_linear_in_the_gradient_at_x(network, images, labels):
    """input x gradient of p_t is p_t (1 - p_t) times the weighted one; integrated gradients are in test_path_contrasts."""
    passed = forward(network, images, INPUT)
    p = passed.logits.softmax(dim=1).gather(1, labels[:, None])[..., None, None]
    weighted, probability = (input_x_gradient(passed, contrast(passed.logits, labels))
                             for contrast in (contrasts.weighted, contrasts.probability))
    assert (probability - p * (1 - p) * weighted).abs().max() < EXACT


def test_erratum_9_integrated_gradients_are_input_x_gradient_only_without_biases(network, images):
    rows = corrections.path_and_product(network, images, steps=8)
    by_biases = rows.groupby("biases")["similarity"]
    assert (1 - by_biases.min()[False]) < EXACT and by_biases.max()[True] < 0.999
    bare = corrections.homogeneous(network)
    assert (predict(bare, 3 * images) - 3 * predict(bare, images)).abs().max() < EXACT
    assert (predict(network, 3 * images) - 3 * predict(network, images)).abs().max() > 1e-3
    normalised = nn.Sequential()
    normalised.add_module("normalise", Normalise((0.4, 0.5, 0.6), (0.2, 0.2, 0.3)))
    assert (corrections.homogeneous(normalised)(images * 2) == 2 * corrections.homogeneous(normalised)(images)).all()
    assert normalised.normalise.mean.any()  # the copy was changed, not the model


def test_erratum_10_directions_and_differences():
    precision = pd.DataFrame({"network": ["a"] * 4, "cosine": [1.0, 0.5, np.nan, 0.995]})
    assert correction_tables.direction_lost(precision)["a"] == 0.5
    table = pd.DataFrame([{"network": "a", "kept_sign": "positive", "contrast": c, "group": i, "image": i, "rank": r, "v": v + r}
                          for c, v in (("weighted", 1.0), ("softmax", 0.25)) for i in range(3) for r in (1, 2)])
    row = correction_tables.exact_minus_softmax(table, "v", ["kept_sign"], resamples=10).iloc[0]
    assert row["mean"] == row["low"] == row["high"] == 0.75


def test_erratum_12_the_weights_of_a_contrast_sum_to_zero(network, images):
    logits = predict(network, images)
    target, classes = logits.argmax(dim=1), logits.shape[1]
    sums = [corrections.mean_weights(logits, target, factor).sum(dim=1) for factor in corrections.MEAN_FACTORS]
    for total, expected in zip(sums, (0, 1 / classes, 2 - classes)):
        assert (total - expected).abs().max() < EXACT
    rows = corrections.mean_factors(network, images, layer=network.layers[-1]).groupby("factor")
    assert (1 - rows["similarity"].min()["1/(C−1)"]) < EXACT and rows["similarity"].max()["no factor"] < 1 - 1e-6
    assert rows["weights"].mean().to_dict() == pytest.approx(dict(zip(corrections.MEAN_FACTORS, (0, 1 / classes, 2 - classes))))


def test_erratum_12_what_all_classes_share_counts_only_without_the_right_factor(network, images):
    """A linear feature added to every logit: the mean contrast ignores it, with another factor it does not."""
    class Shared(nn.Module):
        def __init__(self):
            super().__init__()
            self.network = network

        def forward(self, x):
            return self.network(x) + 3 * x.flatten(1).sum(dim=1, keepdim=True)

    target = predict(network, images).argmax(dim=1)
    apart = {}
    for factor in corrections.MEAN_FACTORS:
        maps = []
        for model in (network, Shared()):
            passed = forward(model.eval(), images)
            maps.append(gradient(passed, corrections.mean_weights(passed.logits, target, factor)))
        apart[factor] = (maps[0] - maps[1]).abs().max().item()
    classes = predict(network, images).shape[1]
    assert apart["1/(C−1)"] < EXACT
    assert apart["1/C"] == pytest.approx(3 / classes) and apart["no factor"] == pytest.approx(3 * (classes - 2))


def test_erratum_12_the_cosine_without_the_factor_from_norm_and_cosine():
    torch.manual_seed(0)
    own, others = torch.randn(7).double(), torch.randn(4, 7).double()
    mean = others.mean(dim=0)
    rows = pd.DataFrame({
        "network": "a", "classes": [2, 5], "foil_norm": [9.0, (mean.norm() / own.norm()).item()],
        "foil_cosine": [0.1, torch.cosine_similarity(mean, own, dim=0).item()]})
    expected = torch.cosine_similarity(own - others.sum(dim=0), own, dim=0).item()
    assert correction_tables.without_factor(rows)["a"] == pytest.approx(expected, abs=EXACT)


def test_erratum_13_only_the_rule_of_the_codes_takes_pixels_of_the_kept_sign(network, images):
    rows = corrections.pixels_of_the_wrong_sign(network, images, threshold=0.0, layer=network.layers[0])
    wrong = rows.groupby("mask_rule")["wrong"].max()
    assert wrong["by_sign"] == wrong["equal_as_described"] == 0 and wrong["equal_as_coded"] > 0
    counts = rows[rows["mask_rule"] != "by_sign"].groupby(["image", "kept_sign", "mask_rule"])["masked"]
    assert (counts.max() - counts.min()).max() < EXACT
    assert len(rows) == len(images) * 2 * 3 * 2
    assert corrections.pixels_of_the_wrong_sign(network, images, threshold=1.0, layer=network.layers[0]).empty


def test_erratum_14_zero_after_the_normalisation_is_not_black(images):
    model = nn.Sequential()
    model.add_module("normalise", Normalise((0.4, 0.5, 0.6), (0.2, 0.2, 0.3)).double())
    zeros, black = (masking.baseline(name, model, images) for name in ("zeros", "black"))
    assert model(zeros).abs().max() < EXACT and zeros.min() > 0.3 and model(black).max() < -1


def test_erratum_14_advantages_by_baseline():
    rows = pd.DataFrame([
        {"network": "a", "method": "gradcam", "rank": 1, "mask_rule": "by_sign", "kept_sign": "positive", "group": i,
         "image": i, "baseline": baseline, "contrast": contrast, "relative_probability": value}
        for i in range(3) for baseline, contrast, value in (
            ("black", "weighted", 0.6), ("black", "original", 0.5), ("zeros", "weighted", 0.8), ("zeros", "original", 0.5))])
    found = correction_tables.advantages_by_baseline(rows, resamples=10).set_index("baseline")["mean"]
    assert found.to_dict() == pytest.approx({"black": 0.1, "zeros": 0.3, "zeros − black": 0.2})


def test_erratum_15_stages_follow_the_order_of_the_layers():
    def rows(network, **layers):
        return [{"network": network, "layer": name.replace("_", "."), "contrast": contrast, "negative": value, "p_2": 0.2,
                 "method": "gradcam"} for name, value in layers.items() for contrast in ("original", "weighted")]

    table = pd.DataFrame(rows("three", features_18_2=0.1, features_18_1=0.4, features_18_0=0.2)
                         + rows("two", features_11=0.1, features_10=0.5) + rows("one", features_12=0.3))
    found = correction_tables.negative_area(table)["original"]
    assert found["three"].to_dict() == {"convolution": 0.2, "+ batch norm": 0.4, "+ ReLU": 0.1}
    assert found["two"].to_dict() == {"convolution": 0.5, "+ ReLU": 0.1} and found["one"].to_dict() == {"+ ReLU": 0.3}


def test_erratum_16_the_normalisers_differ_where_activations_are_signed(images):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * images[0, 0, 2:, 2:].numel(), 5))
    rows = corrections.normalisers(network.double().eval(), images, layers=["0", "1"]).groupby("layer")
    assert 1 - rows["similarity"].min()["1"] < EXACT and rows["negative_sums"].max()["1"] == 0
    assert rows["similarity"].max()["0"] < 0.99 and rows["negative_sums"].min()["0"] > 0


def test_erratum_17_a_map_of_14_by_14_tokens():
    from torchvision.models import VisionTransformer

    network = VisionTransformer(224, 16, num_layers=1, num_heads=1, hidden_dim=8, mlp_dim=8).eval()
    passed = vit.vit_forward(network, torch.zeros(1, 3, 224, 224))
    assert vit.vit_gradcam(passed, contrasts.original(passed.logits, 0), "norm.0").shape[-2:] == (14, 14)


def test_erratum_20_the_weights_of_the_others_do_not_depend_on_the_targets_logit():
    torch.manual_seed(0)
    logits = torch.randn(2, 6).double()
    surer = logits.clone()
    surer[:, 2] += 15
    target = torch.tensor([2, 2])
    assert (contrasts.weighted(surer, target) - contrasts.weighted(logits, target)).abs().max() < EXACT
    assert contrasts.probability(surer, target).norm() < 0.05 * contrasts.probability(logits, target).norm()


def test_erratum_26_a_threshold_bounds_the_relative_probability():
    """p_1 <= 1 - p_2, so that p_1 / (p_1 + p_2) < 1 - tau where p_2 > tau."""
    torch.manual_seed(0)
    two = (3 * torch.randn(20_000, 4).double()).softmax(dim=1).topk(2, dim=1).values
    relative = two[:, 0] / two.sum(dim=1)
    for tau in (0.1, 0.3, 0.4):
        assert relative[two[:, 1] > tau].max() < 1 - tau
    assert relative[two[:, 1] > 0.1].max() > 0.85  # the bound is not far off: 0.3 would have been seen


def masked_rows(images=12):
    return pd.DataFrame([
        {"network": "a", "method": "gradcam", "rank": 1, "mask_rule": "by_sign", "kept_sign": "positive", "group": i, "image": i,
         "baseline": "blur", "contrast": contrast, "relative_probability": value, "masked": 0.5, "p_2": 0.15 + 0.3 * (i % 2)}
        for i in range(images) for contrast, value in (("weighted", 0.7), ("original", 0.6))])


def test_erratum_26_networks_with_few_images_are_left_out():
    found = correction_tables.at_thresholds(masked_rows(), (0.1, 0.4), fewest=10, resamples=10)
    assert found["threshold"].tolist() == [0.1] and found["mean"].item() == pytest.approx(0.1)
    assert correction_tables.at_thresholds(masked_rows(), (0.1, 0.4), fewest=6, resamples=10)["images"].tolist() == [12, 6]


def test_open_choices_that_turn_an_interval_around():
    rows = masked_rows().drop(columns=["p_2", "masked"])
    turned = rows.assign(relative_probability=1 - rows["relative_probability"])
    table = pd.concat([rows.assign(choice=choices.PUBLISHED), turned.assign(choice="other"), rows.assign(choice="same")])
    found = choices.masking_turned(table, resamples=10).set_index("choice")["mean"]
    assert found.to_dict() == {"other": 1.0, "same": 0.0}


def test_open_choices_of_the_perturbation():
    table = pd.DataFrame([
        {"network": "a", "choice": choice, "contrast": contrast, "group": i, "image": i, "epsilon": 0.003, "iterations": 1,
         "correct": True, "p_t": p, "y_t": 1.0, "correct_before": True, "p_t_before": 0.5, "y_t_before": 1.0}
        for choice, gain in ((choices.PUBLISHED, 0.2), ("towards", 0.1)) for i in range(4)
        for contrast, p in (("weighted", 0.5 + gain), ("original", 0.5))])
    gains = choices.perturbation_gains(table, resamples=10).set_index("choice")["mean"]
    assert gains.to_dict() == pytest.approx({choices.PUBLISHED: 0.2, "towards": 0.1})
    compared = choices.beside_published(choices.perturbation_gains(table, resamples=10), ["network"])
    assert compared["moved"].item() == pytest.approx(0.1) and not compared["turned"].any() and not compared["lost"].any()
    assert choices.perturbation_turned(table, resamples=10)["mean"].tolist() == [0.0]
