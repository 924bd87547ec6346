"""The small networks: shapes, sizes, names, and the weights that are shipped."""

import json
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from contrastlib import assets, models
from contrastlib.datasets.birds import SPECIES, SyntheticBirds
from contrastlib.training import from_scratch

WEIGHTS = Path(__file__).parents[3] / "data" / "weights"
NAMES = [
    name for name, network in models.MODELS.items() if network.training and network.layer
]  # the convolutional ones


def shipped(name):
    network = models.build(name, len(SPECIES))
    network.load_state_dict(load_file(WEIGHTS / f"{name}.safetensors"))
    return network


def card(name):
    return json.loads((WEIGHTS / f"{name}.json").read_text())


@pytest.fixture(scope="module")
def measured():
    """Scores of the shipped networks on the first third of the test pictures."""
    pictures = from_scratch.render(SyntheticBirds("test", 128, length=500))
    return {name: from_scratch.evaluate(shipped(name), pictures) for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_shapes(name):
    network = models.build(name, 30).eval()
    shapes = {}
    network.get_submodule(models.MODELS[name].layer).register_forward_hook(
        lambda module, images, maps: shapes.update(maps=maps.shape, least=maps.min())
    )
    logits = network(torch.randn(2, 3, 128, 128))
    assert logits.shape == (2, 30)
    assert shapes["maps"][0] == 2 and shapes["maps"][2:] == (16, 16)
    assert shapes["least"] == 0  # after the ReLU
    assert 200_000 < sum(weights.numel() for weights in network.parameters()) < 700_000


def test_only_the_alexnet_has_no_batch_normalisation():
    plain = [
        name
        for name in NAMES
        if not any(isinstance(module, torch.nn.BatchNorm2d) for module in models.build(name, 3).modules())
    ]
    assert plain == ["birds_alexnet"]


def test_unknown_name():
    with pytest.raises(ValueError, match="unknown network 'birds_rnn': did you mean 'birds_resnet'"):
        models.build("birds_rnn", 30)


def test_shipped_weights_are_small():
    sizes = {path.stem: path.stat().st_size for path in WEIGHTS.glob("*.safetensors")}
    assert set(sizes) == set(assets.trained_names()) >= {*NAMES, "birds_vit", "cifar10_vit"}
    fewer = {
        name for name, network in models.MODELS.items() if network.training and network.training.pictures
    }
    added = {name for name in sizes if "-seed" in name} | fewer  # in 16 bits
    assert (
        sum(sizes[name] for name in added) < 14e6 and sum(sizes[name] for name in set(sizes) - added) < 10e6
    )
    assert max(sizes["birds_vit"], sizes["cifar10_vit"]) <= 5e6


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_shipped_weights_score_what_their_card_says(name, measured):
    said = card(name)["test"]
    for score in ("accuracy", "share_p2_above_0.1"):
        assert measured[name][score] == pytest.approx(said[score], abs=0.04)


@pytest.mark.parametrize("name", NAMES)
def test_card_and_log_belong_together(name):
    content, log = card(name), pd.read_csv(WEIGHTS / f"{name}.csv")
    assert content["class_names"] == [each.name for each in SPECIES]
    assert content["test_set"] == SyntheticBirds("test", 128).checksum
    assert list(log.epoch) == list(range(1, content["recipe"]["epochs"] + 1))
    assert log.validation_accuracy.iloc[-1] == pytest.approx(content["test"]["accuracy"], abs=0.06)


@pytest.mark.slow
def test_the_vgg_is_neither_perfect_nor_certain(measured):
    assert 0.75 <= measured["birds_vgg"]["accuracy"] <= 0.92
    assert measured["birds_vgg"]["share_p2_above_0.1"] >= 0.2
