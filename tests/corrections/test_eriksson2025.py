"""Eriksson et al. 2025: identities in float64 for the corrected forms, counterexamples for the printed ones."""

import pandas as pd
import pytest
import torch
from torch import nn

from contrastlib import contrasts
from contrastlib.autograd import forward, predict
from contrastlib.evaluation import correction_tables, corrections, masking
from contrastlib.explainers import gradient, vit
from contrastlib.models.classifier import Normalise

EXACT = 1e-10


def test_12_the_weights_of_a_contrast_sum_to_zero(network, images):
    logits = predict(network, images)
    target, classes = logits.argmax(dim=1), logits.shape[1]
    sums = [corrections.mean_weights(logits, target, factor).sum(dim=1) for factor in corrections.MEAN_FACTORS]
    for total, expected in zip(sums, (0, 1 / classes, 2 - classes)):
        assert (total - expected).abs().max() < EXACT
    rows = corrections.mean_factors(network, images, layer=network.layers[-1]).groupby("factor")
    assert (1 - rows["similarity"].min()["1/(C−1)"]) < EXACT and rows["similarity"].max()["no factor"] < 1 - 1e-6
    assert rows["weights"].mean().to_dict() == pytest.approx(dict(zip(corrections.MEAN_FACTORS, (0, 1 / classes, 2 - classes))))


def test_12_what_all_classes_share_counts_only_without_the_right_factor(network, images):
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


def test_12_the_cosine_without_the_factor_from_norm_and_cosine():
    torch.manual_seed(0)
    own, others = torch.randn(7).double(), torch.randn(4, 7).double()
    mean = others.mean(dim=0)
    rows = pd.DataFrame({
        "network": "a", "classes": [2, 5], "foil_norm": [9.0, (mean.norm() / own.norm()).item()],
        "foil_cosine": [0.1, torch.cosine_similarity(mean, own, dim=0).item()]})
    expected = torch.cosine_similarity(own - others.sum(dim=0), own, dim=0).item()
    assert correction_tables.without_factor(rows)["a"] == pytest.approx(expected, abs=EXACT)


def test_13_only_the_rule_of_the_codes_takes_pixels_of_the_kept_sign(network, images):
    rows = corrections.pixels_of_the_wrong_sign(network, images, threshold=0.0, layer=network.layers[0])
    wrong = rows.groupby("mask_rule")["wrong"].max()
    assert wrong["by_sign"] == wrong["equal_as_described"] == 0 and wrong["equal_as_coded"] > 0
    counts = rows[rows["mask_rule"] != "by_sign"].groupby(["image", "kept_sign", "mask_rule"])["masked"]
    assert (counts.max() - counts.min()).max() < EXACT
    assert len(rows) == len(images) * 2 * 3 * 2
    assert corrections.pixels_of_the_wrong_sign(network, images, threshold=1.0, layer=network.layers[0]).empty


def test_14_zero_after_the_normalisation_is_not_black(images):
    model = nn.Sequential()
    model.add_module("normalise", Normalise((0.4, 0.5, 0.6), (0.2, 0.2, 0.3)).double())
    zeros, black = (masking.baseline(name, model, images) for name in ("zeros", "black"))
    assert model(zeros).abs().max() < EXACT and zeros.min() > 0.3 and model(black).max() < -1


def test_16_the_normalisers_differ_where_activations_are_signed(images):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * images[0, 0, 2:, 2:].numel(), 5))
    rows = corrections.normalisers(network.double().eval(), images, layers=["0", "1"]).groupby("layer")
    assert 1 - rows["similarity"].min()["1"] < EXACT and rows["negative_sums"].max()["1"] == 0
    assert rows["similarity"].max()["0"] < 0.99 and rows["negative_sums"].min()["0"] > 0


def test_17_a_map_of_14_by_14_tokens():
    from torchvision.models import VisionTransformer

    network = VisionTransformer(224, 16, num_layers=1, num_heads=1, hidden_dim=8, mlp_dim=8).eval()
    passed = vit.vit_forward(network, torch.zeros(1, 3, 224, 224))
    assert vit.vit_gradcam(passed, contrasts.original(passed.logits, 0), "norm.0").shape[-2:] == (14, 14)


def test_20_the_weights_of_the_others_do_not_depend_on_the_targets_logit():
    torch.manual_seed(0)
    logits = torch.randn(2, 6).double()
    surer = logits.clone()
    surer[:, 2] += 15
    target = torch.tensor([2, 2])
    assert (contrasts.weighted(surer, target) - contrasts.weighted(logits, target)).abs().max() < EXACT
    assert contrasts.probability(surer, target).norm() < 0.05 * contrasts.probability(logits, target).norm()


def test_26_a_threshold_bounds_the_relative_probability():
    """p_1 <= 1 - p_2, so that p_1 / (p_1 + p_2) < 1 - tau where p_2 > tau."""
    torch.manual_seed(0)
    two = (3 * torch.randn(20_000, 4).double()).softmax(dim=1).topk(2, dim=1).values
    relative = two[:, 0] / two.sum(dim=1)
    for tau in (0.1, 0.3, 0.4):
        assert relative[two[:, 1] > tau].max() < 1 - tau
    assert relative[two[:, 1] > 0.1].max() > 0.85  # the bound is not far off: 0.3 would have been seen
