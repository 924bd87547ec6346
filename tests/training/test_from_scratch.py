"""Training: resumed is the same as uninterrupted, the files it writes, and what it refuses."""

import argparse
import json
from dataclasses import replace

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from contrastlib import assets, models
from contrastlib.assets.records import Training
from contrastlib.cli import train as command
from contrastlib.datasets.birds import SyntheticBirds
from contrastlib.training import from_scratch, loop
from contrastlib.training.checkpoint import Checkpoint, CheckpointError
from contrastlib.training.recipe import FromScratchRecipe

RECIPE = FromScratchRecipe(epochs=3, batch=16)


@pytest.fixture(scope="module")
def images():
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
def test_a_run_that_was_killed_resumes_to_the_same_weights(images, tmp_path, monkeypatch):
    whole = fresh()
    log = from_scratch.fit(whole, *images, RECIPE, tmp_path / "whole.checkpoint")

    broken, epochs_done = fresh(), []
    save = Checkpoint.save

    def save_or_die(*arguments):
        if len(epochs_done) == 2:
            raise KeyboardInterrupt
        epochs_done.append(1)
        save(*arguments)

    monkeypatch.setattr(Checkpoint, "save", save_or_die)
    with pytest.raises(KeyboardInterrupt):
        from_scratch.fit(broken, *images, RECIPE, tmp_path / "broken.checkpoint")
    monkeypatch.undo()

    torch.manual_seed(99)
    resumed = models.build("birds_resnet", 30)
    resumed_log = from_scratch.fit(resumed, *images, RECIPE, tmp_path / "broken.checkpoint")
    for key, weights in whole.state_dict().items():
        assert torch.equal(weights, resumed.state_dict()[key]), key
    pd.testing.assert_frame_equal(log.drop(columns="seconds"), resumed_log.drop(columns="seconds"))


@pytest.mark.slow
def test_training_lowers_the_loss(images, tmp_path):
    recipe = FromScratchRecipe(epochs=10, batch=16)
    log = from_scratch.fit(fresh(), *images, recipe, tmp_path / "it.checkpoint")
    assert log.train_loss.iloc[-1] < log.train_loss.iloc[0] - 1


def test_a_checkpoint_of_another_recipe_is_refused(images, tmp_path):
    checkpoint = tmp_path / "it.checkpoint"
    from_scratch.fit(fresh(), *images, FromScratchRecipe(epochs=1, batch=20), checkpoint)
    with pytest.raises(CheckpointError, match="delete it"):
        from_scratch.fit(fresh(), *images, FromScratchRecipe(epochs=2, batch=20), checkpoint)
    fewer = from_scratch.LabelledImages(images[0].images[:30], images[0].labels[:30])
    with pytest.raises(CheckpointError, match="written with images 60, not 30"):
        from_scratch.fit(fresh(), fewer, images[1], FromScratchRecipe(epochs=1, batch=20), checkpoint)


