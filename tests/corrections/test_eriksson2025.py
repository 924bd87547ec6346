"""Eriksson et al. 2025: identities in float64 for corrected forms, counterexamples for printed ones."""

import re
from pathlib import Path

import pandas as pd
import pytest
import sympy
import torch
import torchvision
from torch import nn
from torchvision.models import VisionTransformer, vgg

from contrastlib import contrasts
from contrastlib.autograd import INPUT, forward, predict
from contrastlib.evaluation import (
    correction_tables,
    corrections,
    explained_probability,
    masking,
    perturbation,
    receptive_fields,
)
from contrastlib.explainers import gradient, linear_approximation, vit, xgradcam
from contrastlib.explainers.fullgrad import fullgrad
from contrastlib.explainers.vit.methods import NORMALISE
from contrastlib.models.classifier import Normalise
from contrastlib.report.claims.corrections import correction
from contrastlib.report.figures.shared import published

EXACT = 1e-10


def test_12_the_weights_of_a_contrast_sum_to_zero(network, images):
    logits = predict(network, images)
    target, classes = logits.argmax(dim=1), logits.shape[1]
    sums = [
        corrections.mean_weights(logits, target, factor).sum(dim=1) for factor in corrections.MEAN_FACTORS
    ]
    for total, expected in zip(sums, (0, 1 / classes, 2 - classes)):
        assert (total - expected).abs().max() < EXACT
    rows = corrections.mean_factors(network, images, layer=network.layers[-1]).groupby("factor")
    assert (1 - rows["similarity"].min()["1/(C−1)"]) < EXACT and rows["similarity"].max()[
        "no factor"
    ] < 1 - 1e-6
    assert rows["weights"].mean().to_dict() == pytest.approx(
        dict(zip(corrections.MEAN_FACTORS, (0, 1 / classes, 2 - classes)))
    )


def test_12_what_all_classes_share_counts_only_without_the_right_factor(network, images):
    """A linear feature added to every logit: the mean contrast ignores it, but not with another factor."""

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
            record = forward(model.eval(), images)
            maps.append(gradient(record, corrections.mean_weights(record.logits, target, factor)))
        apart[factor] = (maps[0] - maps[1]).abs().max().item()
    classes = predict(network, images).shape[1]
    assert apart["1/(C−1)"] < EXACT
    assert apart["1/C"] == pytest.approx(3 / classes) and apart["no factor"] == pytest.approx(
        3 * (classes - 2)
    )


def test_12_the_cosine_without_the_factor_from_norm_and_cosine():
    torch.manual_seed(0)
    own, others = torch.randn(7).double(), torch.randn(4, 7).double()
    mean = others.mean(dim=0)
    rows = pd.DataFrame(
        {
            "network": "a",
            "classes": [2, 5],
            "foil_norm": [9.0, (mean.norm() / own.norm()).item()],
            "foil_cosine": [0.1, torch.cosine_similarity(mean, own, dim=0).item()],
        }
    )
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


def test_13_the_codes_written_plainly():
    """Ranks below the smaller number of positive pixels; above N less the larger number of negative ones."""
    torch.manual_seed(0)
    maps = torch.randn(2, 9, 9) + torch.tensor([0.4, -0.2])[:, None, None]
    ranks = maps.flatten(1).argsort().argsort()
    positive, negative = ((maps > 0).flatten(1).sum(1).min(), (maps < 0).flatten(1).sum(1).max())
    kept = {
        sign: masking.masked_pixels(maps, sign, "equal_as_coded").flatten(1) for sign in masking.KEPT_SIGNS
    }
    assert torch.equal(kept["positive"], ranks < positive) and torch.equal(
        kept["negative"], ranks > 81 - negative
    )
    assert kept["positive"].sum(1).tolist() == [positive] * 2
    assert kept["negative"].sum(1).tolist() == [negative - 1] * 2  # one less than counted


