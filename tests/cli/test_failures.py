"""What the command line does when its work fails: a line with the thing and the remedy, a status not 0."""

import errno
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from contrastlib.__main__ import main
from contrastlib.assets import writing
from contrastlib.cli import data, failures
from contrastlib.training.checkpoint import Checkpoint

ROOT = Path(__file__).parents[2]


def shell(line, **environment):
    """A line of bash in which {contrastlib} is the command."""
    line = line.replace("{contrastlib}", f"{shlex.quote(sys.executable)} -m contrastlib")
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | environment
    return subprocess.run(
        ["bash", "-c", line], capture_output=True, text=True, check=False, env=environment, cwd=ROOT
    )


@pytest.fixture
def failing(monkeypatch, capsys):
    """``failing(error)``: status and standard error of a command whose work raises it."""
    monkeypatch.delenv("CONTRASTLIB_DEBUG", raising=False)

    def call(error):
        def show(_):
            raise error

        monkeypatch.setattr(data, "show", show)
        status = main(["data"])
        return status, capsys.readouterr().err

    return call


@pytest.mark.parametrize("error, status, said", [
    (KeyError("x"), 1, "this is a bug of contrastlib, KeyError: 'x': CONTRASTLIB_DEBUG=1 shows where"),
    (ValueError("a\nb"), 1, "this is a bug of contrastlib, ValueError: a b: CONTRASTLIB_DEBUG=1 shows where"),
    (RecursionError("deep"), 1,
     "this is a bug of contrastlib, RecursionError: deep: CONTRASTLIB_DEBUG=1 shows where"),
    (KeyboardInterrupt(), 130, "interrupted"),
    (MemoryError(), 1,
     ("memory ran out: close other programs, or ask for less at a time, "
      "such as a smaller network, batch or number of images (MemoryError)")),
    (RuntimeError("DefaultCPUAllocator: can't allocate memory"), 1,
     "memory ran out: close other programs, .*"),
    (ModuleNotFoundError("No module named 'papermill'", name="papermill"), 2,
     "papermill is not installed: run `pip install -e .[report]` in a clone of the repository"),
    (ModuleNotFoundError("No module named 'contrastlib.x'", name="contrastlib.x"), 1,
     "this is a bug of contrastlib, .*"),
    (PermissionError(errno.EACCES, "Permission denied", "a.png"), 2,
     "a.png: Permission denied: ask for permission, or choose another place"),
    (OSError(errno.ENOSPC, "No space left on device"), 2,
     "No space left on device: free some space on its disk"),
    (OSError(errno.EXDEV, "Invalid cross-device link", "a", None, "b"), 2,
     "a -> b: Invalid cross-device link"),
    (FileNotFoundError(errno.ENOENT, "No such file or directory", "x" * 400), 2,
     "x{120}…x{60}: No such file or directory"),
])  # fmt: skip
def test_each_kind_of_exception(failing, error, status, said):
    found, text = failing(error)
    pattern = said if said.endswith(".*") or "{" in said else re.escape(said)
    assert found == status and re.fullmatch(f"contrastlib data: {pattern}\n", text), text


@pytest.mark.parametrize("value, shown", [("1", True), ("yes", True), ("0", False), ("", False)])
def test_the_traceback_is_shown_on_request(failing, monkeypatch, capsys, value, shown):
    monkeypatch.setenv("CONTRASTLIB_DEBUG", value)
    monkeypatch.setattr(data, "show", lambda _: {}["x"])
    assert main(["data"]) == 1
    error = capsys.readouterr().err
    assert ("Traceback" in error and "test_failures.py" in error) == shown
    assert error.splitlines()[-1].startswith("contrastlib data: this is a bug of contrastlib, KeyError: 'x'")


def test_messages_of_raise_statements_are_meant_and_others_are_not():
    def raised_by(work):
        try:
            work()
        except Exception as error:  # noqa: BLE001 (of any kind)
            return failures.is_meant(error)

    from contrastlib.cli.arguments import positive
    from contrastlib.explainers import upsample

    assert raised_by(lambda: upsample(torch.zeros(2, 2), (0, 1)))
    assert raised_by(lambda: positive("x"))
    assert not raised_by(lambda: {}[0])
    assert not raised_by(lambda: positive(None))  # an operation in contrastlib that fails: a bug
    assert not raised_by(lambda: torch.zeros(2) @ torch.zeros(3))


