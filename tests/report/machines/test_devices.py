"""Devices of studies: what provenance says of a GPU, precision, and images that are read ahead."""

import subprocess
import threading
from types import SimpleNamespace

import pandas as pd
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from contrastlib.evaluation import perturbation
from contrastlib.report.machines import devices
from contrastlib.report.results import provenance


def test_provenance_names_the_gpu_its_driver_and_the_precision(monkeypatch):
    """As PyTorch and nvidia-smi would say it; no GPU is used."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "a GPU")
    monkeypatch.setattr(torch.backends.cudnn, "version", lambda: 90100)
    monkeypatch.setattr(
        devices.subprocess, "run", lambda *_, **__: SimpleNamespace(stdout="550.54\n550.54\n")
    )
    found = devices.described()["gpu"]
    assert (
        found["name"] == "a GPU" and found["driver"] == "550.54" and found["precision"] == devices.precision()
    )
    own = provenance.provenance(0, "cpu")  # of what was measured on the processor
    assert own["device"] == "cpu" and "gpu" not in own and provenance.provenance(0, "cuda")["gpu"] == found
    table = pd.DataFrame()
    table.attrs["provenance"] = {"gpu": [found, found | {"name": "another"}], "device": "cuda"}
    shown = provenance.card(table).loc["GPU"].item()
    assert "name a GPU, driver 550.54" in shown and "; name another" in shown


def test_a_driver_that_is_not_said(monkeypatch):
    def absent(*_, **__):
        raise FileNotFoundError("nvidia-smi")

    monkeypatch.setattr(devices.subprocess, "run", absent)
    assert devices._driver() == "unknown"
    monkeypatch.setattr(
        devices.subprocess,
        "run",
        lambda *_, **__: (_ for _ in ()).throw(subprocess.TimeoutExpired("nvidia-smi", 60)),
    )
    assert devices._driver() == "unknown"


def test_without_a_gpu_provenance_names_none():
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    assert devices.described() == {} and "gpu" not in provenance.provenance(0)


def test_tf32_is_off():
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = True
    assert "with TF32" in devices.precision()
    devices.without_tf32()
    assert not torch.backends.cudnn.allow_tf32 and not torch.backends.cuda.matmul.allow_tf32
    assert devices.precision() == "float32, without TF32, deterministic"
    torch.backends.cudnn.allow_tf32 = before


def test_the_next_batch_is_read_while_one_is_used():
    began = {name: threading.Event() for name in "abc"}

    def read(name):
        began[name].set()
        return name

    used = []
    for name in devices.ahead(read, "abc"):
        following = {"a": "b", "b": "c"}.get(name)
        assert following is None or began[following].wait(20)
        used.append(name)
    assert used == ["a", "b", "c"] and list(devices.ahead(read, "")) == []


def test_an_error_of_reading_comes_in_its_turn():
    def read(number):
        if number == 1:
            raise ValueError("image 1")
        return number

    results = devices.ahead(read, range(3))
    assert next(results) == 0
    with pytest.raises(ValueError, match="image 1"):
        next(results)


WAITING = {torch.ops.aten._local_scalar_dense.default, torch.ops.aten.nonzero.default}


class Reads(TorchDispatchMode):
    """Counts values that Python reads from tensors, and selections by a mask: each a round trip to a GPU."""

    count = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        masks = function is torch.ops.aten.index.Tensor and any(
            each is not None and each.dtype == torch.bool for each in args[1]
        )
        self.count += function in WAITING or masks
        return function(*args, **(kwargs or {}))


def reads(make_network, images, steps):
    network, pixels = make_network(torch.float32), make_network.images(images, dtype=torch.float32)
    with Reads() as counted:
        perturbation.changes(network, pixels, torch.arange(images) % 6, iterations=[steps], epsilons=[0.01])
    return counted.count


def test_a_pass_reads_few_values_from_the_device(make_network):
    """Whether a step's images, logits and cotangents can be used, however many. Scores stay until the end."""
    few, more = reads(make_network, 3, 2), reads(make_network, 3, 12)
    assert 0 < more - few <= 4 * 10
    assert reads(make_network, 24, 2) <= few + 4
