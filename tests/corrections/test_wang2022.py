"""Wang & Wang 2022: identities in float64 for the corrected forms, counterexamples for the printed ones."""

import math

import pytest
import sympy
import torch
import torchvision
from torch import nn

from contrastlib import contrasts
from contrastlib.autograd import INPUT, forward, predict
from contrastlib.evaluation import corrections, masking, precision, statements, theory
from contrastlib.evaluation.homogeneity import without_shifts
from contrastlib.explainers import gradient, input_x_gradient, integrated_gradients, linear_approximation
from contrastlib.explainers.lrp import contrastive_lrp
from contrastlib.models.classifier import Normalise
from contrastlib.report.figures.shared import published

EXACT = 1e-10


def test_1_the_printed_interval_holds_every_pixel(edged):
    """min(x - eps, 0) <= 0 and max(x + eps, 1) >= 1, so that no value of [0, 1] is clamped."""
    low, high = (edged - 3e-3).clamp(max=0), (edged + 3e-3).clamp(min=1)
    other = torch.rand_like(edged)
    assert torch.equal(other.clamp(low, high), other)
    assert not torch.equal(other.clamp((edged - 3e-3).clamp(min=0), (edged + 3e-3).clamp(max=1)), other)


def test_1_and_2_steps_with_the_printed_clamp_and_the_printed_index(network, edged, labels):
    rows = corrections.sign_steps(network, edged, labels, iterations=(1, 2, 10))
    form = {name: part for name, part in rows.groupby("form")}
    assert (rows["largest"] < 1 + EXACT).all()  # N steps of epsilon / N, whatever the clamp
    assert (form["corrected"][["outside", "furthest"]] == 0).all(axis=None)
    assert (form["printed clamp"].groupby("iterations")["outside"].max() > 0.01).all()
    assert form["printed clamp"]["furthest"].max() == pytest.approx(1)
    assert (
        form["printed index"]["apart"].max() < EXACT / 3e-3
    )  # one gradient: the number of steps has no effect
    assert form["corrected"].query("iterations == 10")["apart"].max() > 0.1


def test_2_one_letter_for_index_and_number_of_steps():
    """With alpha = epsilon / n a pixel moves epsilon times a harmonic number, with epsilon / N epsilon."""
    n, steps, epsilon = sympy.symbols("n N epsilon", positive=True)
    assert sympy.simplify(sympy.summation(epsilon / steps, (n, 1, steps)) - epsilon) == 0
    read_literally = sympy.summation(1 / n, (n, 1, 10))
    assert read_literally == sympy.harmonic(10) and abs(float(read_literally) - 2.93) < 0.005


def test_3_a_sign_step_changes_a_linear_logit_by_epsilon_times_the_norm():
    """y(x + eps sign(w)) - y(x) = eps norm_1(w): three times the epsilon, three times the change."""
    torch.manual_seed(0)
    w, x = torch.randn(2, 12).double()
    change = {epsilon: (w @ (x + epsilon * w.sign()) - w @ x).item() for epsilon in (1e-3, 3e-3)}
    assert change[1e-3] == pytest.approx(1e-3 * w.abs().sum().item(), abs=EXACT)
    assert change[3e-3] == pytest.approx(3 * change[1e-3], abs=EXACT) and change[1e-3] > 1e-3


def test_4_the_index_of_the_code_exists_with_batch_norm_alone():
    with torch.device("meta"):
        plain, normed = torchvision.models.vgg16().features, torchvision.models.vgg16_bn().features
    assert isinstance(normed[40], nn.Conv2d) and isinstance(normed[41], nn.BatchNorm2d)
    assert len(plain) <= 40 and isinstance(plain[28], nn.Conv2d) and plain[29].inplace


