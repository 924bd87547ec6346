"""The sign perturbation: within its bounds, in the fewest passes, each step as in the equations."""

import numpy as np
import pytest
import torch
from torch import nn

from contrastlib import contrasts, explain
from contrastlib.autograd import forward
from contrastlib.evaluation import perturbation
from contrastlib.evaluation.perturbation import CONTRASTS, changes, perturbed, tidy
from contrastlib.explainers import gradient

TARGET = torch.tensor([0, 3, 5])
EXACT = {"rtol": 1e-10, "atol": 1e-10}
KEYS = ["contrast", "epsilon", "iterations"]


def start_gradients(network, images, names=CONTRASTS):
    record = forward(network, images)
    return gradient(record, torch.stack([contrasts.cotangent(c, record.logits, TARGET) for c in names]))


def ends(network, images, steps, epsilon, **options):
    return perturbed(
        network, images, TARGET, start_gradients(network, images), CONTRASTS, steps, epsilon, **options
    )


@pytest.fixture
def edges(images):
    """Images with pixels at and near 0 and 1, where the clamp to [0, 1] matters."""
    return ((images - 0.5) * 1.5 + 0.5).clamp(0, 1)


# --- bounds -----------------------------------------------------------------------------------


@pytest.mark.parametrize("direction", ["iterate", "start"])
@pytest.mark.parametrize("epsilon, steps", [(1e-3, 1), (3e-3, 2), (3e-3, 10), (0.2, 3)])
def test_stays_within_epsilon_and_within_the_pixels_range(network, edges, epsilon, steps, direction):
    for images in (edges, edges.float()):
        moved = ends(network.to(images.dtype), images, steps, epsilon, direction=direction)
        assert moved.shape == (4, *images.shape)
        assert moved.min() >= 0 and moved.max() <= 1
        assert (moved - images).abs().max() <= epsilon + 1e-7


def test_the_printed_clamp_leaves_the_range_of_pixels_and_by_epsilon_only(network, edges):
    moved = ends(network, edges, 1, 3e-3, clamp="printed")
    assert moved.min() < 0 and moved.max() > 1
    assert moved.min() >= -3e-3 - 1e-12 and moved.max() <= 1 + 3e-3 + 1e-12


def test_the_printed_clamp_does_not_hold_a_pixel_within_epsilon(network, images):
    """Its interval contains [0, 1], so a pixel in the interior may go anywhere."""
    low, high = perturbation._bounds(images, 1e-3, "printed")
    assert (low <= 0).all() and (high >= 1).all()
    low, high = perturbation._bounds(images, 1e-3, "corrected")
    assert (high - low <= 2e-3 + 1e-12).all()


def test_one_step_is_epsilon_times_the_sign_of_the_gradient(network, edges):
    slopes = start_gradients(network, edges)
    expected = torch.minimum(torch.maximum(edges + 1e-3 * slopes.sign(), edges - 1e-3), edges + 1e-3).clamp(
        0, 1
    )
    torch.testing.assert_close(ends(network, edges, 1, 1e-3), expected, **EXACT)


def test_each_step_takes_the_gradient_where_it_is(network, edges):
    """Three steps of the weighted contrast, written out with explain()'s own gradient."""
    moved = edges
    for _ in range(3):
        record = forward(network, moved)
        slope = gradient(record, contrasts.weighted(record.logits, TARGET))
        moved = moved + 0.02 / 3 * slope.sign()
        moved = torch.maximum(torch.minimum(moved, edges + 0.02), edges - 0.02).clamp(0, 1)
    torch.testing.assert_close(ends(network, edges, 3, 0.02)[CONTRASTS.index("weighted")], moved, **EXACT)


# --- the fixed direction ------------------------------------------------------------------------


def test_with_a_fixed_direction_the_number_of_steps_does_not_matter(network, images):
    inside = 0.1 + 0.8 * images
    one = ends(network, inside, 1, 3e-3, direction="start")
    for steps in (2, 10):
        torch.testing.assert_close(ends(network, inside, steps, 3e-3, direction="start"), one, **EXACT)


def test_with_the_direction_of_each_step_the_number_matters(network, images):
    inside = 0.1 + 0.8 * images
    assert not torch.allclose(ends(network, inside, 10, 0.05), ends(network, inside, 1, 0.05), atol=1e-3)


# --- the table -----------------------------------------------------------------------------------


