"""Contrasts of random logits beside formulas written in decimals of 50 digits."""

import decimal

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from outcomes import fuzzed, outcome
from strategies import foils, logits, mostly, targets, wrong_foils, wrong_logits, wrong_targets

from contrastlib import contrasts
from contrastlib.contrasts import CONTRASTS, weights, weights_later

EXACT = decimal.Context(prec=50, Emin=-(10**12), Emax=10**12, traps=[decimal.InvalidOperation])
KNOWN = (
    "original", "mean", "maximum", "weighted", "probability", "among", "finer_cam", "finer_cam_coded", "rfxg",
    "rest",
)  # fmt: skip
names = st.sampled_from(KNOWN)


def softmax(values):
    """Index -> share of exp(value); exact to 50 digits."""
    most = max(values.values())
    powers = {index: EXACT.exp(EXACT.subtract(value, most)) for index, value in values.items()}
    total = EXACT.create_decimal(0)
    for power in powers.values():
        total = EXACT.add(total, power)
    return {index: EXACT.divide(power, total) for index, power in powers.items()}


def reference(name, row, target, against=None):
    """Weights of the two or more logits of an image, by the formulas of the papers."""
    values = {index: decimal.Decimal(value) for index, value in enumerate(row)}
    others = {index: value for index, value in values.items() if index != target}
    if name == "original":
        shares = {}
    elif name == "mean":
        shares = {index: EXACT.divide(1, len(others)) for index in others}
    elif name in ("finer_cam", "rfxg"):
        each = (
            EXACT.divide(decimal.Decimal.from_float(0.6), len(against))
            if name == "finer_cam"
            else decimal.Decimal(1)
        )
        shares = dict.fromkeys(against, each)
    elif name == "finer_cam_coded":
        shares = softmax({index: others[index] for index in against})
        average = decimal.Decimal(0)
        for index, share in shares.items():
            average = EXACT.add(average, EXACT.multiply(share, values[index]))
        shares = {
            index: EXACT.multiply(share, EXACT.add(1, EXACT.subtract(values[index], average)))
            for index, share in shares.items()
        }
    elif name == "rest":
        p = softmax(values)
        return [EXACT.subtract(2 * int(index == target), p[index]) for index in values]
    elif name == "maximum":
        shares = {max(others, key=lambda index: (others[index], -index)): decimal.Decimal(1)}
    else:
        shares = softmax({index: others[index] for index in against} if name == "among" else others)
    weights = [decimal.Decimal(int(index == target)) - shares.get(index, 0) for index in values]
    if name != "probability":
        return weights
    p = softmax(values)
    rest = decimal.Decimal(0)
    for index in others:
        rest = EXACT.add(rest, p[index])
    return [EXACT.multiply(EXACT.multiply(p[target], rest), weight) for weight in weights]


def expected(name, y, chosen, against):
    """Weights (B, C) of logits (B, C) in float64; a single logit y counts as the two logits (0, y)."""
    rows = y.double().tolist()
    single = y.shape[1] == 1
    found = [
        reference(name, [0.0, *row] if single else row, *each) for row, *each in zip(rows, chosen, against)
    ]
    if single:
        found = [[weights[1] - weights[0] if name == "original" else weights[1]] for weights in found]
    return torch.tensor([[float(weight) for weight in weights] for weights in found], dtype=torch.float64)


def assert_exact(w, wanted, cancels=False):
    """The same weights, up to a few roundings in the dtype of the logits.

    A weight exp(-d) is as exact as the difference d of logits that it comes from, which is rounded. Where a
    difference of such numbers can cancel, all weights of an image are as exact as the largest one.
    """
    finfo = torch.finfo(w.dtype)
    size = wanted.abs().clamp(min=finfo.smallest_normal)
    size = size.amax(dim=1, keepdim=True) if cancels else size
    error = finfo.eps * (16 + w.shape[1]) * size * (1 + size.log().abs()) + finfo.smallest_normal
    assert ((w.double() - wanted).abs() <= error).all(), (w, wanted)


def looks_like_probabilities(y):
    """Whether an error may say so; the rows that it must be said of are the same up to a few roundings."""
    eps = torch.finfo(y.dtype).eps
    return y.shape[1] > 1 and bool((y >= 0).all() and ((y.double().sum(1) - 1).abs() <= 200 * eps).all())


@st.composite
def questions(draw, **fixed):
    """A contrast, logits, target classes and foils that fit together."""
    name, y = draw(names), draw(logits(**fixed))
    count = max(2, y.shape[1])
    given_target, chosen = draw(targets(len(y), count))
    if CONTRASTS[name].takes_foils:
        given_foils, against = draw(foils(chosen, count))
    else:
        given_foils, against = None, [None] * len(y)
    return name, y, given_target, chosen, given_foils, against


