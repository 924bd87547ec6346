"""Contrasts of later methods: their formulas, their gradients in float64, and what all classes share."""

import math

import pytest
import torch
from torch import nn

import contrastlib
from contrastlib import contrasts
from contrastlib.autograd import forward
from contrastlib.contrasts import (
    CONTRASTS,
    among,
    case,
    finer_cam,
    finer_cam_coded,
    group,
    log_odds,
    original,
    rest,
    rfxg,
    rfxg_group,
    similar_foils,
    weighted,
)

EXACT = {"rtol": 1e-10, "atol": 1e-10}
EXAMPLE = torch.tensor([[6.0, 4.0, 3.5, 1.0]], dtype=torch.float64)
FOILS = [1, 4]


def random_logits(batch=6, classes=7, scale=3.0):
    return scale * torch.randn(
        batch, classes, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )


def gradient_of(score, logits):
    logits = logits.clone().requires_grad_()
    return torch.autograd.grad(score(logits).sum(), logits)[0]


def network(classes=7, shift=None):
    """A small network; ``shift`` is added to the weights of every class in the last layer."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, classes)).double()
    if shift is not None:
        with torch.no_grad():
            model[3].weight += shift
    return model


IMAGES = torch.rand(3, 3, 8, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


# --- formulas and gradients -----------------------------------------------------------------


@pytest.mark.parametrize("strength", [0.0, 0.6, 1.0, -2.0])
def test_among_and_finer_cam_are_gradients_of_their_scores(strength):
    y = random_logits()
    expected = gradient_of(lambda y: y[:, 0] - strength * y[:, FOILS].logsumexp(dim=1), y)
    torch.testing.assert_close(among(y, 0, FOILS, strength=strength), expected, **EXACT)
    expected = gradient_of(lambda y: y[:, 0] - strength * y[:, FOILS].mean(dim=1), y)
    torch.testing.assert_close(finer_cam(y, 0, FOILS, strength=strength), expected, **EXACT)
    expected = gradient_of(
        lambda y: y[:, 0] - strength * (y[:, FOILS].softmax(dim=1) * y[:, FOILS]).sum(dim=1), y
    )
    torch.testing.assert_close(finer_cam_coded(y, 0, FOILS, strength=strength), expected, **EXACT)


def test_rfxg_and_rest_are_gradients_of_their_scores():
    y = random_logits()
    expected = gradient_of(lambda y: y[:, 0] - y[:, FOILS].sum(dim=1), y)
    torch.testing.assert_close(rfxg(y, 0, FOILS), expected, **EXACT)
    torch.testing.assert_close(
        rfxg_group(y, FOILS), gradient_of(lambda y: y[:, FOILS].sum(dim=1), y), **EXACT
    )
    torch.testing.assert_close(
        rest(y, 2), gradient_of(lambda y: y[:, 2] + y.log_softmax(dim=1)[:, 2], y), **EXACT
    )
    p = y.softmax(dim=1)[:, 2:3]
    torch.testing.assert_close(rest(y, 2), original(y, 2) + (1 - p) * weighted(y, 2), **EXACT)


@pytest.mark.parametrize("scale", [1.0, 300.0])
def test_a_group_against_the_rest_is_the_gradient_of_its_log_odds(scale):
    y, others = random_logits(scale=scale), [0, 2, 3, 5, 6]
    expected = gradient_of(lambda y: y[:, FOILS].logsumexp(dim=1) - y[:, others].logsumexp(dim=1), y)
    torch.testing.assert_close(group(y, FOILS), expected, **EXACT)
    assert (group(y, FOILS).abs().sum(dim=1) - 2).abs().max() < 1e-12  # at any confidence
    torch.testing.assert_close(group(y, 3), weighted(y, 3), **EXACT)
    torch.testing.assert_close(group(y, FOILS), -group(y, others), **EXACT)
    mask = torch.zeros_like(y, dtype=torch.bool)
    mask[:, FOILS] = True
    torch.testing.assert_close(group(y, mask), group(y, FOILS), **EXACT)
    torch.testing.assert_close(
        group(y.float(), FOILS).double(), group(y.float().double(), FOILS), rtol=1e-5, atol=1e-7
    )


def test_the_foil_that_counts_for_the_target():
    """One name, two objectives: as coded, a foil far below the others has a positive weight."""
    coded = finer_cam_coded(EXAMPLE, 0, [1, 2, 3])
    torch.testing.assert_close(
        coded, torch.tensor([[1, -0.77, -0.28, 0.05]], dtype=torch.float64), rtol=0, atol=5e-3
    )
    assert coded[0, 3] > 0 and abs(coded.sum()) < 1e-12
    printed = finer_cam(EXAMPLE, 0, [1, 2, 3])
    torch.testing.assert_close(printed, torch.tensor([[1, -0.2, -0.2, -0.2]], dtype=torch.float64), **EXACT)
    papers = torch.tensor([[1, -0.60, -0.37, -0.03]], dtype=torch.float64)
    torch.testing.assert_close(among(EXAMPLE, 0, [1, 2, 3]), papers, rtol=0, atol=5e-3)


# --- sums, and what all classes share -------------------------------------------------------


@pytest.mark.parametrize("contrast, total", [
    (lambda y: among(y, 0, FOILS, strength=0.25), 0.75),
    (lambda y: finer_cam(y, 0), 0.4),
    (lambda y: finer_cam(y, 0, strength=1), 0),
    (lambda y: finer_cam_coded(y, 0), 0),
    (lambda y: finer_cam_coded(y, 0, strength=0.6), 0.4),
    (lambda y: rfxg(y, 0), -2),
    (lambda y: rfxg_group(y, [0, 1, 2]), 3),
    (lambda y: rest(y, 0), 1),
    (lambda y: group(y, [0, 1, 2]), 0),
])  # fmt: skip
def test_sums_and_what_survives_of_what_all_classes_share(contrast, total):
    """A vector that is added to the rows of the last layer adds the sum of w times its own map."""
    sums = contrast(random_logits()).sum(dim=1)
    torch.testing.assert_close(sums, torch.full_like(sums, total), **EXACT)
    shift = torch.randn(144, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    w = contrast(network()(IMAGES).detach())
    explained = [
        contrastlib.explain(network(shift=s), IMAGES, contrast=w, layer="1", method="linear_approximation")
        for s in (None, shift)
    ]
    shared = network()[:2](IMAGES).detach() * shift.view(4, 6, 6)
    shared = contrastlib.explainers.upsample(shared.sum(dim=1), IMAGES.shape[-2:])
    torch.testing.assert_close(explained[1] - explained[0], total * shared, **EXACT)
    assert shared.abs().max() > 0.1


@pytest.mark.parametrize("name", CONTRASTS)
def test_one_vector_added_to_all_rows_changes_nothing_iff_the_weights_sum_to_zero(name):
    """The bias is left alone: with a vector orthogonal to the activations all logits move by one number."""
    record, shift = CONTRASTS[name], torch.ones(144, dtype=torch.float64) / 10
    options = {"foils": [0, 4]} if record.takes_foils else {}
    target = [2, 3] if record.takes_group else 2
    before, after = (
        contrastlib.explain(network(shift=s), IMAGES, target, contrast=name, layer="1", **options)
        for s in (None, shift)
    )
    assert record.sums_to_zero == torch.allclose(before, after, **EXACT)


# --- CASE -------------------------------------------------------------------------------------


@pytest.mark.parametrize("foils", ["similar", [0, 4]])
def test_case_makes_the_channel_weights_orthogonal_by_least_squares(foils):
    record = forward(network(), IMAGES, "1")

    def channels(w):
        return record.pull_back(w)["1"].mean(dim=(-2, -1))

    w = case(record.logits, 2, foils, gradients_of=lambda v: record.pull_back(v)["1"])
    chosen = similar_foils(record.logits, 2, 5) if foils == "similar" else torch.tensor([foils] * 3)
    shared = torch.zeros_like(record.logits).scatter_(1, chosen, 1 / chosen.shape[1])
    own, mean, found = channels(original(record.logits, 2)), channels(shared), channels(w)
    assert (found * mean).sum(dim=1).abs().max() < 1e-12 * (own.norm() * mean.norm())
    c = torch.linalg.lstsq(mean[:, :, None], own[:, :, None]).solution.flatten()
    torch.testing.assert_close(w, original(record.logits, 2) - c[:, None] * shared, **EXACT)
    torch.testing.assert_close(w.sum(dim=1), 1 - c, **EXACT)
    expected = torch.einsum("bk,bkhw->bhw", own - c[:, None] * mean, record.activations["1"])
    maps = contrastlib.explain(network(), IMAGES, 2, contrast="case", foils=foils, layer="1", upsample=False)
    torch.testing.assert_close(maps, expected, **EXACT)


def test_case_without_common_gradients_is_the_original():
    logits = random_logits(2)
    w = case(logits, 0, gradients_of=lambda v: torch.zeros(2, 2, 3, 4, 4, dtype=v.dtype))
    assert torch.equal(w, original(logits, 0))


# --- similar foils, groups and multi-label networks through explain ----------------------------


def test_similar_foils_are_those_with_the_nearest_logits():
    y = torch.tensor([[6.0, 4.0, 3.5, 9.0], [0.0, 1.0, 2.0, 3.0]])
    assert similar_foils(y, [0, 3], 2).tolist() == [[1, 2], [2, 1]]
    expected = torch.tensor([[1.0, -1, -1, 0], [0, -1, -1, 1]])
    assert torch.equal(rfxg(y, [0, 3], "similar", 2), expected)
    assert torch.equal(
        rfxg(y[:, :2], 0), torch.tensor([[1.0, -1.0]] * 2)
    )  # all others if there are fewer than three


def test_explain_with_similar_foils_a_strength_and_a_group():
    model = network()
    y = model(IMAGES).detach()
    w = among(y, 2, similar_foils(y, 2)[:1].flatten().tolist(), strength=0.6)[:1]
    found = contrastlib.explain(model, IMAGES[:1], 2, contrast="among", foils="similar", strength=0.6)
    torch.testing.assert_close(found, contrastlib.explain(model, IMAGES[:1], contrast=w), **EXACT)
    found = contrastlib.explain(model, IMAGES, [0, 3, 5], contrast="group")
    torch.testing.assert_close(
        found, contrastlib.explain(model, IMAGES, contrast=group(y, [0, 3, 5])), **EXACT
    )
    predicted = contrastlib.explain(model, IMAGES, contrast="weighted")
    mask = nn.functional.one_hot(y.argmax(dim=1), 7).bool()
    torch.testing.assert_close(contrastlib.explain(model, IMAGES, mask, contrast="group"), predicted, **EXACT)


def test_of_independent_sigmoids_the_logit_is_its_own_log_odds():
    y = random_logits()
    expected = gradient_of(lambda y: torch.logit(y.sigmoid()[:, 2]), y)
    torch.testing.assert_close(original(y, 2), expected, rtol=1e-6, atol=1e-8)  # the sigmoid rounds
    expected = gradient_of(lambda y: (nn.functional.logsigmoid(y) - nn.functional.logsigmoid(-y))[:, 2], y)
    torch.testing.assert_close(original(y, 2), expected, **EXACT)
    torch.testing.assert_close(log_odds(y[:, 2:3], 1), y[:, 2], **EXACT)


def test_a_single_logit_is_the_pair_of_0_and_itself():
    single = torch.tensor([[1.5], [-30.0]], dtype=torch.float64)
    pair = torch.cat([torch.zeros_like(single), single], dim=1)
    for contrast in (finer_cam, finer_cam_coded, rfxg, rest, group):
        torch.testing.assert_close(contrast(single, 1), contrast(pair, 1)[:, 1:], **EXACT)
    torch.testing.assert_close(rfxg_group(single, 0), -torch.ones_like(single), **EXACT)


# --- bad input --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "classes, error, says",
    [
        ([], ValueError, "the group is empty: name at least one class"),
        (range(7), ValueError, "the group holds all classes, so none is left"),
        ([1, 4, 1], ValueError, "class 1 is in the group twice: name it once"),
        ([1, 7], IndexError, r"class 7 is not a class: there are 7 \(0 to 6\)"),
        (-1, IndexError, "class -1"),
        ([1.0], TypeError, "a group must hold integer class indices"),
        (torch.zeros(6, 7, dtype=torch.bool), ValueError, "empty"),
        (torch.ones(6, 7, dtype=torch.bool), ValueError, "all classes"),
        (
            torch.ones(7, dtype=torch.bool),
            ValueError,
            r"mask of a group must have the logits' shape \(6, 7\)",
        ),
        (torch.ones(6, 2).long(), ValueError, "common to all images, or a boolean mask"),
    ],
)
def test_bad_groups(classes, error, says):
    classes = list(classes) if isinstance(classes, range) else classes
    for contrast in (group,) if "all classes" in says else (group, rfxg_group):
        with pytest.raises(error, match=says):
            contrast(random_logits(), classes)


def test_a_group_of_all_classes_that_is_compared_with_nothing():
    y = random_logits()
    torch.testing.assert_close(rfxg_group(y, range(7)), torch.ones_like(y), **EXACT)
    torch.testing.assert_close(
        rfxg_group(y, torch.ones_like(y, dtype=torch.bool)), torch.ones_like(y), **EXACT
    )


def test_case_of_gradients_whose_squares_underflow():
    gradients = torch.full((2, 1, 4, 2, 2), 1e-4, dtype=torch.float16)
    w = case(torch.tensor([[3.0, 2.0, 1.0]]), 0, [1], gradients_of=lambda _: gradients)
    torch.testing.assert_close(w, torch.tensor([[1.0, -1.0, 0.0]]))


@pytest.mark.parametrize("options, error, says", [
    ({"foils": "similar", "foil_count": 7}, ValueError,
     "foil_count is 7, and 6 classes are not the target: choose 1 to 6"),
    ({"foils": "similar", "foil_count": 0}, ValueError, "foil_count is 0"),
    ({"foils": "similar", "foil_count": 1.5}, TypeError, "foil_count must be a whole number, got 1.5"),
    ({"foils": "similar", "foil_count": True}, TypeError, "whole number"),
    ({"foils": "nearest"}, ValueError, "unknown foils 'nearest': choose \"similar\", or name classes"),
    ({"foils": [1], "foil_count": 1}, ValueError, "leave it out if foils are named"),
    ({"foils": [1], "strength": math.nan}, ValueError,
     "strength must be a finite number, such as 0.6; got nan"),
    ({"foils": [1], "strength": math.inf}, ValueError, "got inf"),
    ({"foils": [1], "strength": "0.6"}, TypeError,
     "strength must be a finite number, such as 0.6; got '0.6'"),
    ({"foils": [1], "strength": True}, TypeError, "got True"),
])  # fmt: skip
def test_bad_options(options, error, says):
    for contrast in (among, finer_cam, finer_cam_coded):
        with pytest.raises(error, match=says):
            contrast(random_logits(), 0, **options)


@pytest.mark.parametrize(
    "arguments, error, says",
    [
        ({"strength": 0.6}, TypeError, "strength belongs to the contrast \"among\" or .*, not to 'weighted'"),
        (
            {"contrast": "rest", "foils": "similar"},
            ValueError,
            "foils belong to the contrast .*, not to 'rest'",
        ),
        ({"contrast": "rfxg", "strength": 1.0}, TypeError, "not to 'rfxg'"),
        ({"contrast": torch.ones(3, 7), "foil_count": 2}, TypeError, "not to weights"),
        ({"contrast": "case", "method": "input_x_gradient"}, ValueError, "depends on a layer"),
        ({"method": "clrp1", "strength": 0.6}, TypeError, "clrp1 takes no contrast: leave strength out"),
        (
            {"method": "class_competition", "contrast": "mean"},
            ValueError,
            "class_competition compares the classes itself",
        ),
        ({"steps": 3}, TypeError, "gradcam has no option 'steps'"),
    ],
)
def test_bad_arguments_of_explain(arguments, error, says):
    with pytest.raises(error, match=says):
        contrastlib.explain(network(), IMAGES, 1, **arguments)


def test_case_needs_gradients_of_a_layer_with_positions():
    with pytest.raises(ValueError, match="depends on a layer"):
        contrasts.cotangent("case", random_logits(), 0)
    with pytest.raises(ValueError, match=r"gradients \(B, K, h, w\), got \(6, 3\)"):
        case(random_logits(), 0, gradients_of=lambda w: torch.ones(2, 6, 3))
    with pytest.raises(TypeError, match="no contrast has the option 'foil'"):
        contrasts.cotangent("among", random_logits(), 0, foil=1)


def test_case_of_a_single_logit_is_refused():
    with pytest.raises(ValueError, match='with a single logit has one: use the contrast "original"'):
        case(torch.tensor([[1.0]]), 0, gradients_of=lambda w: torch.ones(2, 1, 3, 4, 4))
