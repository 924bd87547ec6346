"""The layer of maps where none is named: the network's own name for it, else its last convolution."""

import pandas as pd
import pytest
import torch
from torch import nn
from torchvision.models import resnet18

import contrastlib
from contrastlib.autograd import default_layer
from contrastlib.evaluation import (
    corrections,
    dominance,
    interventions,
    masking,
    similarity,
    theory,
    three_classes,
)
from contrastlib.evaluation.maps_of_contrasts import explanations

CLASSES = 4


class OwnLayer(nn.Module):
    """A network that keeps a module under the attribute ``layer``, which is no name of a layer."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU())
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(24, CLASSES))

    def forward(self, images):
        return self.head(self.layer(images))


def interventions_on_quarters(network, images, **layer):
    """Each quarter of the images is painted black."""
    masks = (
        torch.eye(4, dtype=torch.bool).unflatten(1, (2, 2)).repeat_interleave(6, 1).repeat_interleave(6, 2)
    )
    of = torch.cartesian_prod(torch.arange(2), torch.arange(4))
    versions = images[of[:, 0]] * ~masks[of[:, 1], None]
    repainted = interventions.Repainted(
        images, masks.expand(2, -1, -1, -1), tuple("abcd"), versions, of, ranked=4
    )
    return interventions.compare(network, repainted, torch.tensor([[0, 1], [2, 3]]), ["gradcam"], **layer)


def maps_by_gradcam(network, images, **layer):
    ((_, maps),) = explanations(network, images, torch.zeros(2, dtype=torch.long), ["gradcam"], **layer)
    return pd.DataFrame(maps.flatten(1).numpy())


EVALUATIONS = {
    "explain": lambda *given, **layer: pd.DataFrame(contrastlib.explain(*given, **layer).flatten(1).numpy()),
    "masking": lambda *given, **layer: masking.relative_probabilities(*given, threshold=0.0, **layer),
    "three classes": lambda *given, **layer: three_classes.compare(*given, threshold=0.0, **layer),
    "class counts": three_classes.mean_by_class_count,
    "dominance": dominance.agreement,
    "maps of contrasts": maps_by_gradcam,
    "interventions": interventions_on_quarters,
    "similarity": lambda *given, layer=None: similarity.describe(*given, layers=[layer] if layer else []),
}


@pytest.mark.parametrize("evaluate", EVALUATIONS.values(), ids=EVALUATIONS)
def test_a_module_called_layer_is_no_name(evaluate):
    torch.manual_seed(0)
    network, images = OwnLayer().eval(), torch.rand(2, 3, 12, 12)
    pd.testing.assert_frame_equal(evaluate(network, images), evaluate(network, images, layer="layer.0"))


@pytest.mark.parametrize("own", [None, "", 3])
def test_what_is_no_name_does_not_count(own):
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, CLASSES))
    network.layer = own
    assert default_layer(network, torch.rand(2, 3, 8, 8)) == "0"


class RunsInAnotherOrder(nn.Module):
    """Its last convolution is the first that it defines."""

    def __init__(self):
        super().__init__()
        self.last, self.first, self.head = nn.Conv2d(6, 6, 3), nn.Conv2d(3, 6, 3), nn.Linear(6, CLASSES)

    def forward(self, images):
        return self.head(self.last(self.first(images).relu()).relu().mean(dim=(2, 3)))


LAYERED = EVALUATIONS | {
    "normalisers": lambda *given, layer=None: corrections.normalisers(
        *given, layers=[layer] if layer else []
    ),
}


@pytest.mark.parametrize("evaluate", LAYERED.values(), ids=LAYERED)
def test_each_evaluation_explains_the_layer_that_explain_chooses(evaluate):
    torch.manual_seed(0)
    network, images = RunsInAnotherOrder().eval(), torch.rand(2, 3, 12, 12)
    pd.testing.assert_frame_equal(evaluate(network, images), evaluate(network, images, layer="last"))


def test_maps_of_a_network_that_names_no_layer_are_those_that_explain_makes():
    torch.manual_seed(0)
    network, images = resnet18(num_classes=CLASSES).eval(), torch.rand(2, 3, 64, 64)
    ((rows, maps),) = explanations(network, images, torch.tensor([0, 3]), ["gradcam"], ["weighted", "case"])
    assert rows == [("gradcam", "weighted"), ("gradcam", "case")]
    expected = contrastlib.explain(
        network, images, target=[0, 3], method="gradcam", contrast="weighted", upsample=False
    )
    torch.testing.assert_close(maps[0], expected)


def test_maps_of_the_pixels_ask_for_no_default_layer():
    network = nn.Sequential(nn.Flatten(), nn.Linear(12, CLASSES))
    ((_, maps),) = explanations(network, torch.rand(2, 3, 2, 2), torch.tensor([0, 3]), ["gradient"], ["mean"])
    assert maps.shape == (1, 2, 2, 2)


def test_the_theory_is_tried_at_the_layer_that_explain_chooses():
    torch.manual_seed(0)
    network, images = RunsInAnotherOrder().eval(), torch.rand(2, 3, 12, 12)
    record, methods, _ = theory._recorded(network, images)
    assert set(record.activations) == {"input", "last"} and methods["gradcam"][1] == "last"
