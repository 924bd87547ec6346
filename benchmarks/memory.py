"""Peak memory of the maps, each measured in a process of its own."""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd
import psutil
import torch
from tqdm import tqdm

import contrastlib
from benchmarks import maps
from benchmarks.networks import images_like, torchvision_network


def bare(network, images):
    """One forward pass and one backward pass to the images, no parameter gradients."""
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    logits = network(images.requires_grad_())
    return torch.autograd.grad(logits.sum(), images)


def one_map(network, images):
    """The map of one class and one contrast."""
    return contrastlib.explain(network, images, method="gradient")


HAND = "by hand: a forward and a backward pass to the images"
JOBS = {
    HAND: bare,
    "by hand: a forward and 4 backward passes to the images": maps.input_maps_by_hand,
    f"contrastlib, {maps.MAPS} maps of a layer": maps.activation_maps,
    "contrastlib, a map of the pixels": one_map,
    "contrastlib, 4 maps of the pixels at once": maps.input_maps,
}
TRANSFORMER_JOBS = {HAND: bare, "contrastlib, 12 blocks and rollout of two contrasts": maps.transformer_maps}


def table(network: str, size: int, batch: int, repetitions: int, jobs: Mapping[str, Callable] = JOBS) -> pd.DataFrame:
    """Peak memory above that of the network alone, by hand = 1."""
    peaks = {job: [] for job in jobs}
    for job in tqdm([job for _ in range(repetitions) for job in jobs], desc="memory", unit="run", disable=None):
        command = [sys.executable, "-m", "benchmarks.memory", job, network, str(size), str(batch)]
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        peaks[job].append(int(output))
    medians = pd.Series({job: pd.Series(values).median() for job, values in peaks.items()})
    ratios = medians / medians[HAND]
    return pd.DataFrame({"what": ratios.index, "memory": ratios.values})


def measure(job: str, network: str, size: int, batch: int) -> int:
    """Bytes by which the job raises the memory of this process at its highest."""
    net, images = torchvision_network(network), images_like(size, batch)
    before = psutil.Process().memory_info().rss
    (JOBS | TRANSFORMER_JOBS)[job](net, images)
    return peak() - before


def peak() -> int:
    """Bytes of memory that this process held at its highest."""
    status = Path("/proc/self/status")
    if status.exists():  # Linux counts in ru_maxrss what the process was forked from, too
        return int(next(line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmHWM"))) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("job", choices=JOBS | TRANSFORMER_JOBS)
    parser.add_argument("network")
    parser.add_argument("size", type=int)
    parser.add_argument("batch", type=int)
    print(measure(**vars(parser.parse_args())))
