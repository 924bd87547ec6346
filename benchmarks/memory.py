"""Peak memory of maps. Each measurement runs in its own process."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable, Mapping

import pandas as pd
import psutil
import torch
from torch import Tensor, nn
from tqdm import tqdm

import contrastlib
from benchmarks import maps
from benchmarks.networks import images_like, torchvision_network
from contrastlib.report.machines.memory import peak_memory


def bare(network: nn.Module, images: Tensor) -> tuple[Tensor, ...]:
    """Run one forward and one backward pass to the images, without gradients of parameters."""
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    logits = network(images.requires_grad_())
    return torch.autograd.grad(logits.sum(), images)


def one_map(network: nn.Module, images: Tensor) -> Tensor:
    """Return the map of one class and one contrast."""
    return contrastlib.explain(network, images, method="gradient")


HAND = "by hand: a forward and a backward pass to the images"
"""Name of the job that the others are compared with."""
JOBS = {
    HAND: bare,
    "by hand: a forward and 4 backward passes to the images": maps.input_maps_by_hand,
    f"contrastlib, {maps.MAPS} maps of a layer": maps.activation_maps,
    "contrastlib, a map of the pixels": one_map,
    "contrastlib, 4 maps of the pixels at once": maps.input_maps,
}
"""Jobs for convolutional networks, by name."""
TRANSFORMER_JOBS = {HAND: bare, "contrastlib, 12 blocks and rollout of two contrasts": maps.transformer_maps}
"""Jobs for Vision Transformers, by name."""


def table(
    network: str, size: int, batch: int, repetitions: int, jobs: Mapping[str, Callable] = JOBS
) -> pd.DataFrame:
    """Measure the peak memory of jobs, above that of the network alone and relative to ``HAND``.

    Args:
        network: Name of a torchvision network.
        size: Side of the images in pixels.
        batch: Number of images.
        repetitions: Measurements of each job, of which the median counts.
        jobs: Functions of the network and the images, by name.

    Returns:
        A row for each job: what, memory.
    """
    peaks = {job: [] for job in jobs}
    runs = [job for _ in range(repetitions) for job in jobs]
    for job in tqdm(runs, desc="memory", unit="run", disable=None):
        command = [sys.executable, "-m", "benchmarks.memory", job, network, str(size), str(batch)]
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        peaks[job].append(int(output))
    medians = pd.Series({job: pd.Series(values).median() for job, values in peaks.items()})
    ratios = medians / medians[HAND]
    return pd.DataFrame({"what": ratios.index, "memory": ratios.values})


def measure(job: str, network: str, size: int, batch: int) -> int:
    """Run a job, and return by how many bytes it raises the peak memory of this process."""
    net, images = torchvision_network(network), images_like(size, batch)
    before = psutil.Process().memory_info().rss
    (JOBS | TRANSFORMER_JOBS)[job](net, images)
    return peak_memory() - before


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("job", choices=JOBS | TRANSFORMER_JOBS)
    parser.add_argument("network")
    parser.add_argument("size", type=int)
    parser.add_argument("batch", type=int)
    print(measure(**vars(parser.parse_args())))
