"""A place for the command line to run in: without the internet, data, or work that takes long."""

import socket
import subprocess
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torchvision.models import VisionTransformer

from contrastlib import models
from contrastlib.datasets.birds import SyntheticBirds

CLASSES = [
    "Corvus corax (Raven)",
    "Haemorhous mexicanus (House Finch)",
    "Haemorhous purpureus (Purple Finch)",
    "owl & wren, 50 %",
    "$x_1$",
]


def _classifier(network, name, layer, size):
    return models.Classifier(
        network,
        name=name,
        class_names=CLASSES,
        layer=layer,
        input_size=size,
        resize=size + 8,
        checksum="none",
    )


def _networks():
    torch.manual_seed(0)
    small = nn.Sequential(
        nn.Conv2d(3, 6, 5, stride=2), nn.ReLU(), nn.AdaptiveAvgPool2d(3), nn.Flatten(), nn.Linear(54, 5)
    )
    transformer = VisionTransformer(16, 4, num_layers=2, num_heads=2, hidden_dim=8, mlp_dim=8, num_classes=5)
    nn.init.normal_(transformer.heads.head.weight)
    return {
        "tiny": _classifier(small, "tiny", "network.1", 32),
        "tiny-vit": _classifier(transformer, "tiny-vit", None, 16),
        "without-layer": _classifier(small, "without-layer", None, 32),
    }


def _files(folder):
    """Pictures, and what is none."""
    bird = Image.fromarray(SyntheticBirds("test", size=48).picture(0))
    bird.save(folder / "bird.png")
    bird.convert("L").save(folder / "grey.jpg")
    bird.save(folder / "a photo – with spaces.png")
    bird.crop((0, 0, 1, 1)).save(folder / "one-pixel.png")
    bird.resize((300, 2)).save(folder / "flat.png")
    Image.fromarray(np.zeros((8, 8), np.float32)).save(folder / "depth.tiff")
    (folder / "cut.png").write_bytes((folder / "bird.png").read_bytes()[:300])
    (folder / "empty.png").touch()
    (folder / "text.jpg").write_text("no picture")
    (folder / "folder.png").mkdir()


def refused(*_, **__):
    raise OSError(101, "Network is unreachable")


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory):
    """A folder with pictures, small networks by name, no way out, and nothing that takes long."""
    from contrastlib.cli import run, train
    from contrastlib.report.lab import working_copy

    folder, networks, load = tmp_path_factory.mktemp("fuzz"), _networks(), models.load
    _files(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("CONTRASTLIB_DATA", str(folder / "data"))
        patch.setenv("TORCH_HOME", str(folder / "torch"))
        patch.setattr(models, "load", lambda name: networks[name] if name in networks else load(name))
        patch.setattr(socket, "getaddrinfo", refused)
        patch.setattr(socket.socket, "connect", refused)
        patch.setattr("time.sleep", lambda seconds: None)  # between attempts to download
        patch.setattr(run, "_update", lambda plan, arguments: None)
        patch.setattr(run, "_save", lambda plan, arguments: None)
        patch.setattr(
            train,
            "_train",
            lambda *_: {"test": dict.fromkeys(["accuracy", "share_p2_above_0.1", "share_p3_above_0.1"], 0.5)},
        )
        patch.setattr(working_copy, "prepare", lambda: ["made"])
        patch.setattr(subprocess, "run", lambda *_, **__: SimpleNamespace(returncode=0, stdout="", stderr=""))
        yield folder
