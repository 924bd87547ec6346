"""Contrasts are exact: identities in float64, large margins in float32, any number of classes."""

import inspect
import sys
from pathlib import Path

import numpy as np
import offered
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from contrastlib import contrasts
from contrastlib.contrasts import CONTRASTS, among, maximum, mean, original, probability, weighted

EXACT = {"rtol": 1e-10, "atol": 1e-10}
AGAINST_OTHERS = [mean, maximum, weighted, probability]
OF_ONE_CLASS = [name for name, each in CONTRASTS.items() if each.is_of_one_class]
TOLERANCE = {torch.float32: 2e-5, torch.float64: 1e-12}


def random_logits(batch=6, classes=7, scale=3.0, seed=0, dtype=torch.float64):
    return scale * torch.randn(batch, classes, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def others(logits, target):
    """Logits without the target's, (B, C - 1), made by indexing."""
    rows = [torch.cat([row[:t], row[t + 1 :]]) for row, t in zip(logits, target)]
    return torch.stack(rows)


def gradient_of(score, logits):
    logits = logits.clone().requires_grad_()
    return torch.autograd.grad(score(logits).sum(), logits)[0]


@st.composite
def problems(draw, max_classes=1000):
    """Logits (B, C) of either dtype and a target for each row."""
    batch, classes = draw(st.integers(1, 4)), draw(st.integers(2, max_classes))
    dtype = draw(st.sampled_from([torch.float32, torch.float64]))
    scale = draw(st.sampled_from([1e-3, 1.0, 10.0, 100.0]))
    logits = random_logits(batch, classes, scale, draw(st.integers(0, 2**16)), dtype)
    target = torch.tensor(draw(st.lists(st.integers(0, classes - 1), min_size=batch, max_size=batch)))
    return logits, target


TARGET = torch.tensor([0, 3, 6, 2, 2, 5])


# --- identities -----------------------------------------------------------------------------


def test_weighted_is_the_gradient_of_the_log_odds():
    logits = random_logits()
    expected = gradient_of(lambda y: y[range(6), TARGET] - others(y, TARGET).logsumexp(dim=1), logits)
    torch.testing.assert_close(weighted(logits, TARGET), expected, **EXACT)


def test_weighted_is_the_gradient_of_the_logit_of_the_probability():
    logits = random_logits()
    expected = gradient_of(lambda y: torch.logit(y.softmax(dim=1)[range(6), TARGET]), logits)
    torch.testing.assert_close(weighted(logits, TARGET), expected, **EXACT)


def test_probability_is_the_gradient_of_the_softmax_in_float64():
    logits = random_logits()
    expected = gradient_of(lambda y: y.softmax(dim=1)[range(6), TARGET], logits)
    torch.testing.assert_close(probability(logits, TARGET), expected, **EXACT)


def test_probability_is_weighted_times_the_variance_of_the_target():
    logits = random_logits()
    p = logits.softmax(dim=1)[range(6), TARGET][:, None]
    torch.testing.assert_close(probability(logits, TARGET), p * (1 - p) * weighted(logits, TARGET), **EXACT)


def test_mean_divides_by_the_number_of_other_classes():
    expected = torch.full((1, 5), -0.25, dtype=torch.float64)
    expected[0, 2] = 1
    torch.testing.assert_close(mean(random_logits(1, 5), 2), expected, **EXACT)


def test_maximum_of_the_top_two_are_negatives():
    logits = random_logits(50, 20)
    first, second = logits.topk(2, dim=1).indices.T
    assert torch.equal(maximum(logits, first), -maximum(logits, second))


def test_two_classes_leave_one_contrast():
    logits, target = random_logits(8, 2, scale=20), torch.tensor([0, 1] * 4)
    expected = torch.tensor([[1.0, -1.0], [-1.0, 1.0]] * 4, dtype=torch.float64)
    for contrast in (mean, maximum, weighted):
        torch.testing.assert_close(contrast(logits, target), expected, **EXACT)


def test_among_one_foil_is_the_pair_and_among_all_is_weighted():
    logits = random_logits()
    pair = among(logits, 0, foils=4)
    assert torch.equal(pair, original(logits, 0) - original(logits, 4))
    torch.testing.assert_close(among(logits, 3, [0, 1, 2, 4, 5, 6]), weighted(logits, 3), **EXACT)


def test_among_takes_foils_of_their_own_for_each_image():
    logits, foils = (
        random_logits(2, 4),
        torch.tensor([[False, True, False, False], [True, False, True, False]]),
    )
    result = among(logits, [0, 3], foils)
    torch.testing.assert_close(result[:1], among(logits[:1], 0, [1]), **EXACT)
    torch.testing.assert_close(result[1:], among(logits[1:], 3, [0, 2]), **EXACT)


def test_log_odds_are_those_of_the_probability():
    logits = random_logits()
    expected = torch.logit(logits.softmax(dim=1)[range(6), TARGET])
    torch.testing.assert_close(contrasts.log_odds(logits, TARGET), expected, **EXACT)


# --- large margins --------------------------------------------------------------------------


@pytest.mark.parametrize("margin", [20.0, 200.0, -20.0, -200.0])
def test_float32_keeps_what_float64_says_at_any_margin(margin):
    logits = torch.tensor([[margin, 0.0, -1.0, 0.5]])
    for contrast in (original, mean, maximum, weighted):
        torch.testing.assert_close(
            contrast(logits, 0), contrast(logits.double(), 0).float(), rtol=1e-6, atol=0
        )
    assert contrasts.log_odds(logits, 0).item() == pytest.approx(
        contrasts.log_odds(logits.double(), 0).item()
    )


@pytest.mark.parametrize("margin", [20.0, 60.0, -20.0, -60.0])
def test_probability_keeps_its_relative_precision_in_float32(margin):
    logits = torch.tensor([[margin, 0.0, -1.0, 0.5]])
    exact = probability(logits.double(), 0)
    torch.testing.assert_close(probability(logits, 0).double(), exact, rtol=2e-5, atol=0)


def test_probability_vanishes_in_float32_only_where_its_factor_does():
    logits = torch.tensor([[200.0, 0.0, -1.0]])
    assert torch.equal(probability(logits, 0), torch.zeros(1, 3))
    exact = probability(logits.double(), 0)
    assert exact[0, 0].item() == pytest.approx(np.exp(-200) * (1 + np.exp(-1)))
    torch.testing.assert_close(exact / exact[0, 0], weighted(logits.double(), 0), **EXACT)


def test_softmax_backward_in_float32_loses_the_term_of_the_target():
    """What the library avoids: at a margin of 20 the target's own weight is 0 and the others' are not."""
    logits = torch.tensor([[20.0, 0.0, -1.0, 0.5]])
    through_softmax = gradient_of(lambda y: y.softmax(dim=1)[:, 0], logits)
    assert through_softmax[0, 0] == 0 and (through_softmax[0, 1:] < 0).all()
    ours = probability(logits, 0)
    assert ours[0, 0] > 0 and abs(ours.sum()) < 1e-6 * ours[0, 0]
    gone = gradient_of(lambda y: y.softmax(dim=1)[:, 0], torch.tensor([[200.0, 0.0, -1.0, 0.5]]))
    assert torch.equal(gone, torch.zeros(1, 4))
    assert weighted(torch.tensor([[200.0, 0.0, -1.0, 0.5]]), 0)[0, 0] == 1


# --- properties -----------------------------------------------------------------------------


@settings(deadline=None, derandomize=True)
@given(problems())
def test_weights_of_every_contrast(problem):
    logits, target = problem
    tolerance = TOLERANCE[logits.dtype]
    for name in ("original", "mean", "maximum", "weighted"):
        weights = CONTRASTS[name].function(logits, target)
        assert weights.shape == logits.shape and weights.dtype == logits.dtype
        assert (weights.gather(1, target[:, None]) == 1).all()
        assert (weights.scatter(1, target[:, None], 0) <= 0).all()
        assert torch.allclose(
            weights.sum(dim=1),
            torch.full((len(logits),), float(name == "original"), dtype=logits.dtype),
            atol=tolerance,
        )


@settings(deadline=None, derandomize=True)
@given(problems())
def test_weights_against_others_sum_to_zero(problem):
    """Relative to the largest of them, in double precision: those of ``probability`` may be of any size."""
    logits, target = problem[0].double(), problem[1]
    foils = (torch.arange(logits.shape[1]) - target[:, None]) % 2 == 1  # every other class
    for name in (name for name in OF_ONE_CLASS if CONTRASTS[name].sums_to_zero):
        weights = contrasts.cotangent(name, logits, target, foils if name == "among" else None)
        largest = weights.abs().amax(dim=1)
        assert (largest > 0).all(), name
        assert (weights.sum(dim=1).abs() <= 1e-12 * largest).all(), name


@settings(deadline=None, derandomize=True)
@given(problems(), st.sampled_from([1.0, 100.0]))
def test_float32_says_what_float64_says(problem, factor):
    """Within 5e-7 of the largest weight, for up to 1,000 classes and logits of up to 10,000 and more."""
    logits, target = factor * problem[0].float(), problem[1]
    foils = (torch.arange(logits.shape[1]) - target[:, None]) % 2 == 1  # every other class
    for name in OF_ONE_CLASS:
        foils_of_it = foils if CONTRASTS[name].takes_foils else None  # logits of float32 can be equally near
        weights, exact = (
            contrasts.cotangent(name, y, target, foils_of_it).double() for y in (logits, logits.double())
        )
        within = torch.full((len(logits),), 5e-7, dtype=torch.float64)
        if name == "probability":  # rounding of the log-odds is a factor of its exponential
            within = torch.finfo(torch.float32).eps * (10 + logits.abs().amax(dim=1).double())
        limit = within * exact.abs().amax(dim=1) + torch.finfo(torch.float32).tiny
        assert ((weights - exact).abs().amax(dim=1) <= limit).all(), name


@settings(deadline=None, derandomize=True)
@given(problems())
def test_probability_is_a_positive_multiple_of_weighted(problem):
    logits, target = problem
    weights, direction = probability(logits, target), weighted(logits, target)
    scale = weights.gather(1, target[:, None])
    assert (scale >= 0).all() and (scale <= 0.25 + torch.finfo(scale.dtype).eps).all()
    tiny = torch.finfo(scale.dtype).tiny  # below it a product has no relative precision
    assert torch.allclose(weights, scale * direction, rtol=TOLERANCE[scale.dtype], atol=tiny)


@settings(deadline=None, derandomize=True)
@given(problems(), st.sampled_from([-100.0, 0.1, 100.0]))
def test_a_constant_added_to_all_logits_changes_nothing(problem, constant):
    logits, target = problem[0].double(), problem[1]
    for contrast in AGAINST_OTHERS:
        torch.testing.assert_close(
            contrast(logits + constant, target), contrast(logits, target), atol=1e-9, rtol=1e-9
        )


@settings(deadline=None, derandomize=True)
@given(problems(max_classes=50))
def test_a_batch_with_mixed_targets_is_its_rows(problem):
    logits, target = problem
    for contrast in (original, *AGAINST_OTHERS):
        rows = torch.cat([contrast(logits[i : i + 1], int(t)) for i, t in enumerate(target)])
        torch.testing.assert_close(contrast(logits, target), rows)


@settings(deadline=None, derandomize=True)
@given(problems(max_classes=50))
def test_renaming_the_classes_renames_the_weights(problem):
    logits, target = problem
    order = torch.randperm(logits.shape[1], generator=torch.Generator().manual_seed(0))
    for contrast in (original, *AGAINST_OTHERS):
        renamed = contrast(logits[:, order], order.argsort()[target])
        torch.testing.assert_close(renamed, contrast(logits, target)[:, order])


# --- a single logit ---------------------------------------------------------------------------


@pytest.mark.parametrize("contrast", [original, mean, maximum, weighted])
def test_a_single_logit_is_a_contrast_already(contrast):
    logits = torch.tensor([[1.5], [-30.0], [200.0]])
    assert torch.equal(contrast(logits, 1), torch.ones(3, 1))
    assert torch.equal(contrast(logits, 0), -torch.ones(3, 1))


def test_a_single_logit_is_the_pair_of_0_and_itself():
    single = random_logits(6, 1)
    pair = torch.cat([torch.zeros_like(single), single], dim=1)
    target = torch.tensor([0, 1, 1, 0, 1, 0])
    for contrast in AGAINST_OTHERS:
        torch.testing.assert_close(contrast(single, target), contrast(pair, target)[:, 1:], **EXACT)
    torch.testing.assert_close(among(single, 1, foils=0), weighted(single, 1), **EXACT)


def test_probability_of_a_single_logit_is_the_gradient_of_the_sigmoid():
    single = random_logits(6, 1)
    torch.testing.assert_close(probability(single, 1), gradient_of(torch.sigmoid, single), **EXACT)
    torch.testing.assert_close(probability(single, 0), -gradient_of(torch.sigmoid, single), **EXACT)


# --- records ----------------------------------------------------------------------------------

REFERENCES = (Path(__file__).parents[1] / "book/references.bib").read_text(encoding="utf-8")


@pytest.mark.parametrize("record", CONTRASTS.values(), ids=CONTRASTS)
def test_what_a_record_says_is_so(record):
    foils = ([1, 4],) if record.takes_foils else ()
    gradients = (
        {"gradients_of": lambda w: (w @ random_logits(1, 7).T)[..., None, None]}
        if record.needs_gradients
        else {}
    )
    sums = record.function(random_logits(50), 0, *foils, **gradients).sum(dim=1)
    assert record.sums_to_zero == bool((sums.abs() < 1e-12).all())
    assert record.takes_foils == ("foils" in inspect.signature(record.function).parameters)
    assert record.total or record.sums_to_zero
    assert record.name == record.function.__name__ and record.about and record.formula and record.equation
    assert f"{{{record.paper}," in REFERENCES
    asked = record.question.format(target="owl", rival="wren", others="5 %", foils="robin or jay")
    assert "owl" in asked and asked.endswith("?") and ("robin or jay" in asked) == record.takes_foils


@pytest.mark.parametrize(
    "record", [CONTRASTS[n] for n in OF_ONE_CLASS if not CONTRASTS[n].takes_foils], ids=lambda each: each.name
)
def test_which_contrast_a_record_scales(record):
    """The positive multiples are exactly those that ``scales`` names."""
    logits = random_logits(50)
    weights = record.function(logits, 0)
    for other in (CONTRASTS[name] for name in OF_ONE_CLASS):
        if not other.takes_foils and other.scales is None and other is not record:
            same_direction = torch.cosine_similarity(weights, other.function(logits, 0)).min() > 1 - 1e-9
            assert same_direction == (record.scales == other.name)


def test_a_question_with_an_unknown_field_is_refused():
    with pytest.raises(
        ValueError, match="the question of '<lambda>' has the field 'class': it can have target, rival"
    ):
        contrasts.register(question="Why {class}?", about="", formula="", paper="", equation="")(
            lambda y, t: y
        )
    assert "<lambda>" not in CONTRASTS


def test_an_added_contrast_goes_by_its_name(added_contrast):
    logits = random_logits()
    found = contrasts.cotangent(added_contrast.name, logits, TARGET)
    assert torch.equal(found, added_contrast.function(logits, TARGET))
    assert torch.equal(found, contrasts.cotangent(added_contrast.function, logits, TARGET))
    with pytest.raises(
        ValueError, match=f"foils belong to the contrast \"among\" or .*, not to '{added_contrast.name}'"
    ):
        contrasts.cotangent(added_contrast.name, logits, TARGET, foils=[1])
    with pytest.raises(ValueError, match=f"choose one of original, .*{added_contrast.name}"):
        contrasts.cotangent("best", logits, TARGET)


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """One more module in the package of the contrasts, and nothing else."""
    (tmp_path / "toy_contrast.py").write_text(offered.CONTRAST)
    monkeypatch.setattr(contrasts, "__path__", [*contrasts.__path__, str(tmp_path)])
    contrasts.load_modules()
    yield
    del CONTRASTS["toy"], sys.modules["contrastlib.contrasts.toy_contrast"], contrasts.toy_contrast


def test_a_new_contrast_is_one_file(toy, capsys):
    offered.check_contrast(capsys)


def test_two_contrasts_of_one_name():
    with pytest.raises(ValueError, match="two contrasts are called 'mean'"):
        contrasts.register(question="Why?", about="", formula="", paper="", equation="")(mean)


# --- what else a cotangent is ---------------------------------------------------------------


def test_the_table_of_names():
    ordered = ["original", "mean", "maximum", "weighted", "probability", "among", "finer_cam",
               "finer_cam_coded", "case", "rfxg", "rfxg_group", "rest", "group"]  # fmt: skip
    assert [name for name in CONTRASTS if name in ordered] == ordered
    logits = random_logits()
    for name in OF_ONE_CLASS:
        if name == "among":
            continue
        assert torch.equal(
            contrasts.cotangent(name, logits, TARGET), CONTRASTS[name].function(logits, TARGET)
        )
    assert torch.equal(contrasts.cotangent("among", logits, 0, [1, 2]), among(logits, 0, [1, 2]))


def test_targets_of_any_integer_kind():
    logits = random_logits(2, 5)
    expected = weighted(logits, torch.tensor([1, 4]))
    for target in (
        [1, 4],
        (1, 4),
        np.array([1, 4]),
        np.array([1, 4], dtype=np.uint8),
        torch.tensor([1, 4]).int(),
    ):
        assert torch.equal(weighted(logits, target), expected)
    assert torch.equal(weighted(logits, np.int64(1)), weighted(logits, [1, 1]))


def test_the_logits_are_left_alone_and_the_weights_are_constants():
    logits = random_logits().requires_grad_()
    before = logits.detach().clone()
    for name in OF_ONE_CLASS:
        assert not contrasts.cotangent(name, logits, 1, 0 if name == "among" else None).requires_grad
    for name in ("group", "rfxg_group"):
        assert not CONTRASTS[name].function(logits, [1, 2]).requires_grad
    assert torch.equal(logits.detach(), before) and logits.grad is None


# --- bad input --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "logits, error, says",
    [
        (torch.zeros(2, 3, dtype=torch.int64), TypeError, "floating-point.*int64"),
        ([[1.0, 2.0]], TypeError, "list"),
        (torch.randn(3), ValueError, r"\(B, C\).*\(3,\)"),
        (torch.randn(2, 3, 4), ValueError, r"\(2, 3, 4\)"),
        (torch.empty(0, 3), ValueError, r"\(0, 3\)"),
        (torch.tensor([[1.0, 2.0], [float("nan"), 0.0]]), ValueError, r"NaN or infinite.*\[1\]"),
        (torch.tensor([[float("inf"), 2.0]]), ValueError, r"NaN or infinite.*\[0\]"),
    ],
)
def test_bad_logits(logits, error, says):
    for contrast in (original, *AGAINST_OTHERS):
        with pytest.raises(error, match=says):
            contrast(logits, 0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("classes", [2, 1000])
def test_probabilities_are_not_logits(dtype, classes):
    probabilities = random_logits(4, classes, dtype=dtype).softmax(dim=1)
    with pytest.raises(ValueError, match="probabilities, not logits"):
        weighted(probabilities, 0)
    torch.testing.assert_close(
        weighted(probabilities.log(), 0), weighted(probabilities.log() + 3, 0)
    )  # the remedy


def test_logits_that_resemble_probabilities_in_one_row_only_are_logits():
    weighted(torch.tensor([[0.5, 0.5], [0.5, 0.6]]), 0)
    weighted(torch.tensor([[1.5, -0.5]]), 0)


@pytest.mark.parametrize(
    "target, error, says",
    [
        (7, IndexError, r"target 7 is not a class: there are 7 \(0 to 6\)"),
        (-1, IndexError, "target -1"),
        ([0, 1, 2, 3, 4, 99], IndexError, "target 99"),
        ([0, 1], ValueError, "one for each of the 6 images"),
        (torch.zeros(6, 7).long(), ValueError, r"\(6, 7\)"),
        (1.0, TypeError, "integer"),
        (torch.rand(6), TypeError, "integer"),
        (torch.ones(6, dtype=torch.bool), TypeError, "integer"),
        ("robin", TypeError, None),
        (None, TypeError, None),
    ],
)
def test_bad_targets(target, error, says):
    for contrast in (original, *AGAINST_OTHERS):
        with pytest.raises(error, match=says):
            contrast(random_logits(), target)


@pytest.mark.parametrize(
    "foils, error, says",
    [
        ([], ValueError, "foils are empty"),
        ([1, 0], ValueError, "target is among its own foils"),
        ([1, 7], IndexError, "foil 7 is not a class"),
        (-1, IndexError, "foil -1"),
        ([1.0, 2.0], TypeError, "integer"),
        (torch.zeros(6, 7, dtype=torch.bool), ValueError, "empty"),
        (torch.ones(6, 7, dtype=torch.bool), ValueError, "own foils"),
        (torch.ones(7, dtype=torch.bool), ValueError, r"mask.*\(6, 7\)"),
        (torch.ones(6, 2).long(), ValueError, "boolean mask"),
    ],
)
def test_bad_foils(foils, error, says):
    with pytest.raises(error, match=says):
        among(random_logits(), 0, foils)


def test_bad_contrasts():
    logits = random_logits()
    with pytest.raises(ValueError, match="unknown contrast 'max'; choose one of original, mean, maximum"):
        contrasts.cotangent("max", logits, 0)
    with pytest.raises(ValueError, match="needs foils"):
        contrasts.cotangent("among", logits, 0)
    with pytest.raises(ValueError, match="foils belong to"):
        contrasts.cotangent("weighted", logits, 0, foils=[1])


@pytest.mark.parametrize(
    "dtype, margins", [(torch.float32, (60, 89, 95, 100)), (torch.float64, (200, 600, 700))]
)
def test_probability_keeps_its_direction_down_to_the_smallest_numbers(dtype, margins):
    for margin in margins:
        w = contrasts.probability(torch.tensor([[margin, 0.0, -1.0]], dtype=dtype), 0)[0]
        assert w[0] > 0 and w[1] < 0
        if margin < 80 or dtype == torch.float64:  # beyond, float32 has fewer digits left
            exact = contrasts.weighted(torch.tensor([[margin, 0.0, -1.0]], dtype=dtype), 0)[0]
            torch.testing.assert_close(w / w[0], exact, rtol=1e-5, atol=0)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_16_bit_logits_are_not_taken_for_probabilities(dtype):
    contrasts.weighted(torch.tensor([[0.3, 0.5], [0.2, 0.6]], dtype=dtype), 0)
    probabilities = torch.randn(4, 50).softmax(dim=1).to(dtype)
    with pytest.raises(ValueError, match="probabilities"):
        contrasts.weighted(probabilities, 0)


def test_unsigned_targets_and_complex_weights():
    logits = torch.tensor([[2.0, 1.0, 0.0]])
    assert torch.equal(
        contrasts.weighted(logits, np.array([1], dtype=np.uint16)), contrasts.weighted(logits, 1)
    )
    with pytest.raises(TypeError, match="real"):
        contrasts.cotangent(torch.ones(1, 3, dtype=torch.complex64), logits, 0)