def test_scores_of_known_logits():
    logits = torch.tensor([[0.0, 0.0, 0.0], [10.0, 0.0, 0.0], [2.0, 2.0, -9.0]])

    class Fixed(torch.nn.Module):
        def forward(self, images):
            return logits

    scores = from_scratch.evaluate(
        Fixed(),
        from_scratch.LabelledImages(torch.zeros(3, 3, 8, 8, dtype=torch.uint8), torch.tensor([0, 0, 2])),
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
    monkeypatch.setattr(assets.registry, "networks", lambda: smaller)
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


def test_another_seed_gets_files_of_its_own_in_16_bits(tmp_path, monkeypatch):
    known = assets.networks()
    smaller = {**known, "birds_alexnet": replace(known["birds_alexnet"], input_size=32)}
    monkeypatch.setattr(assets.registry, "networks", lambda: smaller)
    monkeypatch.setattr(assets, "networks", lambda: smaller)
    monkeypatch.setattr("contrastlib.datasets.birds.sets.SPLITS", {"train": 30, "validation": 30, "test": 30})
    for seed in ("0", "2"):
        arguments = parse(
            "birds_alexnet", "--epochs", "1", "--pictures", "40", "--output", str(tmp_path), "--seed", seed
        )
        assert arguments.func(arguments) == 0
    monkeypatch.setattr(assets.registry, "WEIGHTS", tmp_path)
    card = assets.card("birds_alexnet-seed2")
    assert card["recipe"] == {**assets.card("birds_alexnet")["recipe"], "seed": 2, "stored_as": "float16"}
    assert card["network"] == "birds_alexnet-seed2" and card["source"].endswith(
        "train birds_alexnet --seed 2"
    )
    stored = load_file(tmp_path / "birds_alexnet-seed2.safetensors")
    assert {value.dtype for value in stored.values()} <= {torch.float16, torch.int64}
    first, second = (models.load(name) for name in ("birds_alexnet", "birds_alexnet-seed2"))
    assert second.name == "birds_alexnet-seed2" and second.checksum == card["sha256"]
    for a, b in zip(first.network.parameters(), second.network.parameters()):
        assert a.dtype == b.dtype == torch.float32 and (a.ndim < 2 or not torch.equal(a, b))


def test_the_command_names_what_it_does_not_know():
    arguments = parse("birds_rnn")
    with pytest.raises(ValueError, match="'birds_rnn'.*birds_vgg"):
        arguments.func(arguments)


def test_divergence_is_an_error(images, tmp_path):
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 32 * 32, 30))
    torch.nn.init.constant_(network[1].weight, float("inf"))
    with pytest.raises(loop.DivergenceError, match="epoch 1 of 3: the loss is nan, so training diverged"):
        from_scratch.fit(network, *images, RECIPE, tmp_path / "it.checkpoint")
    assert not (tmp_path / "it.checkpoint").exists()


def test_batches_depend_on_seed_and_epoch_alone(images):
    recipe = FromScratchRecipe(batch=16, shift=2)

    def drawn(recipe, epoch):
        batches = from_scratch.RandomBatches(images[0], recipe, epoch)
        torch.manual_seed(torch.seed())
        found = list(batches)
        assert len(found) == len(batches) == 4
        assert sorted(torch.cat([labels for _, labels in found]).tolist()) == sorted(
            images[0].labels.tolist()
        )
        return torch.cat([each for each, _ in found])

    first = drawn(recipe, 0)
    assert 0 <= first.min() and first.max() <= 1
    assert torch.equal(first, drawn(recipe, 0))
    assert not torch.equal(first, drawn(recipe, 1)) and not torch.equal(
        first, drawn(replace(recipe, seed=1), 0)
    )


def test_a_network_of_shuffled_labels_is_trained_on_as_many_as_its_entry_says(tmp_path, monkeypatch):
    training = Training("birds", recipe={"shuffled_labels": True}, pictures=60)
    entry = replace(assets.network("birds_resnet"), name="birds_shuffled", input_size=32, training=training)
    smaller = {**assets.networks(), entry.name: entry}
    monkeypatch.setattr(assets.registry, "networks", lambda: smaller)
    monkeypatch.setattr(assets, "networks", lambda: smaller)
    monkeypatch.setattr("contrastlib.datasets.birds.sets.SPLITS", {"train": 30, "validation": 30, "test": 30})
    seen, fit = [], from_scratch.fit
    monkeypatch.setattr(
        from_scratch, "fit", lambda network, data, *rest: seen.append(data) or fit(network, data, *rest)
    )
    arguments = parse(entry.name, "--epochs", "1", "--output", str(tmp_path))
    assert arguments.func(arguments) == 0
    birds = SyntheticBirds("train", 32, length=60)
    labels = torch.tensor([birds.labels(index)[0] for index in range(60)])
    given = seen[0].labels
    assert sorted(given.tolist()) == sorted(labels.tolist()) and (given == labels).float().mean() < 0.3
    card = assets.read_card(tmp_path / f"{entry.name}.json", ("recipe",))
    assert card["train_pictures"] == 60 and card["recipe"]["shuffled_labels"]
