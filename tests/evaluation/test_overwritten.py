"""The tensor that a forward hook keeps of a layer, where the next operation works in place."""

import pytest
import torch
from torch import nn
from torchvision.models.resnet import BasicBlock

from contrastlib.autograd import forward
from contrastlib.contrasts import original
from contrastlib.evaluation import overwritten
from contrastlib.explainers import gradcam, linear_approximation


def head():
    return [nn.Flatten(), nn.Linear(4 * 36, 5)]


@pytest.fixture
def plain():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), *head()).eval()


@pytest.fixture
def normalised():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), *head()).eval()
    net[1].running_mean.normal_()
    return net


@pytest.fixture
def images():
    return torch.rand(3, 3, 8, 8, generator=torch.Generator().manual_seed(1))


def of(table, reading, method="gradcam", contrast="original"):
    return table[
        (table["reading"] == reading) & (table["method"] == method) & (table["contrast"] == contrast)
    ]


def test_after_a_plain_convolution_the_tensor_becomes_that_of_the_relu(plain, images):
    table = overwritten.compare(plain, images, layers=("0", "1"))
    inside, after = of(table, "copy"), of(table, "reference")
    negative = (plain[0](images) < 0).double().flatten(1).mean(1)
    assert inside["tensor_negative"].tolist() == pytest.approx(negative.tolist()) and (negative > 0.1).all()
    assert (after["tensor_negative"] == 0).all()
    assert inside["changed"].tolist() == pytest.approx(negative.tolist())


def test_maps_of_the_kept_tensor_are_those_of_the_relu(plain, images):
    table = overwritten.compare(plain, images, layers=("0", "1"))
    assert (table.loc[table["reading"] == "reference", "gap_after"] < 1e-12).all()
    assert (of(table, "copy")["gap_after"] > 1e-3).all()
    assert (of(table, "reference, gradient before the ReLU")["gap_after"] > 1e-3).all()
    product = table[table["method"] == "linear_approximation"]
    assert (product["gap_after"] < 1e-12).all()  # gradient times activation is 0 where the ReLU is not active


def test_a_batch_norm_takes_the_place_of_the_convolution(normalised, images):
    table = overwritten.compare(normalised, images, layers=("0", "2"))
    assert (table["changed"] == 0).all() and (table["tensor_negative"] > 0).all()
    after = overwritten.compare(normalised, images, layers=("1", "2"))
    assert (after["changed"] > 0).all() and (of(after, "reference")["tensor_negative"] == 0).all()


def test_a_shortcut_overwrites_the_batch_norm_before_it(images):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), BasicBlock(4, 4), *head()).eval()
    table = overwritten.compare(net, images, layers=("1.bn2", "1"))
    assert (of(table, "reference")["gap_after"] < 1e-12).all() and (table["changed"] > 0.1).all()


@pytest.mark.parametrize("network", ["plain", "normalised"])
def test_what_the_library_records_is_what_the_layer_returned(network, images, request):
    network = overwritten.with_in_place_relus(request.getfixturevalue(network))
    table = overwritten.compare(network, images, layers=("0", str(len(network) - 3)))
    assert (table["gap_recorded"] == 0).all()
    with torch.no_grad():
        returned = network[0](images)
    assert torch.equal(forward(network, images, "0").activations["0"], returned)


def test_a_recording_that_shares_the_tensor_is_found(plain, images, monkeypatch):
    def sharing(model, images, layer):
        record = forward(model, images, layer)
        record.activations[layer].relu_()
        return record

    monkeypatch.setattr(overwritten, "forward", sharing)
    assert (overwritten.compare(plain, images, layers=("0", "1"))["gap_recorded"] > 0).all()


def test_folded_batch_norms_change_no_logit_and_leave_a_plain_network(normalised, images):
    normalised = normalised.double()
    folded = overwritten.without_batch_norm(normalised)
    assert torch.allclose(folded(images.double()), normalised(images.double()), atol=1e-12)
    assert isinstance(normalised[1], nn.BatchNorm2d) and isinstance(folded[1], nn.Identity)
    table = overwritten.compare(normalised, images, layers=("0", "2"), folded=True)
    assert (of(table, "copy")["tensor_negative"] > 0.1).all() and (
        of(table, "reference")["tensor_negative"] == 0
    ).all()
    assert of(table, "reference")["gap_after"].max() < 1e-10  # the map is that of the ReLU
    kept = overwritten.compare(normalised, images, layers=("0", "2"))
    assert (of(kept, "reference")["tensor_negative"] > 0.1).all()
    with pytest.raises(ValueError, match="Sequential has no batch norm that follows a convolution"):
        overwritten.without_batch_norm(folded)


def test_the_maps_are_those_of_the_library(plain, images):
    record = forward(plain.double(), images.double(), "0")
    w = original(record.logits, record.logits.argmax(dim=1))
    table = overwritten.compare(plain, images, layers=("0", "1"))
    for method, function in (("gradcam", gradcam), ("linear_approximation", linear_approximation)):
        negative = (function(record, w) < 0).double().flatten(1).mean(1)
        assert of(table, "copy", method)["negative"].tolist() == pytest.approx(negative.tolist())


def test_the_network_stays_as_it_was(plain, images):
    before = plain(images)
    overwritten.compare(plain, images, layers=("0", "1"))
    assert not plain[1].inplace and not plain[0]._forward_hooks and torch.equal(plain(images), before)
    assert plain[0].weight.dtype == torch.float32


def test_torchvisions_networks(monkeypatch):
    monkeypatch.setattr(overwritten, "TORCHVISION", {"alexnet": overwritten.TORCHVISION["alexnet"]})
    state = torch.random.get_rng_state()
    table = overwritten.of_torchvision(size=96)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert set(table["network"]) == {"alexnet, random weights"}
    assert (of(table, "copy")["tensor_negative"] > 0.25).all()
    assert (of(table, "reference")["tensor_negative"] == 0).all()
