"""The sanity check and the propositions: what holds in float64, and that a violation would be seen."""

import pytest
import torch
from torch import nn

from contrastlib.contrasts import cotangent
from contrastlib.evaluation import theory
from contrastlib.explainers import EXPLAINERS


def test_contrasts_do_not_see_a_feature_that_all_classes_share():
    table = theory.shared_feature().set_index("contrast")
    assert (table["probability_change"] < 1e-12).all()
    assert (table.loc[list(theory.CONTRASTS), "attribution_change"] < 1e-10).all()
    x = torch.rand(1, 8, dtype=torch.float64, generator=_after_weights())[0, 0].item()
    assert table.loc["original", "attribution_change"] == pytest.approx(5 * x)


def _after_weights():
    generator = torch.Generator().manual_seed(0)
    torch.randn(6, 8, dtype=torch.float64, generator=generator)
    return generator


def test_a_contrast_whose_weights_do_not_sum_to_zero_would_be_seen(monkeypatch):
    monkeypatch.setattr(
        theory.schemes, "cotangent", lambda name, logits, target: 1.1 * cotangent("original", logits, target)
    )
    assert (theory.shared_feature()["attribution_change"] > 1).all()


def test_after_one_step_the_sigmoid_has_gone_half_as_far():
    first = theory.training_gaps(updates=1).set_index("rates")["gap"]
    assert first["equal"] == pytest.approx(0.5) and first["doubled"] == pytest.approx(0, abs=1e-12)


def test_trajectories_agree_at_twice_the_rate_only():
    table = theory.training_gaps(rate=0.5, updates=50)
    assert table["update"].tolist() == [*range(1, 51)] * 3
    assert table.loc[table["rates"] == "doubled", "gap"].max() < 1e-10
    assert table.loc[table["rates"] == "equal", "gap"].min() > 0.01


@pytest.fixture
def convolutional():
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 5)
    ).double()
    return network, torch.rand(2, 3, 8, 8, dtype=torch.float64)


def test_each_linear_method_gives_the_gradient_of_the_probability(convolutional):
    gaps = theory.probability_gaps(*convolutional)
    assert set(gaps["method"]) == {
        "gradient",
        "input_x_gradient",
        "gradcam",
        "linear_approximation",
        "xgradcam",
    }
    assert gaps["gap"].max() < 1e-10


def test_a_wrong_formula_would_be_seen(convolutional, monkeypatch):
    monkeypatch.setattr(theory.schemes, "probability", theory.schemes.mean)
    assert theory.probability_gaps(*convolutional)["gap"].min() > 0.1


@pytest.mark.parametrize("classes_at_once", [2, 16])
def test_contrasts_may_be_formed_first_or_last(convolutional, classes_at_once):
    gaps = theory.order_gaps(*convolutional, classes_at_once=classes_at_once)
    assert len(gaps) == 5 * 3 and gaps["gap"].max() < 1e-10


class WithShortcut(nn.Module):
    """Not all of the gradient passes through the convolution."""

    def __init__(self):
        super().__init__()
        self.conv, self.relu, self.head = (
            nn.Conv2d(3, 3, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Linear(192, 5),
        )

    def forward(self, images):
        return self.head(self.relu(self.conv(images) + images).flatten(1))


def test_contrasts_may_be_formed_at_every_layer_between(convolutional):
    network, images = convolutional
    gaps = theory.step_gaps(network, images)
    assert gaps["contrast"].tolist() == list(theory.CONTRASTS) and gaps["gap"].max() < 1e-10
    assert set(gaps["method"]) == {"gradient, formed at each of 5 layers"}
    shortcut = theory.step_gaps(WithShortcut().double(), images)
    assert (
        set(shortcut["method"]) == {"gradient, formed at each of 3 layers"} and shortcut["gap"].max() < 1e-10
    )


def test_a_step_that_does_not_go_on_linearly_would_be_seen(convolutional):
    class Squared(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, gradient):
            return gradient**2

    class Layer(nn.Module):
        def forward(self, x):
            return Squared.apply(x)

    network, images = convolutional
    assert theory.step_gaps(nn.Sequential(network[0], Layer(), *network[1:]), images)["gap"].min() > 0.1


def test_a_method_that_is_not_linear_would_be_seen(convolutional, monkeypatch):
    class Squared:
        @staticmethod
        def function(record, w, layer):
            return EXPLAINERS["gradient"].function(record, w, layer) ** 2

    found = theory._recorded
    monkeypatch.setattr(
        theory, "_recorded", lambda *a: (found(*a)[0], {"squared": (Squared, "input")}, found(*a)[2])
    )
    assert theory.order_gaps(*convolutional)["gap"].min() > 0.1