def test_14_zero_after_the_normalisation_is_not_black(images):
    model = nn.Sequential()
    model.add_module("normalise", Normalise((0.4, 0.5, 0.6), (0.2, 0.2, 0.3)).double())
    zeros, black = (masking.baseline(name, model, images) for name in ("zeros", "black"))
    assert model(zeros).abs().max() < EXACT and zeros.min() > 0.3 and model(black).max() < -1


def test_15_what_the_hook_of_the_codes_reads():
    """features[40] of VGG-16-BN stays signed; features[10] of AlexNet is overwritten by the ReLU after it."""
    torch.manual_seed(0)
    alexnet, normed = torchvision.models.alexnet().features, vgg.make_layers(vgg.cfgs["D"], batch_norm=True)
    assert alexnet[11].inplace and isinstance(normed[41], nn.BatchNorm2d)
    for features, layer, signed in ((alexnet, 10, False), (normed, 40, True)):
        seen = {}
        features[layer].register_forward_hook(
            lambda *each, s=seen: s.update(kept=each[2], inside=(each[2] < 0).double().mean())
        )
        features.eval()(torch.rand(1, 3, 128, 128))
        assert seen["inside"] > 0.2  # the convolution itself
        assert bool((seen["kept"] < 0).any()) == signed  # what the code reads after the pass


def test_16_the_sum_keeps_what_the_norm_loses(network, images):
    """sum_ij phi = sum_k w_k sum a^k = sum a dy with w_k = sum(a dy) / sum(a): XGradCAM conserves."""
    signed = network.layers[1]
    record = forward(network, images, network.layers)
    w = contrasts.weighted(record.logits, record.logits.argmax(dim=1))
    assert (record.activations[signed] < 0).any()
    whole = linear_approximation(record, w, signed).sum(dim=(-2, -1))
    kept, lost = (
        xgradcam(record, w, signed, normaliser=name).sum(dim=(-2, -1)) for name in ("sum", "absolute")
    )
    assert ((kept - whole).abs() / whole.abs()).max() < EXACT
    assert ((lost - whole).abs() / whole.abs()).min() > 0.01
    rows = corrections.normalisers(network, images, layers=[signed])
    assert (rows["kept"] - (lost / whole).numpy()).abs().max() < EXACT
    a = sympy.symbols("a1:4")
    g = sympy.symbols("g1:4")
    weight = sum(x * y for x, y in zip(a, g)) / sum(a)
    assert sympy.simplify(sum(weight * x for x in a) - sum(x * y for x, y in zip(a, g))) == 0


def test_16_the_normalisers_differ_where_activations_are_signed(images):
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * images[0, 0, 2:, 2:].numel(), 5)
    )
    rows = corrections.normalisers(network.double().eval(), images, layers=["0", "1"]).groupby("layer")
    assert 1 - rows["similarity"].min()["1"] < EXACT and rows["negative_sums"].max()["1"] == 0
    assert rows["similarity"].max()["0"] < 0.99 and rows["negative_sums"].min()["0"] > 0


def test_17_a_map_of_14_by_14_tokens():
    network = VisionTransformer(224, 16, num_layers=1, num_heads=1, hidden_dim=8, mlp_dim=8).eval()
    record = vit.vit_forward(network, torch.zeros(1, 3, 224, 224))
    assert vit.vit_gradcam(record, contrasts.original(record.logits, 0), "norm.0").shape[-2:] == (14, 14)


def test_18_backward_hooks_fire_in_the_other_order(images):
    order = {"forward": [], "backward": []}
    network = nn.Sequential(*(nn.Conv2d(3, 3, 3) for _ in range(3))).double()
    for i, layer in enumerate(network):
        layer.register_forward_hook(lambda *_, i=i: order["forward"].append(i))
        layer.register_full_backward_hook(lambda *_, i=i: order["backward"].append(i))
    network(images).sum().backward()
    assert order == {"forward": [0, 1, 2], "backward": [2, 1, 0]}  # zipped: 0 with 2, 1 with 1, 2 with 0


