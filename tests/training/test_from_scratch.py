"""Training: resumed is the same as uninterrupted, the files it writes, and what it refuses."""

import argparse
import json
from dataclasses import replace

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from contrastlib import assets, models
from contrastlib.cli import train as command
from contrastlib.datasets.birds import SyntheticBirds
from contrastlib.training import from_scratch

RECIPE = from_scratch.Recipe(epochs=3, batch=16)


@pytest.fixture(scope="module")
def pictures():
    return [from_scratch.render(SyntheticBirds(split, 32, length=60)) for split in ("train", "validation")]


def fresh():
    torch.manual_seed(1)
    return models.build("birds_resnet", 30)


def test_pictures_in_memory_are_those_of_the_set():
    birds = SyntheticBirds("test", 32, length=4)
    images, labels = from_scratch.render(birds)
    for index, example in enumerate(birds):
        assert torch.equal(images[index].float() / 255, example.image)
        assert labels[index] == example.label


@pytest.mark.slow
def test_a_run_that_was_killed_resumes_to_the_same_weights(pictures, tmp_path, monkeypatch):
    whole = fresh()
    log = from_scratch.fit(whole, *pictures, RECIPE, tmp_path / "whole.checkpoint")

    broken, epochs_done = fresh(), []
    save = from_scratch._save

    def save_or_die(*arguments):
        if len(epochs_done) == 2:
            raise KeyboardInterrupt
        epochs_done.append(1)
        save(*arguments)

    monkeypatch.setattr(from_scratch, "_save", save_or_die)
    with pytest.raises(KeyboardInterrupt):
        from_scratch.fit(broken, *pictures, RECIPE, tmp_path / "broken.checkpoint")
    monkeypatch.undo()

    torch.manual_seed(99)
    resumed = models.build("birds_resnet", 30)
    resumed_log = from_scratch.fit(resumed, *pictures, RECIPE, tmp_path / "broken.checkpoint")
    for key, weights in whole.state_dict().items():
        assert torch.equal(weights, resumed.state_dict()[key]), key
    pd.testing.assert_frame_equal(log.drop(columns="seconds"), resumed_log.drop(columns="seconds"))


@pytest.mark.slow
def test_training_lowers_the_loss(pictures, tmp_path):
    recipe = from_scratch.Recipe(epochs=10, batch=16)
    log = from_scratch.fit(fresh(), *pictures, recipe, tmp_path / "it.checkpoint")
    assert log.train_loss.iloc[-1] < log.train_loss.iloc[0] - 1


def test_a_checkpoint_of_another_recipe_is_refused(pictures, tmp_path):
    checkpoint = tmp_path / "it.checkpoint"
    from_scratch.fit(fresh(), *pictures, from_scratch.Recipe(epochs=1, batch=20), checkpoint)
    with pytest.raises(ValueError, match="delete it"):
        from_scratch.fit(fresh(), *pictures, from_scratch.Recipe(epochs=2, batch=20), checkpoint)
    fewer = from_scratch.Pictures(pictures[0].images[:30], pictures[0].labels[:30])
    with pytest.raises(ValueError, match="in 3 steps"):
        from_scratch.fit(fresh(), fewer, pictures[1], from_scratch.Recipe(epochs=1, batch=20), checkpoint)


def test_scores_of_known_logits():
    logits = torch.tensor([[0.0, 0.0, 0.0], [10.0, 0.0, 0.0], [2.0, 2.0, -9.0]])

    class Fixed(torch.nn.Module):
        def forward(self, images):
            return logits

    scores = from_scratch.evaluate(
        Fixed(), from_scratch.Pictures(torch.zeros(3, 3, 8, 8, dtype=torch.uint8), torch.tensor([0, 0, 2]))
    )
    assert scores["accuracy"] == pytest.approx(2 / 3)
    assert scores["share_p2_above_0.1"] == pytest.approx(2 / 3)
    assert scores["share_p3_above_0.1"] == pytest.approx(1 / 3)


def parse(*words):
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers())
    return parser.parse_args(["train", *words])


def test_the_command_writes_weights_log_and_card(tmp_path, monkeypatch, capsys):
    known = assets.networks()
    smaller = {**known, "birds_alexnet": replace(known["birds_alexnet"], input_size=32)}
    monkeypatch.setattr(assets, "networks", lambda: smaller)
    monkeypatch.setattr("contrastlib.datasets.birds.sets.SPLITS", {"train": 30, "validation": 30, "test": 30})
    arguments = parse("birds_alexnet", "--epochs", "1", "--pictures", "40", "--output", str(tmp_path))
    assert arguments.func(arguments) == 0
    assert "birds_alexnet: test accuracy" in capsys.readouterr().out
    assert {path.name for path in tmp_path.iterdir()} == {
        f"birds_alexnet.{end}" for end in ("safetensors", "csv", "json")
    }
    models.build("birds_alexnet", 30).load_state_dict(load_file(tmp_path / "birds_alexnet.safetensors"))
    card = json.loads((tmp_path / "birds_alexnet.json").read_text())
    assert list(card) == list(assets.card("birds_alexnet")) and "32x32" in card["preprocessing"]
    monkeypatch.setattr(assets.registry, "WEIGHTS", tmp_path)
    assert assets.trained("birds_alexnet") == (tmp_path / "birds_alexnet.safetensors", card)
    assert card["train_pictures"] == 40 and 0 <= card["test"]["accuracy"] <= 1


def test_the_command_names_what_it_does_not_know(capsys):
    arguments = parse("birds_rnn")
    assert arguments.func(arguments) == 2
    assert "birds_vgg" in capsys.readouterr().err
