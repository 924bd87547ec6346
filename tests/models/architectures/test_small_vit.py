"""The small Vision Transformers: shapes, how they are trained, and the weights that are shipped."""

import argparse
import json
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from torchvision.models import VisionTransformer

from contrastlib import assets, datasets, models
from contrastlib.cli import train as command
from contrastlib.datasets.archives import CIFAR10
from contrastlib.datasets.base import Example, ImageSet
from contrastlib.datasets.birds import SPECIES, SyntheticBirds
from contrastlib.explainers.vit import attention_rollout, vit_forward
from contrastlib.models.architectures import small_vit
from contrastlib.training import from_scratch
from contrastlib.training.recipe import FromScratchRecipe

WEIGHTS = Path(__file__).parents[3] / "data" / "weights"
CLASSES = {"birds_vit": [each.name for each in SPECIES], "cifar10_vit": CIFAR10}


def card(name):
    return json.loads((WEIGHTS / f"{name}.json").read_text())


@pytest.mark.parametrize("name, side", [("birds_vit", 14), ("cifar10_vit", 8)])
def test_torchvisions_class_with_a_grid_of_tokens(name, side):
    network = models.build(name, 7)
    assert isinstance(network, VisionTransformer)
    images = torch.rand(2, 3, *[models.MODELS[name].input_size] * 2)
    record = vit_forward(network, images)
    assert record.logits.shape == (2, 7)
    assert attention_rollout(record).shape == (2, side, side)


@pytest.mark.parametrize("name", CLASSES)
def test_loaded_as_a_classifier(name):
    classifier = models.load(name)
    assert classifier.class_names == CLASSES[name] and classifier.layer is None
    assert classifier.input_size == {"birds_vit": 112, "cifar10_vit": 32}[name]
    stored = load_file(WEIGHTS / f"{name}.safetensors")
    assert {weights.dtype for weights in stored.values()} == {torch.float16, torch.int64}
    for key, weights in classifier.network.named_parameters():
        assert torch.equal(weights, stored[key].float())


def test_shipped_weights_are_small():
    assert (WEIGHTS / "cifar10_vit.safetensors").stat().st_size < 5e6


@pytest.mark.parametrize("name", CLASSES)
def test_card_and_log_belong_together(name):
    content, log = card(name), pd.read_csv(WEIGHTS / f"{name}.csv")
    assert content["class_names"] == CLASSES[name]
    assert FromScratchRecipe(**content["recipe"]) == from_scratch.recipe_of(name)
    assert list(log.epoch) == list(range(1, content["recipe"]["epochs"] + 1))
    assert log.validation_accuracy.iloc[-1] == pytest.approx(content["test"]["accuracy"], abs=0.06)


def scores_near_the_card(name, test, within):
    """The scores on these pictures, accuracy and the share of second probabilities near those of all."""
    network = models.build(name, len(CLASSES[name]))
    models.pretrained.load_weights(network, WEIGHTS / f"{name}.safetensors")
    scores, said = from_scratch.evaluate(network, from_scratch.render(test)), card(name)["test"]
    for score in ("accuracy", "share_p2_above_0.1"):
        assert scores[score] == pytest.approx(said[score], abs=within)
    return scores


@pytest.mark.slow
def test_the_birds_score_what_their_card_says():
    few = SyntheticBirds("test", models.MODELS["birds_vit"].input_size, length=300)
    scores_near_the_card("birds_vit", few, within=0.06)
    said = card("birds_vit")
    assert said["test_set"] == SyntheticBirds("test", 112).checksum
    assert said["test"]["accuracy"] >= 0.75 and said["test"]["share_p2_above_0.1"] >= 0.2


@pytest.mark.data("cifar10_test.zip")
def test_cifar_scores_what_its_card_says(cifar10_test):
    scores = scores_near_the_card("cifar10_vit", cifar10_test, within=0.02)
    assert card("cifar10_vit")["test_set"] == cifar10_test.checksum
    assert scores["accuracy"] >= 0.8


@pytest.fixture
def cifar10_test():
    """Every fifth test image of CIFAR-10, 2,000 in all."""
    whole = datasets.load("cifar10-test")
    whole.entries = whole.entries[::5]
    return whole


def test_shifted_pictures_are_cut_from_the_mirrored_continuation():
    torch.manual_seed(0)
    images = torch.arange(2 * 3 * 64).view(2, 3, 8, 8).to(torch.uint8)
    moved = from_scratch.shifted(images, 2)
    assert moved.shape == images.shape
    padded = torch.nn.functional.pad(images.float(), [2] * 4, mode="reflect")
    places = []
    for image, whole in zip(moved, padded):
        cuts = {(y, x): whole[:, y : y + 8, x : x + 8] for y in range(5) for x in range(5)}
        places += [place for place, cut in cuts.items() if torch.equal(cut, image)]
    assert len(places) == 2 and places[0] != places[1]


def test_held_out_pictures_are_not_trained_on():
    pictures = from_scratch.LabelledImages(torch.arange(200).view(200, 1), torch.arange(200))
    kept, out = from_scratch.held_out(pictures, every=50)
    assert out.labels.tolist() == [0, 50, 100, 150]
    assert sorted(torch.cat([kept.labels, out.labels]).tolist()) == list(range(200))
    assert torch.equal(kept.images[:, 0], kept.labels)


def test_smoothed_labels_keep_the_loss_up(tmp_path):
    torch.manual_seed(0)
    pictures = from_scratch.LabelledImages(
        torch.randint(255, (8, 3, 8, 8), dtype=torch.uint8), torch.zeros(8).long()
    )
    losses = []
    for smoothing in (0.0, 0.5):
        network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(192, 4))
        recipe = FromScratchRecipe(epochs=30, batch=8, peak_rate=0.05, label_smoothing=smoothing)
        log = from_scratch.fit(network, pictures, pictures, recipe, tmp_path / f"{smoothing}.checkpoint")
        losses.append(log.train_loss.iloc[-1])
    assert losses[0] < 0.05
    assert losses[1] > 0.5


class Noise(ImageSet):
    """CIFAR-10 without pictures."""

    class_names, checksum = CIFAR10, "noise"

    def __init__(self, name):
        self.name = name

    def __len__(self):
        return 100

    def __getitem__(self, index):
        generator = torch.Generator().manual_seed(index)
        return Example(torch.rand(3, 32, 32, generator=generator), index % 10, index, str(index))


def parse(*words):
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers())
    return parser.parse_args(["train", *words])


def test_the_command_trains_on_cifar(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(datasets, "load", Noise)
    arguments = parse("cifar10_vit", "--epochs", "1", "--output", str(tmp_path))
    assert arguments.func(arguments) == 0
    assert "cifar10_vit: test accuracy" in capsys.readouterr().out
    written = json.loads((tmp_path / "cifar10_vit.json").read_text())
    assert written["train_pictures"] == 98 and written["test_set"] == "noise"
    assert written["recipe"]["stored_as"] == "float16" and written["recipe"]["epochs"] == 1
    network = small_vit.cifar10_vit()
    models.pretrained.load_weights(network, tmp_path / "cifar10_vit.safetensors")
    assert from_scratch.evaluate(network, from_scratch.render(Noise("test"))) == pytest.approx(
        written["test"]
    )


def test_the_command_says_what_is_missing(tmp_path, monkeypatch):
    monkeypatch.setenv("CONTRASTLIB_DATA", str(tmp_path))
    arguments = parse("cifar10_vit", "--output", str(tmp_path))
    with pytest.raises(assets.MissingFile, match="cifar10_train.zip"):
        arguments.func(arguments)
