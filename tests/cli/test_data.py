"""The command data: what it says of a network that the registry does not describe."""

import argparse
import json
import shutil

import pytest

from contrastlib import assets
from contrastlib.__main__ import main
from contrastlib.cli import data


def test_weights_without_an_entry_in_the_registry(tmp_path, monkeypatch, capsys):
    """They are those of a network in a registry of one's own, which is no longer given."""
    (tmp_path / "toy.safetensors").write_bytes(b"weights")
    card = {
        "sha256": assets.sha256(tmp_path / "toy.safetensors"),
        "class_names": ["a"],
        "test": {"accuracy": 1.0},
    }
    (tmp_path / "toy.json").write_text(json.dumps(card), encoding="utf-8")
    monkeypatch.setattr(assets.registry, "WEIGHTS", tmp_path)
    monkeypatch.setattr(assets, "WEIGHTS", tmp_path)
    parser = argparse.ArgumentParser()
    data.add_parser(parser.add_subparsers())
    arguments = parser.parse_args(["data"])
    assert arguments.func(arguments) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "present toy It has weights and no entry in the registry: set CONTRASTLIB_REGISTRY" in said
    assert f"or remove {tmp_path / 'toy'}.*" in said


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """A copy of the weights of a network that the project trained; a function that runs the command data."""
    for ending in ("safetensors", "json"):
        shutil.copy(assets.WEIGHTS / f"birds_vgg.{ending}", tmp_path)
    monkeypatch.setattr(assets.registry, "WEIGHTS", tmp_path)
    monkeypatch.setattr(assets, "WEIGHTS", tmp_path)
    return tmp_path


@pytest.mark.parametrize("content", [None, b"garbage"])
def test_fetch_does_not_call_weights_present_that_are_not(trained, content, capsys):
    assert main(["data", "fetch", "birds_vgg"]) == 0
    if content is None:
        (trained / "birds_vgg.safetensors").unlink()
    else:
        (trained / "birds_vgg.safetensors").write_bytes(content)
    assert main(["data", "fetch", "birds_vgg"]) == 1
    assert "missing  " in capsys.readouterr().err


@pytest.mark.parametrize("change", [lambda card: card[:100], lambda card: '{"sha256": "0"}'])
def test_a_damaged_card_does_not_end_the_list(trained, change, capsys):
    card = trained / "birds_vgg.json"
    card.write_text(change(card.read_text()))
    assert main(["data"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert f"corrupt birds_vgg {card} is not a card of weights" in said and "files made by others" in said


def test_verify_says_that_it_does_not_check_what_torchvision_checks(capsys):
    assert main(["data", "verify", "torchvision/resnet50"]) == 2
    assert "checked when they are fetched: `data fetch torchvision/resnet50`" in capsys.readouterr().err
