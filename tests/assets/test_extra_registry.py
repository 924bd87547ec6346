"""One entry is all it takes: a network and a data set of an extra registry file are found everywhere."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
import toys
from safetensors.torch import save_file

HERE = Path(__file__).parent
REGISTRY = """
networks:
  toy:
    title: Toy Network
    family: toys
    builder: toys:network
    arguments: {{width: 5}}
    classes: &toys {{what: two toys, names: [ball, doll]}}
    layer: "1"
    input_size: 16
    source: made by this test
    made: by hand
    licence: MIT
    files: {{toy.safetensors: {{what: weights of a toy, bytes: {bytes}, sha256: {sha256}}}}}
datasets:
  toys:
    title: Toys
    what: noise of two kinds
    loader: toys:Noise
    arguments: {{size: 16}}
    classes: *toys
    studies: {{length: 2}}
    drawn: true
    source: drawn by this test
    licence: MIT
"""
SCRIPT = """
import contextlib, io, torch
from contrastlib import assets, datasets, models
from contrastlib.__main__ import main
from contrastlib.explorer import content
from contrastlib.report import figures
from contrastlib.report.computing import batches
from contrastlib.report.pages import registry_table

network, images = models.load("toy"), datasets.load("toys")
assert network.layer == "network.1" and network.class_names == images.class_names == ["ball", "doll"]
assert network.checksum == assets.file("toy.safetensors").sha256 and len(images) == 4
assert network(images[0].image[None]).shape == (1, 2)
smaller = batches.load_dataset("toys", 24)
assert len(smaller) == 2 and smaller[0].image.shape[-1] == 24
assert models.title("toy") == "Toy Network"
assert "| `toy` | Toy Network | toys | two toys | 16 | MIT |" in registry_table.network_table()
assert "| `toys` | Toys | noise of two kinds | yes | MIT |" in registry_table.dataset_table()
assert content.header("", [network], [])["networks"]["toy"]["title"] == "Toy Network"


def printed(*words):
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.suppress(SystemExit):
        main(list(words))
    return " ".join(out.getvalue().split())


listed = printed("data")
assert "present toy.safetensors" in listed and "for toy (Toy Network)" in listed and "present toys" in listed
assert "for two toys:" in (helped := printed("explain", "--help")) and "Toy Network" in helped
assert printed("data", "verify", "toy", "toys").count("present ") == 2
print("found everywhere")
"""


@pytest.mark.slow
def test_toys_are_found_everywhere(tmp_path):
    weights = tmp_path / "toy.safetensors"
    save_file(toys.network(2, width=5).state_dict(), weights)
    content = weights.read_bytes()
    registry = tmp_path / "own.yaml"
    registry.write_text(REGISTRY.format(bytes=len(content), sha256=hashlib.sha256(content).hexdigest()))
    path = os.pathsep.join([str(HERE), str(HERE.parents[1]), os.environ.get("PYTHONPATH", "")])
    surroundings = {
        **os.environ,
        "CONTRASTLIB_REGISTRY": str(registry),
        "CONTRASTLIB_DATA": str(tmp_path),
        "PYTHONPATH": path,
    }
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=surroundings, capture_output=True, text=True, check=False
    )
    assert done.stdout == "found everywhere\n", done.stderr