def test_every_contrast_of_one_class_has_a_reference():
    """A contrast in a module of its own has a test of its own."""
    modules = {weights.__name__, weights_later.__name__}
    papers = {name for name, each in CONTRASTS.items() if each.function.__module__ in modules}
    assert {name for name in papers if CONTRASTS[name].is_of_one_class} == set(KNOWN)


@fuzzed(0.16)
@given(questions(), st.booleans())
def test_weights_are_those_of_the_papers(question, by_function):
    name, y, target, chosen, given_foils, against = question
    contrast = CONTRASTS[name].function if by_function else name
    before = y.clone()
    found = outcome("contrasts", lambda: contrasts.cotangent(contrast, y, target, given_foils))
    assert torch.equal(y, before)
    if found.error:
        assert looks_like_probabilities(y), found.error
        return
    w, wanted = found.value, expected(name, y, chosen, against)
    assert w.shape == y.shape and w.dtype == y.dtype and not w.requires_grad
    assert_exact(w, wanted, cancels=name == "finer_cam_coded")
    if CONTRASTS[name].sums_to_zero and y.shape[1] > 1:
        assert w.double().sum(1).abs().max() <= torch.finfo(y.dtype).eps * (4 + y.shape[1])


@fuzzed(0.03)
@given(questions(), st.randoms(use_true_random=False), st.sampled_from([0.0, 8.0, -64.0]))
def test_classes_images_and_zero_have_no_place_of_their_own(question, random, shift):
    """Weights follow the order of images and classes; where weights sum to zero, a shift changes nothing."""
    name, y, _, chosen, _, against = question
    y = y.double().round().clamp(-2000, 2000)
    images, classes = list(range(len(y))), list(range(y.shape[1]))
    random.shuffle(images)
    if name != "maximum":  # the first of equal rivals is taken
        random.shuffle(classes)

    def weights(logits, chosen, against):
        masks = against[0] and torch.tensor(
            [[c in foils for c in range(max(2, y.shape[1]))] for foils in against]
        )
        return outcome("contrasts", lambda: contrasts.cotangent(name, logits, chosen, masks))

    one = weights(y, chosen, against)
    if y.shape[1] > 1:
        place = {old: new for new, old in enumerate(classes)}
        moved = (
            [place[chosen[i]] for i in images],
            [against[i] and {place[c] for c in against[i]} for i in images],
        )
        other = weights(y[images][:, classes] + shift * CONTRASTS[name].sums_to_zero, *moved)
    else:
        other = weights(y[images], [chosen[i] for i in images], [against[i] for i in images])
    if one.error or other.error:  # a shift can make what looks like probabilities
        assert "probabilities" in str(one.error or other.error)
        return
    torch.testing.assert_close(other.value, one.value[images][:, classes], rtol=1e-12, atol=1e-300)


@st.composite
def any_arguments(draw):
    """A contrast, logits, target classes and foils, of which any may be wrong."""
    y = draw(mostly(logits(), wrong_logits))
    batch, count = (
        (len(y), max(2, y.shape[1])) if isinstance(y, torch.Tensor) and y.ndim == 2 and y.numel() else (2, 3)
    )
    target, chosen = draw(targets(batch, count))
    against = draw(foils(chosen, count).map(lambda each: each[0]) | st.none())
    weights = st.sampled_from([
        torch.ones(batch, count), np.ones((batch, count)), torch.ones(batch, count, dtype=torch.int64),
        torch.ones(count), torch.full((batch, count), torch.nan), torch.ones(batch, count) * 1j,
        lambda y: -y, lambda y: None, lambda y: y[:1, 0],
        torch.ones_like, torch.ones(batch, count, dtype=torch.float64) * 1e300,
    ])  # fmt: skip
    contrast = draw(
        mostly(names, weights | st.sampled_from(["best", "", None, 3, ["mean"], b"mean"]), one_in=4)
    )
    return (
        contrast,
        y,
        draw(mostly(st.just(target), wrong_targets(batch, count))),
        draw(mostly(st.just(against), wrong_foils(batch, count))),
    )


@fuzzed(0.12)
@given(any_arguments())
def test_any_arguments_give_weights_or_a_named_error(arguments):
    found = outcome("contrasts", lambda: contrasts.cotangent(*arguments))
    if not found.error:
        w, y = found.value, arguments[1]
        assert w.shape == y.shape and w.dtype == y.dtype and w.isfinite().all()
