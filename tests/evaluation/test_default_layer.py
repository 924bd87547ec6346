"""The layer of maps where none is named: the network's own name for it, else its last convolution."""

import pandas as pd
import pytest
import torch
from torch import nn

import contrastlib
from contrastlib.autograd import default_layer
from contrastlib.evaluation import corrections, dominance, masking, similarity, theory, three_classes
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


EVALUATIONS = {
    "explain": lambda *given, **layer: pd.DataFrame(contrastlib.explain(*given, **layer).flatten(1).numpy()),
    "masking": lambda *given, **layer: masking.relative_probabilities(*given, threshold=0.0, **layer),
    "three classes": lambda *given, **layer: three_classes.compare(*given, threshold=0.0, **layer),
    "class counts": three_classes.mean_by_class_count,
    "dominance": dominance.agreement,
    "maps of contrasts": lambda *given, layer=None: pd.DataFrame(torch.cat([
        maps.flatten() for _, maps in explanations(*given, target=torch.zeros(2, dtype=torch.long), methods=["gradcam"], layer=layer)
    ]).numpy()),
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
    "normalisers": lambda *given, layer=None: corrections.normalisers(*given, layers=[layer] if layer else []),
}


@pytest.mark.parametrize("evaluate", LAYERED.values(), ids=LAYERED)
def test_each_evaluation_explains_the_layer_that_explain_chooses(evaluate):
    torch.manual_seed(0)
    network, images = RunsInAnotherOrder().eval(), torch.rand(2, 3, 12, 12)
    pd.testing.assert_frame_equal(evaluate(network, images), evaluate(network, images, layer="last"))


def test_the_theory_is_tried_at_the_layer_that_explain_chooses():
    torch.manual_seed(0)
    network, images = RunsInAnotherOrder().eval(), torch.rand(2, 3, 12, 12)
    record, methods, _ = theory._recorded(network, images)
    assert set(record.activations) == {"input", "last"} and methods["gradcam"][1] == "last"
