"""What peers are asked to explain: each contrast as a score of the logits, written for autograd."""

import pytest
import torch
from torch import nn

TARGET = [4, 0]


def without(row, target):
    return torch.cat([row[:target], row[target + 1 :]])


# name -> score of one image's logits (C,) whose gradient the contrast should be
SCORES = {
    "original": lambda y, t: y[t],
    "mean": lambda y, t: y[t] - without(y, t).mean(),
    "maximum": lambda y, t: y[t] - without(y, t).max(),
    "weighted": lambda y, t: y[t] - without(y, t).logsumexp(dim=0),
    "probability": lambda y, t: y.softmax(dim=0)[t],
    "among": lambda y, t: y[t] - y[[1, 3]].logsumexp(dim=0),
}
# layers whose output is next changed in place: peers keep what it has become
CHANGED = {"features.26", "classifier.1"}


class Case:
    """A torchvision network with images, targets, and one contrast in both languages."""

    def __init__(self, network, contrast):
        self.network, self.contrast, self.target = network, contrast, TARGET
        self.layers = [layer for layer in network.layers if layer not in CHANGED]
        self.options = {"foils": [1, 3]} if contrast == "among" else {}
        images = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        self.images = nn.functional.interpolate(images, 48, mode="bilinear")

    def score(self, images):
        """The contrast's score of each image, as a function of the images."""
        return torch.stack([SCORES[self.contrast](row, t) for row, t in zip(self.network(images), self.target)])

    def targets(self):
        """The same, a function of the logits for each image."""
        return [lambda row, t=t: SCORES[self.contrast](row, t) for t in self.target]

    def explain(self, method, layer=None, **options):
        import contrastlib

        return contrastlib.explain(
            self.network, self.images, self.target, method, self.contrast, layer, upsample=False, **self.options
        )


@pytest.fixture(params=SCORES)
def case(request, torchvision_network):
    return Case(torchvision_network, request.param)