def test_18_without_keepdim_columns_are_divided():
    torch.manual_seed(0)
    a = torch.rand(1, 4, 4).double() + 0.1
    coded = a / a.sum(dim=-1)
    by_hand = torch.stack([a[0, :, j] / a[0, j].sum() for j in range(4)], dim=1)
    assert (coded[0] - by_hand).abs().max() < EXACT and torch.equal(NORMALISE["transposed"](a), coded)
    assert (coded.sum(dim=-1) - 1).abs().min() > 1e-3
    assert (NORMALISE["rows"](a).sum(dim=-1) - 1).abs().max() < EXACT


def test_19_no_linear_post_processing_leaves_one_sign(network, images):
    """phi(-w) = -phi(w); and weighted maps of all classes, times p_t (1 - p_t), add up to 0."""

    def maps(scale, target, postprocess):
        return fullgrad(network, images, lambda y: scale * contrasts.weighted(y, target), postprocess).map

    for postprocess, odd in (("identity", True), ("rescaled", False)):
        difference = (maps(1, 2, postprocess) + maps(-1, 2, postprocess)).abs().max()
        assert (difference < EXACT) == odd
    logits = predict(network, images)
    p = logits.softmax(dim=1)
    every = torch.stack([maps(1, t, "identity") for t in range(logits.shape[1])], dim=1)
    total = ((p * (1 - p))[..., None, None] * every).sum(dim=1)
    assert total.abs().max() < EXACT and (every < 0).any() and (every > 0).any()
    top = logits.argmax(dim=1)
    complete = fullgrad(network, images, lambda y: contrasts.weighted(y, top), "identity")
    weighted = (contrasts.weighted(logits, top) * logits).sum(dim=1)
    assert torch.allclose(complete.map.sum(dim=(1, 2)) + complete.constants, weighted, rtol=0, atol=EXACT)
    assert (weighted > 0).all()  # so that the map is negative everywhere only if the constants outweigh it


def test_20_the_gradient_of_p_keeps_its_direction_however_sure():
    """By autograd in float64, up to 1 - p_t of about 1e-8: p_t (1 - p_t) times that of the log-odds."""
    torch.manual_seed(0)
    for lead in (0.0, 5.0, 18.0):
        y = torch.randn(1, 6).double()
        y[0, 2] += lead
        y.requires_grad_()
        p = y.softmax(dim=1)[0, 2]
        (slopes,) = torch.autograd.grad(p, y)
        weighted = contrasts.weighted(y.detach(), 2)
        assert torch.cosine_similarity(slopes, weighted) > 1 - 1e-10
        torch.testing.assert_close(slopes, (p * (1 - p)).detach() * weighted, rtol=1e-6, atol=1e-16)


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


def test_26_the_published_means_exclude_the_defaults():
    """The means of t_1 before masking: images above a threshold of 0.3 or 0.4 cannot have them."""
    rows = published("blurring_masking").query("table == 'Table 1' and target == 't1'")
    means = rows.groupby(["paper", "dataset"])["unmodified_relative_probability"].first()
    assert means.max() < 1 - 0.1
    assert (means.groupby("paper").max() > 1 - 0.3).all() and (means > 1 - 0.4).all()


def test_35_the_identifiers_of_arxiv_say_which_came_first():
    """They begin with year and month. The bibliography has them, and the record prints the same."""
    bibliography = (Path(__file__).parents[2] / "book" / "references.bib").read_text(encoding="utf-8")

    def number(key):
        entry = bibliography.partition(f"{{{key},")[2].partition("\n}")[0]
        return re.search(r"arxiv\.org/abs/(\d{4}\.\d{5})", entry)[1]

    first, second = number("abnar2020"), number("dosovitskiy2020")
    assert first[:4] < second[:4]
    assert f"{first} and {second}" in correction(35).derivation
    assert "Abnar & Zuidema 2020" in vit.attention_rollout.__doc__