def test_a_row_for_each_image_contrast_epsilon_and_n(network, images):
    table = changes(network, images, TARGET)
    assert len(table) == 3 * 4 * 2 * 3 and not table.isna().any(axis=None)
    assert not table.duplicated(["image", *KEYS]).any()
    assert list(table["contrast"].unique()) == list(CONTRASTS)


def test_the_values_are_those_of_the_perturbed_images(network, images):
    table = changes(network, images, TARGET, iterations=(2,), epsilons=(3e-3,)).set_index(
        ["contrast", "image"]
    )
    moved = ends(network, images, 2, 3e-3)
    for contrast, pixels in zip(CONTRASTS, moved):
        for suffix, logits in (("", network(pixels)), ("_before", network(images))):
            rows = table.loc[contrast].sort_index()
            chosen = logits[range(3), TARGET].detach().numpy()
            np.testing.assert_allclose(rows["y_t" + suffix], chosen, rtol=1e-10)
            p = logits.softmax(dim=1)[range(3), TARGET].detach().numpy()
            np.testing.assert_allclose(rows["p_t" + suffix], p, rtol=1e-10)
            assert (rows["correct" + suffix].to_numpy() == (logits.argmax(dim=1) == TARGET).numpy()).all()


def test_a_small_step_does_what_each_contrast_is_the_gradient_of(network, images):
    """Along the logit's gradient the logit gains most; along that of the log-odds the probability does."""
    table = changes(network, 0.1 + 0.8 * images, TARGET, iterations=(1,), epsilons=(1e-5,))
    gains = tidy(table).pivot(index="image", columns=["quantity", "contrast"], values="change")
    assert (gains > 0)[[("y_t", "original"), ("p_t", "weighted")]].all(axis=None)
    assert (gains["y_t"]["original"] >= gains["y_t"]["weighted"] - 1e-9).all()
    assert (gains["p_t"]["weighted"] >= gains["p_t"].max(axis=1) - 1e-9).all()


def test_batches_are_their_images(network, images):
    whole = changes(network, images, TARGET, iterations=(1, 2)).set_index([*KEYS, "image"]).sort_index()
    for i in range(3):
        alone = changes(network, images[i : i + 1], TARGET[i : i + 1], iterations=(1, 2))
        alone = alone.assign(image=i).set_index([*KEYS, "image"]).sort_index()
        part = whole[whole.index.get_level_values("image") == i]
        np.testing.assert_allclose(alone.astype(float), part.astype(float), rtol=1e-8, atol=1e-10)


def test_tidy_gives_changes(network, images):
    table = changes(network, images, TARGET, iterations=(2,), epsilons=(0.05,))
    long = tidy(table)
    assert len(long) == 3 * len(table) and set(long["quantity"]) == {"accuracy", "p_t", "y_t"}
    p_t = long[long["quantity"] == "p_t"].merge(table, on=["image", *KEYS])
    np.testing.assert_allclose(p_t["change"], p_t["p_t"] - p_t["p_t_before"])
    assert set(long.loc[long["quantity"] == "accuracy", "change"]) <= {-1.0, 0.0, 1.0}


# --- effects --------------------------------------------------------------------------------------


@pytest.fixture
def measured(network, images):
    table = changes(network, images, TARGET, iterations=(1, 2), epsilons=(0.05,))
    return table.assign(network="n", group=table["image"])


def test_mean_changes_are_means_of_tidy_rows(measured):
    found = perturbation.mean_changes(measured, resamples=20)
    assert (
        len(found) == 4 * 2 * 3
        and (found["low"] <= found["change"]).all()
        and (found["change"] <= found["high"]).all()
    )
    expected = tidy(measured).groupby([*KEYS, "quantity"])["change"].mean()
    np.testing.assert_allclose(
        found.set_index([*KEYS, "quantity"])["change"], expected[found.set_index([*KEYS, "quantity"]).index]
    )


def test_differences_are_paired_and_turn_with_the_order(measured):
    forth = perturbation.differences(measured, "y_t", "original", "weighted", resamples=50)
    back = perturbation.differences(measured, "y_t", resamples=50)
    means = perturbation.mean_changes(measured, resamples=2)
    y_t = means[means["quantity"] == "y_t"].pivot(index="iterations", columns="contrast", values="change")
    np.testing.assert_allclose(forth["mean"], y_t["original"] - y_t["weighted"])
    np.testing.assert_allclose(forth[["mean", "low", "high"]], -back[["mean", "high", "low"]])
    every = perturbation.differences(measured, resamples=50)
    assert len(every) == 3 * len(back) and set(every["quantity"]) == set(perturbation.QUANTITIES)


