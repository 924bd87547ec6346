"""Checkpoints: what is restored, what is refused, and that a file is never seen half written."""

import random

import pytest
import torch
from torch import nn

from contrastlib.assets.writing import replacing
from contrastlib.training.checkpoint import Checkpoint, CheckpointError

IDENTITY = {"recipe": {"epochs": 2, "seed": 0}, "images": "a"}
LOG = [{"epoch": 1, "train_loss": 0.5}]


def parts():
    network = nn.Linear(2, 1)
    optimiser = torch.optim.SGD(network.parameters(), 0.1, momentum=0.9)
    return {"network": network, "optimiser": optimiser}


def test_all_parts_and_the_log_are_restored(tmp_path):
    checkpoint = Checkpoint(tmp_path / "new" / "it.checkpoint", IDENTITY)
    saved, restored = parts(), parts()
    assert checkpoint.restore(saved) == []
    saved["network"](torch.ones(1, 2)).sum().backward()
    saved["optimiser"].step()
    checkpoint.save(saved, LOG)
    assert [path.name for path in checkpoint.path.parent.iterdir()] == ["it.checkpoint"]
    assert checkpoint.restore(restored) == LOG
    assert torch.equal(restored["network"].weight, saved["network"].weight)
    (moment, _), (expected, _) = (
        each["optimiser"].state_dict()["state"].values() for each in (restored, saved)
    )
    assert torch.equal(moment["momentum_buffer"], expected["momentum_buffer"])


@pytest.mark.parametrize(
    "change, complaint",
    [
        ({"images": "b"}, "was written with images a, not b: delete it to start again"),
        ({"recipe": {"epochs": 3, "seed": 0}}, "was written with recipe .*'epochs': 2.*, not .*'epochs': 3"),
        ({"classes": 4}, "was written with classes None, not 4"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused_and_nothing_is_loaded(tmp_path, change, complaint):
    path, others = tmp_path / "it.checkpoint", parts()
    Checkpoint(path, IDENTITY).save(parts(), LOG)
    before = others["network"].weight.clone()
    with pytest.raises(CheckpointError, match=complaint):
        Checkpoint(path, IDENTITY | change).restore(others)
    assert torch.equal(others["network"].weight, before)


class Code:
    """An object that pickle would make by running code."""

    def __reduce__(self):
        return pytest.fail, ("it was run",)


@pytest.mark.parametrize("content", [b"", b"something else", Code()])
def test_what_is_no_checkpoint_is_refused(tmp_path, content):
    path = tmp_path / "it.checkpoint"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save({"identity": IDENTITY, "parts": content, "log": []}, path)
    with pytest.raises(CheckpointError, match="it.checkpoint is no checkpoint: delete it to start again"):
        Checkpoint(path, IDENTITY).restore(parts())


@pytest.mark.parametrize(
    "content",
    [
        [],
        {"identity": IDENTITY},
        {"identity": IDENTITY, "parts": {}, "log": []},
        {"identity": IDENTITY, "parts": {"network": {}, "optimiser": 3}, "log": []},
    ],
)
def test_a_checkpoint_without_what_it_needs_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "it.checkpoint")
    with pytest.raises(CheckpointError, match="it.checkpoint .*: delete it to start again"):
        Checkpoint(tmp_path / "it.checkpoint", IDENTITY).restore(parts())


def test_no_flipped_bit_in_a_checkpoint_is_restored(tmp_path):
    """At 300 places: refused, or the same state, since a bit may lie between the records of the file."""
    checkpoint, saved = Checkpoint(tmp_path / "it.checkpoint", IDENTITY), parts()
    checkpoint.save(saved, LOG)
    content, draw, refused = checkpoint.path.read_bytes(), random.Random(0), 0
    for place in draw.sample(range(8 * len(content)), 300):
        changed, restored = bytearray(content), parts()
        changed[place // 8] ^= 1 << place % 8
        checkpoint.path.write_bytes(changed)
        try:
            log = checkpoint.restore(restored)
        except CheckpointError:
            refused += 1
            continue
        assert log == LOG and torch.equal(restored["network"].weight, saved["network"].weight)
    assert refused > 100


def test_a_file_is_replaced_as_a_whole(tmp_path):
    path = tmp_path / "new" / "it.txt"
    with replacing(path) as unfinished:
        unfinished.write_text("first")
        assert not path.exists()
    with pytest.raises(KeyboardInterrupt), replacing(path) as unfinished:
        unfinished.write_text("half of the sec")
        raise KeyboardInterrupt
    assert path.read_text() == "first"