@pytest.mark.parametrize(
    "between, negative",
    [(nn.Identity, False), (lambda: nn.BatchNorm2d(4), True)],
    ids=["plain", "batch norm"],
)
def test_4_a_relu_in_place_overwrites_what_the_hook_stored(images, between, negative):
    """The public code keeps the output of a convolution in a hook and reads it after the pass."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), between(), nn.ReLU(inplace=True)).double().eval()
    seen = {}
    network[0].register_forward_hook(
        lambda module, inputs, output: seen.update(kept=output, signed=bool((output < 0).any()))
    )
    network(images)
    assert seen["signed"]  # inside the hook
    assert bool((seen["kept"] < 0).any()) == negative  # afterwards, when the map is made


def test_5_relative_probabilities_add_up_and_probabilities_do_not(network, images):
    table = masking.relative_probabilities(
        network, images, layer=network.layers[-1], threshold=0.0, baselines=("mean",)
    )
    pairs = table.drop_duplicates(["image", "rank"]).groupby("image")
    assert (pairs["relative_probability_before"].sum() - 1).abs().max() < EXACT
    first = pairs.first()
    assert (first["p_1"] + first["p_2"]).max() < 1 - 1e-3
    rows = published("blurring_masking").query("paper == 'wang2022' and method == 'GC'")
    means = rows.groupby(["dataset", "target"])["unmodified_relative_probability"].first().unstack()
    assert ((means["t1"] + means["t2"] - 1).abs() < 1e-9).all() and len(means) == 5


def test_6_a_seeded_run_repeats_and_both_maps_share_the_blur(images):
    """torchvision's blur draws sigma at each call; with the seed of the code the draws repeat."""
    blur = torchvision.transforms.GaussianBlur(9, sigma=(1, 2))

    def run():
        torch.manual_seed(0)
        return blur(images), blur(images)

    first, second = run()
    assert all(torch.equal(one, other) for one, other in zip(run(), (first, second)))
    assert (first - second).abs().max() > 1e-3


def test_6_the_blur_commutes_with_the_normalisation(images):
    normalise = Normalise((0.4, 0.5, 0.6), (0.2, 0.2, 0.3)).double()
    before, after = masking.blur(normalise(images), 2.0, 9), normalise(masking.blur(images, 2.0, 9))
    assert (before - after).abs().max() < EXACT


def test_7_one_path_at_two_speeds():
    """With equal rates the sigmoid is late by a factor 2; the gap at equal times falls with the step size."""
    gaps = theory.training_gaps(rate=0.1, updates=200).groupby("rates")["gap"]
    assert gaps.max()["doubled"] < EXACT and gaps.last()["equal"] > 0.1
    finer = theory.training_gaps(rate=0.05, updates=400).groupby("rates")["gap"].last()
    assert finer["twice as long"] == pytest.approx(gaps.last()["twice as long"] / 2, rel=0.05)
    assert finer["equal"] > 0.1  # that one does not fall: it is no error of the step size


def test_7_twice_the_rate_and_half_the_decay():
    def last(**options):
        return theory.training_gaps(decay=0.05, **options).groupby("rates")["gap"].last()["doubled"]

    assert last(sigmoid_decay=0.025) < EXACT and last() > 1e-3


def test_8_exact_for_methods_linear_in_the_gradient_at_x(network, images, labels):
    """input x gradient of p_t is p_t (1 - p_t) times the weighted one."""
    record = forward(network, images, INPUT)
    p = record.logits.softmax(dim=1).gather(1, labels[:, None])[..., None, None]
    weighted, probability = (
        input_x_gradient(record, contrast(record.logits, labels))
        for contrast in (contrasts.weighted, contrasts.probability)
    )
    assert (probability - p * (1 - p) * weighted).abs().max() < EXACT


