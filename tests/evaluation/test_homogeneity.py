"""Methods that equal input x gradient where nothing shifts."""

import pytest
import torch
from torch import nn

from contrastlib.evaluation import homogeneity
from contrastlib.models.classifier import Classifier


@pytest.fixture
def network():
    torch.manual_seed(0)
    layers = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(4 * 9, 6)
    )
    layers[1].running_mean.normal_(), layers[1].bias.data.normal_()
    return Classifier(
        layers, name="n", class_names=list("abcdef"), layer=None, input_size=8, checksum=""
    ).eval()


@pytest.fixture
def images():
    return torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))


def test_a_copy_without_shifts_is_homogeneous_and_the_network_stays(network, images):
    before = network(images).detach()
    copied = homogeneity.without_shifts(network)
    torch.testing.assert_close(copied(0.5 * images), 0.5 * copied(images))
    assert not torch.allclose(network(0.5 * images), 0.5 * network(images), atol=1e-3)
    assert torch.equal(network(images), before)


def test_methods_are_one_without_shifts_only(network, images):
    table = homogeneity.compare(network, images)
    assert table.groupby(["shifts", "method"]).size().eq(2).all() and table["method"].nunique() == 3
    assert (table.loc[table["shifts"] == "set to 0", "similarity"] > 1 - 1e-9).all()
    assert (table.loc[table["shifts"] == "kept", "similarity"] < 0.999).all()