@pytest.mark.parametrize("content, complaint", [
    (None, "cannot be read: No such file"),
    ("folder", "cannot be read: Is a directory"),
    ("[1", "is no YAML"),
    ("[1]", "must be networks and datasets"),
    ("networks: 3", "networks: 3 must be entries"),
    ("[" * 2000, "nested too deeply"),
    ("sets: {}", "there is a part 'sets'"),
    ("networks: {a: !!timestamp x}", "is no YAML"),
    ("a: \0", "is no YAML"),
    ("networks: {a: 2024-01-01}", "must be fields with values"),
])  # fmt: skip
def test_a_registry_that_cannot_be_read(tmp_path, monkeypatch, capsys, content, complaint):
    registry = tmp_path / "own.yaml"
    registry.mkdir() if content == "folder" else registry.write_text(content) if content else None
    monkeypatch.setenv("CONTRASTLIB_REGISTRY", str(registry))
    assert main(["data"]) == 2
    error = capsys.readouterr().err
    assert re.match(f"contrastlib: .*own.yaml.*{complaint}", error) and error.count("\n") == 1


def test_a_home_that_does_not_exist(monkeypatch, capsys):
    monkeypatch.setenv("CONTRASTLIB_DATA", "~nosuchuser/data")
    assert main(["data", "verify", "cifar10_test.zip"]) == 1
    assert capsys.readouterr().out.startswith(f"missing  {Path('~nosuchuser/data').absolute()}")


@pytest.mark.slow
def test_output_that_cannot_be_written():
    done = shell("{contrastlib} data >/dev/full")
    assert (
        done.returncode == 2
        and done.stderr == "contrastlib data: No space left on device: free some space on its disk\n"
    )
    done = shell("{contrastlib} data >&-")
    assert done.returncode == 0 and done.stderr == ""


def test_weights_and_maps_that_cannot_be_written(refusing, tmp_path, capsys):
    place, said = refusing
    assert main(["train", "birds_vgg", "--output", str(place / "weights")]) == 2
    assert re.search(f"nothing can be written in {place}/weights: {said}", capsys.readouterr().err)
    photo = ROOT / "data" / "README.md"
    assert main(["explain", str(photo), "-o", str(place / "why.png")]) == 2
    assert re.search(f"{place}/why.png cannot be written: {said}", capsys.readouterr().err)


def test_a_disk_that_is_full_at_the_end(disk, tmp_path, monkeypatch):
    """Nothing half written remains, what was there stays; also where torch raises errors of another kind."""
    place = disk("full")
    if place:
        (place / "filler").unlink()
    else:  # no disk can be mounted here

        def refuse(*_):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        (place := tmp_path / "place").mkdir()
        monkeypatch.setattr(os, "replace", refuse)
    (place / "kept").write_bytes(b"kept")
    for write in (
        lambda path: writing.write(path, bytes(1 << 21)),
        lambda path: Checkpoint(path, {}).save({"network": torch.nn.Linear(1000, 1000)}, []),
    ):
        with pytest.raises(writing.CannotWrite, match="/kept cannot be written"):
            write(place / "kept")
        assert [path.name for path in place.iterdir()] == ["kept"] and (
            place / "kept"
        ).read_bytes() == b"kept"


def test_a_name_as_long_as_it_may_be(tmp_path):
    path = tmp_path / ("x" * 251 + ".png")
    writing.write(path, b"map")
    assert path.read_bytes() == b"map"


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "why.png").symlink_to("real.png")
    writing.write(tmp_path / "why.png", b"map")
    assert (tmp_path / "why.png").is_symlink() and (tmp_path / "real.png").read_bytes() == b"map"


@pytest.mark.parametrize(
    "content",
    [
        3,
        [1],
        {},
        {"identity": 3},
        {"identity": {}},
        {"identity": {}, "parts": 1, "log": []},
        {"identity": {}, "parts": {}, "log": []},
        {"identity": {}, "parts": {"network": 3}, "log": []},
        {"identity": {}, "parts": {"network": {"weight": torch.zeros(3)}}, "log": []},
        b"",
        b"torn",
    ],
)
def test_a_damaged_checkpoint(tmp_path, content):
    path = tmp_path / "it.checkpoint"
    path.write_bytes(content) if isinstance(content, bytes) else torch.save(content, path)
    with pytest.raises(ValueError, match=r"it.checkpoint (is|has) .*: delete it to start again$"):
        Checkpoint(path, {}).restore({"network": torch.nn.Linear(1, 1)})
    path.unlink()  # the remedy
    assert Checkpoint(path, {}).restore({"network": torch.nn.Linear(1, 1)}) == []