def test_8_integrated_gradients_of_p_differ_without_biases_too(network, images):
    """y = (x_1, x_2, 0) at (4, 2), by sympy; and a network without biases."""
    tau = sympy.symbols("tau")
    e1, e2 = sympy.exp(4 * tau), sympy.exp(2 * tau)
    total = e1 + e2 + 1
    slopes = [4 * e1 * (e2 + 1) / total**2, -2 * e1 * e2 / total**2]  # x_i dp_1/dx_i along the path
    integral = [float(sympy.Integral(each, (tau, 0, 1)).evalf()) for each in slopes]
    at_x = [float(each.subs(tau, 1)) for each in slopes]
    assert at_x[1] / at_x[0] == pytest.approx(-0.4404, abs=1e-4)
    assert integral[1] / integral[0] == pytest.approx(-0.3483, abs=1e-4)
    p = 1 / (1 + math.exp(-2) + math.exp(-4))
    assert sum(integral) == pytest.approx(p - 1 / 3, abs=EXACT)  # complete, for p itself

    bare = without_shifts(network)
    logits = predict(bare, images)
    images = images * (6 / (logits.max() - logits.min()))  # homogeneous: now the logits are up to 6 apart
    target = logits.argmax(dim=1)
    along = integrated_gradients(
        bare, images, lambda y: contrasts.probability(y, target), steps=64, contrast_at="path"
    )
    record = forward(bare, images, INPUT)
    product = input_x_gradient(record, contrasts.probability(record.logits, target))
    assert (torch.cosine_similarity(along.flatten(1), product.flatten(1)) < 1 - 1e-6).all()


def test_9_integrated_gradients_are_input_x_gradient_only_without_biases(network, images):
    rows = corrections.path_and_product(network, images, steps=8)
    by_biases = rows[rows["explained"] == "y_t"].groupby("biases")["similarity"]
    assert (1 - by_biases.min()[False]) < EXACT and by_biases.max()[True] < 0.999
    bare = without_shifts(network)
    assert (predict(bare, 3 * images) - 3 * predict(bare, images)).abs().max() < EXACT
    assert (predict(network, 3 * images) - 3 * predict(network, images)).abs().max() > 1e-3
    normalised = nn.Sequential()
    normalised.add_module("normalise", Normalise((0.4, 0.5, 0.6), (0.2, 0.2, 0.3)))
    assert (without_shifts(normalised)(images * 2) == 2 * without_shifts(normalised)(images)).all()
    assert normalised.normalise.mean.any()  # the copy was changed, not the model


def sure_logits(log_odds, rivals):
    """Logits of a target and equal rivals, whose log-odds are those given."""
    return torch.tensor([[log_odds + math.log(rivals)] + [0.0] * rivals], dtype=torch.float64)


@pytest.mark.parametrize(
    "softmax", [torch.softmax, lambda y, dim: torch.log_softmax(y, dim).exp()], ids=["softmax", "log_softmax"]
)
@pytest.mark.parametrize("rivals", [1, 10])
def test_10_where_float32_loses_the_target(softmax, rivals):
    """From some log-odds on the term of the target is exactly 0 and those of the rivals are not.

    Where several rivals are lost depends on the order in which a processor adds them: at the earliest where
    each alone is below 2 ** -24 of the target, at the latest where all together are.
    """

    def slopes(log_odds):
        y = sure_logits(log_odds, rivals).float().requires_grad_()
        return torch.autograd.grad(softmax(y, 1)[0, 0], y)[0][0]

    assert slopes(24 * math.log(2) - math.log(rivals) - 0.1)[0] > 0
    lost = slopes(24 * math.log(2) + 0.1)
    assert lost[0] == 0 and (lost[1:] < 0).all()


@pytest.mark.parametrize("log_odds", [5.0, 17.0, 60.0])
def test_10_the_log_odds_keep_it(log_odds):
    y = sure_logits(log_odds, 10)
    exact = y.clone().requires_grad_()
    (slopes,) = torch.autograd.grad(exact[0, 0] - exact[0, 1:].logsumexp(0), exact)
    assert (contrasts.weighted(y, 0) - slopes).abs().max() < EXACT
    assert (contrasts.weighted(y.float(), 0) - slopes).abs().max() < 1e-6
    through = precision.softmax_gradient(y.float(), torch.tensor([0])).double()
    assert (torch.cosine_similarity(through, slopes)[0] > 0.999) == (log_odds < 14)


