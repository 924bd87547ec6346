"""Trials of methods on families of networks: their outcomes, and that those of the page are still true."""

import time

import pytest
import torch
from torch import nn

from contrastlib.report.pages import families as families_page
from contrastlib.report.results.provenance import REPOSITORY

pytestmark = pytest.mark.slow
AGAIN = {
    "torchvision": ["squeezenet1_1", "swin_t", "vit_b_16"],
    "timm": ["mobilenetv3_small_050", "vit_tiny_patch16_224", "resnet10t"],
    "transformers": ["ViTForImageClassification", "ConvNextForImageClassification", "CLIPModel"],
    "contrastlib": ["birds_resnet", "birds_vit"],
}


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    monkeypatch.syspath_prepend(REPOSITORY)
    torch.manual_seed(0)


class Network(nn.Module):
    """A small network with an operation of choice between its layers."""

    def __init__(self, between=torch.relu):
        super().__init__()
        self.between = between
        self.convolution, self.head = nn.Conv2d(3, 4, 3), nn.Linear(4, 7)

    def forward(self, images):
        return self.head(self.between(self.convolution(images)).mean(dim=(2, 3)))


def attempt(network, method, expected=None, seconds=60):
    from benchmarks.families import trial

    return trial.attempt(network.eval(), torch.rand(2, 3, 8, 8), method, expected, seconds)


def raises(error):
    def between(activations):
        raise error

    return between


def test_a_map_is_checked():
    assert attempt(Network(), "lrp").kind == "map"
    wrong = attempt(Network(), "gradient", torch.rand(2, 8, 8))
    assert wrong.kind == "fails" and wrong.reason.startswith("a map differs from plain autograd by")
    assert attempt(Network(torch.zeros_like), "input_x_gradient").kind != "map"


def test_only_errors_of_the_library_are_refusals():
    refused = attempt(Network(), "vit_gradcam")
    assert refused.kind == "refused" and refused.reason
    foreign = attempt(Network(raises(ValueError("I am the network's own. And more."))), "gradient")
    assert (foreign.kind, foreign.reason) == ("fails", "ValueError: I am the network's own.")
    assert attempt(Network(raises(KeyError("x"))), "gradient").kind == "fails"


def test_a_trial_has_a_time_limit():
    def slow(activations):
        time.sleep(60)

    started = time.monotonic()
    found = attempt(Network(slow), "gradient", seconds=0.2)
    assert found.kind == "fails" and found.reason == "TimeLimit: it took more than 0.2 seconds"
    assert time.monotonic() - started < 30


def test_plain_maps_by_hand():
    """A network whose gradients are known: y_s = sum_k v_sk mean(relu(u_k x))."""
    from benchmarks.families import plain

    network = nn.Sequential(
        nn.Conv2d(1, 2, 1, bias=False),
        nn.Identity(),
        nn.Hardtanh(0.0, 6.0),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(2, 2, bias=False),
    ).double()
    network[0].weight.data = torch.tensor([2.0, -1.0]).view(2, 1, 1, 1).double()
    network[5].weight.data = torch.tensor([[1.0, 0.0], [4.0, 1.0]]).double()
    images = torch.tensor([[1.0, -1.0], [2.0, 0.5]]).view(1, 1, 2, 2).double()
    # of two classes the log-odds are y_0 - y_1 = -3 mean(relu(2 x)) - mean(relu(-x))
    gradient = torch.tensor([[-6.0, 1.0], [-6.0, -6.0]]).double() / 4
    maps = plain.pixel_maps(network, images, torch.tensor([0]), 2)
    torch.testing.assert_close(maps["gradient"][0], gradient)
    torch.testing.assert_close(maps["integrated_gradients"][0], gradient * images[0, 0])
    assert not maps["guided_backpropagation"].any()  # nothing positive arrives at a ReLU
    of_layer = plain.layer_maps(network, images, torch.tensor([0]), "1")
    torch.testing.assert_close(of_layer["linear_approximation"][0], gradient * images[0, 0])
    means = torch.tensor([-3 * 3 / 4, -1 / 4]).double() / 4  # mean gradient of each channel
    torch.testing.assert_close(of_layer["gradcam"][0], (2 * means[0] - means[1]) * images[0, 0])
    assert plain.layer_maps(network, images, torch.tensor([0]), "4") == {}


def test_every_part_of_a_network_contributes():
    from benchmarks.families.preparation import random_images, with_every_part

    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
    nn.init.normal_(network[0].weight, std=1e-3)
    nn.init.zeros_(network[1].weight)
    images = random_images(4, 16)
    network = with_every_part(network, images)
    assert not network.training and network[1].momentum == 0.1 and (network[1].weight != 0).all()
    assert network[0].weight.std().item() == pytest.approx(27**-0.5, rel=0.1)
    torch.testing.assert_close(network[1].running_mean, network[0](images).mean(dim=(0, 2, 3)))


def test_no_family_is_missing():
    """Of torchvision's and of timm's classifiers: each of their modules has a network."""
    import timm
    import torchvision
    from timm.models import model_entrypoint

    from benchmarks.families.networks import networks

    tried = [network for network in networks() if network.library == "timm"]
    modules = {model_entrypoint(network.name).__module__.rpartition(".")[2] for network in tried}
    assert modules == {model_entrypoint(name).__module__.rpartition(".")[2] for name in timm.list_models()}
    models = torchvision.models
    built = {type(network.build()).__module__ for network in networks() if network.library == "torchvision"}
    assert built == {models.get_model_builder(name).__module__ for name in models.list_models(module=models)}


def test_names_are_unique_and_those_of_the_page():
    from benchmarks.families.networks import networks

    keys = [(network.library, network.family, network.name) for network in networks()]
    assert len({key[::2] for key in keys}) == len(keys)
    assert keys == [
        (each["library"], each["family"], each["network"]) for each in families_page.load()["networks"]
    ]


@pytest.mark.parametrize(
    "library, name", [(library, name) for library, names in AGAIN.items() for name in names]
)
def test_outcomes_are_those_of_the_page(library, name):
    from benchmarks.families.networks import networks
    from benchmarks.families.trial import try_network

    (network,) = (each for each in networks() if (each.library, each.name) == (library, name))
    (kept,) = (
        each
        for each in families_page.load()["networks"]
        if (each["library"], each["network"]) == (library, name)
    )
    found = try_network(network, 120)
    measured = {kind: set(kept[kind]) for kind in families_page.KINDS}
    methods = set().union(*measured.values())  # a method that is newer than the kept outcomes is not there
    assert {kind: set(found[kind]) & methods for kind in families_page.KINDS} == measured
    assert (found["layer"], found["default"]) == (kept["layer"], kept["default"])


def test_the_command_line(tmp_path, capsys):
    import json

    from benchmarks.families.__main__ import main

    assert main(["birds_resnet", "--save", str(tmp_path / "found.json")]) in (0, 1)
    found = json.loads((tmp_path / "found.json").read_text())
    assert [network["network"] for network in found["networks"]] == ["birds_resnet"]
    assert found["provenance"]["commit"] and found["provenance"]["libraries"]["timm"]
    assert "contrastlib birds_resnet, layer " in capsys.readouterr().out
    with pytest.raises(SystemExit, match="no network has that name"):
        main(["nothing"])
