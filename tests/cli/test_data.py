"""The command data: what it says of a network that the registry does not describe."""

import argparse
import json

from contrastlib import assets
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