def test_21_the_weighted_step_raises_p_most_by_construction(network, images, labels):
    """To first order no step as long raises p_t more, and none as large in each pixel more than its sign."""
    record = forward(network, images, INPUT)
    weighted, original = (
        gradient(record, contrast(record.logits, labels))
        for contrast in (contrasts.weighted, contrasts.original)
    )

    def gain(step):
        odds = [contrasts.log_odds(predict(network, x), labels) for x in (images, images + step)]
        return odds[1] - odds[0]

    def unit(direction):
        return direction / direction.flatten(1).norm(dim=1)[:, None, None, None]

    others = [original, torch.randn_like(images)]
    most = gain(1e-5 * unit(weighted))
    assert torch.allclose(most, 1e-5 * weighted.flatten(1).norm(dim=1), rtol=1e-3)
    assert all((gain(1e-5 * unit(direction)) < most).all() for direction in others)
    most = gain(1e-7 * weighted.sign())
    assert torch.allclose(most, 1e-7 * weighted.flatten(1).norm(dim=1, p=1), rtol=1e-3)
    assert all((gain(1e-7 * direction.sign()) < most).all() for direction in others)


def test_22_two_maps_with_one_order_score_differently_by_sign(images):
    """Adding a constant to a map changes the masked share from none to all, not the order of its pixels."""
    heat = images[0, 0] - 0.5
    masked = {
        shift: masking.masked_pixels(torch.stack([heat + shift] * 2), "positive", "by_sign")
        .double()
        .mean()
        .item()
        for shift in (-1, 0, 1)
    }
    assert masked[1] == 0 and masked[-1] == 1 and 0.3 < masked[0] < 0.7
    assert torch.equal((heat + 1).flatten().argsort(), heat.flatten().argsort())


def test_27_lrp_0_is_input_x_gradient_and_other_rules_are_not(images):
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Flatten(), nn.Linear(6 * 30 * 30, 8), nn.ReLU(), nn.Linear(8, 5)
    )
    network = network.double().eval()
    with torch.no_grad():  # active units that are not negative, so that no sum is near 0
        network[5].bias.fill_(1.0)
    target = predict(network, images).argmax(dim=1)
    record = forward(network, images, INPUT)
    product = input_x_gradient(record, contrasts.original(record.logits, target))

    def gap(rules):
        relevance = contrastive_lrp(
            network, images, lambda y: contrasts.original(y, target), rules=rules, biases=True
        )
        return ((relevance - product).abs().max() / product.abs().max()).item()

    assert gap("z") < EXACT and gap("z_plus") > 0.1
    weights, x = torch.tensor([1.0, -1.0]), torch.tensor([2.0, 1.0])  # the counterexample of the record
    plus = (x * weights).clamp(min=0)
    assert (plus / plus.sum() * (x @ weights)).tolist() == [1, 0] and (x * weights).tolist() == [2, -1]


def test_28_the_weighted_contrast_is_the_gradient_of_the_log_odds():
    y = sympy.symbols("y1:4")
    total = sum(map(sympy.exp, y))
    p = [sympy.exp(each) / total for each in y]
    alpha = [sympy.exp(each) / (sympy.exp(y[1]) + sympy.exp(y[2])) for each in y[1:]]
    weighted = [sympy.Integer(1), *(-each for each in alpha)]
    for variable, weight in zip(y, weighted):
        assert sympy.simplify(sympy.diff(sympy.log(p[0] / (1 - p[0])), variable) - weight) == 0
        assert sympy.simplify(sympy.diff(p[0], variable) - p[0] * (1 - p[0]) * weight) == 0
    q = sympy.symbols("q")
    assert sympy.maximum(q * (1 - q), q, sympy.Interval(0, 1)) == sympy.Rational(
        1, 4
    )  # so that the two are never equal


def test_29_the_printed_sum_leaves_out_a_row_and_a_column(network, images):
    assert len([i for i in range(15) if 0 < i < 14]) ** 2 == 13**2 == 169
    rows = statements.index_ranges(network, images, layer=network.layers[0]).groupby("range")
    whole, printed = rows.get_group("all positions"), rows.get_group("0 < i, j < d'")
    assert (whole[["similarity", "size"]] - 1).abs().max(axis=None) < EXACT
    assert printed["similarity"].max() < 1 - 1e-6