def test_36_the_steps_with_an_index_and_a_number(network, images, labels):
    """eq. 5 and 6 as a plain loop over n = 0, ..., N - 1 with alpha = epsilon / N."""
    epsilon, number = 3e-3, 4
    x = images
    for n in range(number):
        record = forward(network, x)
        x = x + epsilon / number * gradient(record, contrasts.weighted(record.logits, labels)).sign()
        x = x.clamp((images - epsilon).clamp(min=0), (images + epsilon).clamp(max=1))
        assert (
            n > 0 or (x - images).abs().max() < epsilon / number + EXACT
        )  # the first of the steps, not all of them
    start = forward(network, images)
    first = gradient(start, contrasts.weighted(start.logits, labels)[None])
    end = perturbation.perturbed(network, images, labels, first, ["weighted"], number, epsilon)[0]
    assert (end - x).abs().max() < EXACT


def test_37_the_code_of_the_rollout_finds_nothing_in_the_network_of_the_text():
    """It collects the outputs of modules whose name has attn_drop. torchvision's ViT-B/16 has none."""
    with torch.device("meta"):
        named, small = torchvision.models.vit_b_16(), VisionTransformer(224, 16, 12, 3, 192, 768)
    assert not [name for name, _ in named.named_modules() if "attn_drop" in name]
    assert (
        len(named.encoder.layers) == len(small.encoder.layers) == 12
    )  # the shape of a map does not tell them apart
    weights = [sum(each.numel() for each in network.parameters()) for network in (named, small)]
    assert weights[0] > 15 * weights[1]


def test_38_the_two_rows_of_the_review_add_up():
    rows = published("blurring_masking").query("paper == 'eriksson2025' and table == 'Table 1'")
    pairs = rows.groupby(["method", "target"])["unmodified_relative_probability"].first().unstack()
    assert ((pairs["t1"] + pairs["t2"] - 1).abs() < 1e-9).all() and len(pairs) == 3


def test_39_the_receptive_field_of_the_last_convolution_of_vgg16():
    """3 x 3 filters throughout, and 196 pixels: measured in float64, and from kernels and strides."""
    layers = receptive_fields.vgg16_features()[:29]
    sizes = [
        (3, 1) if isinstance(layer, nn.Conv2d) else (2, 2)
        for layer in layers
        if not isinstance(layer, nn.ReLU)
    ]
    assert all(layer.kernel_size == (3, 3) for layer in layers if isinstance(layer, nn.Conv2d))
    images = torch.rand(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    sides = receptive_fields.measured(layers, images, ["0", "28"])
    assert sides["0"] == 3 and sides["28"] == receptive_fields.computed(sizes)[-1] == 196


def test_40_one_direction_for_methods_linear_in_the_cotangent_only(network, images):
    logits = predict(network, images)
    with torch.no_grad():  # logits up to 6 apart; the networks are built anew for each test
        network[-1].weight.mul_(6 / (logits.max() - logits.min()))
    rows = explained_probability.compare(network, images)
    by_method = rows.groupby(["linear", "method"])["similarity"]
    assert 1 - by_method.min()[True].min() < EXACT and len(by_method.min()[True]) == 5
    assert by_method.min()[False]["integrated_gradients"] < 1 - 1e-6
    record = forward(network, images, INPUT)
    target = record.logits.argmax(dim=1)
    p = record.logits.softmax(dim=1).gather(1, target[:, None])[..., None, None]
    weighted, probability = (
        gradient(record, contrast(record.logits, target))
        for contrast in (contrasts.weighted, contrasts.probability)
    )
    assert (probability - p * (1 - p) * weighted).abs().max() < EXACT
    assert (
        probability - weighted
    ).abs().max() > 0.1 * weighted.abs().max()  # not equal: p (1 - p) is at most 1/4


def test_40_a_rollout_of_p_is_not_that_of_its_log_odds(images):
    torch.manual_seed(0)
    network = VisionTransformer(32, 8, num_layers=3, num_heads=2, hidden_dim=8, mlp_dim=16, num_classes=6)
    for weights in network.parameters():
        nn.init.normal_(weights, std=0.5)
    rows = explained_probability.compare(network.double().eval(), images, needs="tokens pass")
    by_method = rows.groupby(["linear", "method"])["similarity"]
    assert 1 - by_method.min()[True].min() < EXACT
    assert by_method.max()[False]["gradient_attention_rollout"] < 1 - 1e-6