def test_what_differs_at_most_between_two_runs(measured):
    one = measured.index[(measured["contrast"] == "mean") & (measured["iterations"] == 2)][0]
    again = measured.copy()
    again.loc[one, "y_t"] += 0.3
    found = perturbation.repeat_differences(measured, again).loc["n"]
    assert found["one image", "y_t"] == pytest.approx(0.3) and found[
        "mean over images", "y_t"
    ] == pytest.approx(0.1)
    assert found["one image", "p_t"] == found["mean over images", "p_t"] == 0
    assert perturbation.repeat_differences(measured, again[again["network"] == "other"]).empty


# --- the number of passes -------------------------------------------------------------------------


class Counted(nn.Module):
    """A network that counts its forward passes, and the images in them."""

    def __init__(self, network):
        super().__init__()
        self.network, self.passes, self.images = network, 0, 0

    def forward(self, x):
        self.passes, self.images = self.passes + 1, self.images + len(x)
        return self.network(x)


@pytest.mark.parametrize("direction", ["iterate", "start"])
def test_no_pass_more_than_needed(network, images, monkeypatch, direction):
    backward, cotangents = torch.autograd.grad, []

    def counted(outputs, ends, gradients, **options):
        if torch.is_tensor(ends[0]):  # to the images; another way ends below the head, which all share
            cotangents.append(len(gradients))
        return backward(outputs, ends, gradients, **options)

    monkeypatch.setattr(torch.autograd, "grad", counted)
    model = Counted(network)
    changes(model, images, TARGET, iterations=(1, 2, 10), epsilons=(1e-3, 3e-3), direction=direction)
    later = 2 * (0 + 1 + 9) if direction == "iterate" else 0  # steps away from x^0
    settings = 2 * 3
    assert model.passes == 1 + later + settings
    assert model.images == 3 * (1 + 4 * (later + settings))
    assert sum(cotangents) == 3 * 4 * (1 + later)


def test_towards_the_predicted_class_whatever_the_target(network, images):
    predicted = network(images).argmax(dim=1)
    other = (predicted + 1) % 6
    assert changes(network, images, other, towards="predicted").equals(changes(network, images, predicted))
    assert not changes(network, images, other).equals(changes(network, images, predicted))


@pytest.mark.parametrize("margin, same", [(5.0, True), (40.0, False)])
def test_through_the_softmax_only_a_sure_network_goes_elsewhere(images, margin, same):
    """Where 1 - p_t rounds to 0 the gradient through a float32 softmax loses the target's own term."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(images[0].numel(), 3))
    nn.init.zeros_(network[1].bias)
    with torch.no_grad():
        network[1].bias[0] = margin
    table = changes(
        network,
        images.float(),
        torch.zeros(len(images), dtype=torch.long),
        contrasts=("weighted", "softmax"),
        iterations=(1,),
        epsilons=(0.003,),
    )
    exact, spoiled = (table.loc[table["contrast"] == c, "y_t"].to_numpy() for c in ("weighted", "softmax"))
    assert np.allclose(exact, spoiled, rtol=0, atol=1e-6) == same


# --- bad input ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options, says",
    [
        ({"clamp": "none"}, 'clamp must be "corrected" or "printed"'),
        ({"direction": "random"}, 'direction must be "iterate" or "start"'),
        ({"towards": "somewhere"}, 'towards must be "target" or "predicted"'),
        ({"contrasts": ["weigthed"]}, "unknown contrast 'weigthed'"),
    ],
)
def test_unknown_options(network, images, options, says):
    with pytest.raises(ValueError, match=says):
        changes(network, images, TARGET, **options)


def test_normalised_images(network, images):
    for wrong in (images * 255, images - 0.5):
        with pytest.raises(ValueError, match=r"\[0, 1\]: let the model normalise"):
            changes(network, wrong, TARGET)


def test_nan_images_and_targets_that_are_no_class(network, images):
    with pytest.raises(ValueError, match="NaN"):
        changes(network, images.where(images > 0.01, torch.nan), TARGET)
    with pytest.raises(IndexError, match="target 6"):
        changes(network, images, torch.tensor([0, 1, 6]))


def test_the_network_is_left_as_it_was_found(network, images):
    network.train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    changes(network, images, TARGET, iterations=(2,))
    assert all(module.training for module in network.modules())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert explain(network, images).isfinite().all()