@pytest.mark.parametrize("contrast", ["original", "weighted"])
def test_45_the_mean_over_channels_is_the_sum_by_their_number(network, images, labels, contrast):
    """The same signs, order and masks: the public code divides the printed sum by the number of channels."""
    layer = network.layers[-1]
    record = forward(network, images, layer)
    w = contrasts.cotangent(contrast, record.logits, labels)
    product = record.activations[layer] * record.pull_back(w)[layer]
    printed, coded = linear_approximation(record, w), product.mean(dim=1)
    channels = product.shape[1]
    assert (coded - printed / channels).abs().max() < EXACT and channels > 1
    for one, other in zip(printed, coded):
        for sign in masking.KEPT_SIGNS:
            rules = [masking.masked_pixels(each[None], sign, "by_sign") for each in (one, other)]
            assert torch.equal(*rules)
        assert torch.equal(one.flatten().argsort(), other.flatten().argsort())


def test_30_what_is_shared_is_subtracted_in_full_for_any_number_of_classes():
    table = statements.shared_and_own((2, 10, 100, 1000)).set_index(["features", "classes"])
    shared, own = table.loc["shared"], table.loc["own"]
    assert (shared["subtracted"] - 1).abs().max() < EXACT and shared["left"].max() < EXACT
    rescaled = own["subtracted"] * (own.index.to_series() - 1) ** 0.5  # falls as one over the square root
    assert rescaled.between(0.85, 1.15).all()


def test_31_clrp1_is_not_the_mean_contrast_of_a_linear_model():
    torch.manual_seed(0)
    w, x = torch.rand(4, 6).double(), torch.rand(6).double()
    y = w @ x

    def lrp_0(relevance):
        return (relevance / y) @ w * x

    unit = torch.eye(4, dtype=torch.float64)
    clrp1 = lrp_0(y[0] * (unit[0] - unit[1:].mean(dim=0)))
    mean = (w[0] - w[1:].mean(dim=0)) * x
    assert (clrp1 - (w[0] - (y[0] / y[1:, None] * w[1:]).mean(dim=0)) * x).abs().max() < EXACT
    assert clrp1.sum().abs() < EXACT and (mean.sum() - (y[0] - y[1:].mean())).abs() < EXACT
    assert (clrp1 - mean).abs().max() > 0.01 and (mean < 0).any()  # and CLRP1 would cut those off


def test_32_independent_maps_of_cosine_0():
    x, weights = torch.tensor([2.0, 3.0]).double(), torch.eye(2, dtype=torch.float64)
    maps = weights * x
    assert torch.cosine_similarity(*maps, dim=0) == 0
    shared = maps + 10  # what both classes share makes them alike
    assert torch.cosine_similarity(*shared, dim=0) > 0.95


def test_33_the_entries_of_table_1_are_no_changes():
    rows = published("blurring_masking").query("paper == 'wang2022' and table == 'Table 1'")
    kept = rows[(rows["target"] == "t1") & (rows["kept_features"] == "positive")]
    assert len(kept) == 5 * 2 * 3 * 2
    assert (kept["unmodified_relative_probability"] + kept["relative_probability"] > 1).all()
    assert rows["relative_probability"].between(0, 1).all()


def test_34_three_of_the_nine_networks_have_other_activations():
    names = sorted(published("sign_perturbation")["network"].unique())
    with torch.device("meta"):
        made = {
            name: getattr(torchvision.models, name)(
                **({"init_weights": False} if name == "googlenet" else {})
            )
            for name in names
        }
    other = [
        name
        for name, network in made.items()
        if any(isinstance(m, (nn.SiLU, nn.Hardswish)) for m in network.modules())
    ]
    assert len(names) == 9 and other == ["efficientnet_b1", "mobilenet_v3_large", "mobilenet_v3_small"]
    z = sympy.symbols("z")
    s = 1 / (1 + sympy.exp(-z))
    assert sympy.simplify(z * sympy.diff(z * s, z) - z * s - z**2 * s * (1 - s)) == 0
