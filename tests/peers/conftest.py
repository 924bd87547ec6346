"""What peers are asked to explain: each contrast as a score of the logits, written for autograd."""

from importlib.util import find_spec

import pytest
import torch
from torch import nn
from torchvision.models import VisionTransformer

collect_ignore = (
    [] if find_spec("quantus") else ["test_quantus.py"]
)  # not required: see benchmarks/second_opinion.py
TARGET, FOILS = [4, 0], [1, 3]


def without(row, target):
    return torch.cat([row[:target], row[target + 1 :]])


# name -> score of one image's logits (C,) whose gradient the contrast should be
SCORES = {
    "original": lambda y, t: y[t],
    "mean": lambda y, t: y[t] - without(y, t).mean(),
    "maximum": lambda y, t: y[t] - without(y, t).max(),
    "weighted": lambda y, t: y[t] - without(y, t).logsumexp(dim=0),
    "probability": lambda y, t: y.softmax(dim=0)[t],
    "among": lambda y, t: y[t] - y[FOILS].logsumexp(dim=0),
}
# layers whose output is next changed in place: peers keep what it has become
CHANGED = {"features.26", "classifier.1"}


class Case:
    """A torchvision network with images, targets, and one contrast in both languages."""

    def __init__(self, network, contrast):
        self.network, self.contrast, self.target = network, contrast, TARGET
        self.layers = [layer for layer in network.layers if layer not in CHANGED]
        self.options = {"foils": FOILS} if contrast == "among" else {}
        images = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        self.images = nn.functional.interpolate(images, 48, mode="bilinear")

    def score(self, images):
        """The contrast's score of each image, as a function of the images."""
        return torch.stack(
            [SCORES[self.contrast](row, t) for row, t in zip(self.network(images), self.target)]
        )

    def targets(self):
        """The same, a function of the logits for each image."""
        return [lambda row, t=t: SCORES[self.contrast](row, t) for t in self.target]

    def explain(self, method, layer=None, **options):
        import contrastlib

        return contrastlib.explain(
            self.network,
            self.images,
            self.target,
            method,
            self.contrast,
            layer,
            upsample=False,
            **self.options,
        )


@pytest.fixture(params=SCORES)
def case(request, torchvision_network):
    return Case(torchvision_network, request.param)


@pytest.fixture(params=SCORES)
def scheme(request):
    """A contrast for other networks: name, options, and the score of each image's logits for autograd."""
    name = request.param
    scores = [lambda row, t=t: SCORES[name](row, t) for t in TARGET]
    return name, {"target": TARGET} | ({"foils": FOILS} if name == "among" else {}), scores


@pytest.fixture(scope="session")
def transformer():
    torch.manual_seed(0)
    network = VisionTransformer(32, 8, num_layers=3, num_heads=2, hidden_dim=8, mlp_dim=16, num_classes=6)
    for weights in network.parameters():  # torchvision's head begins at 0, its attention nearly uniform
        nn.init.normal_(weights, std=0.5)
    return network.double().eval()
