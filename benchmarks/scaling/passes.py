"""Cost of forward and backward passes of an image: operations, and seconds with one thread."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Mapping

import pandas as pd
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.networks import as_studies_have_it, images_like, torchvision_network
from contrastlib.report.computing import batches

FIGURE_3 = (
    "alexnet",
    "vgg16",
    "resnet18",
    "densenet161",
    "googlenet",
    "mobilenet_v3_small",
    "mobilenet_v3_large",
    "mnasnet1_0",
    "efficientnet_b1",
)
"""The nine networks of Figure 3 of wang2022."""
SIZES = (96, 160, 224)
BATCH = 4
SECONDS = 2.0
"""Time for which bare passes of a network are repeated."""


def operations(call: Callable[[], object]) -> int:
    """Floating-point operations of convolutions and matrix products in a call, two for each multiplication.

    >>> operations(lambda: torch.ones(2, 3) @ torch.ones(3, 4))
    48
    """
    with FlopCounterMode(display=False) as counter:
        call()
    return counter.get_total_flops()


def both_passes(network: nn.Module, images: Tensor) -> Tensor:
    """Run a forward pass, and a backward pass to the images."""
    leaf = images.detach().requires_grad_()
    logits = network(leaf)
    return torch.autograd.grad(logits, leaf, torch.ones_like(logits))[0]


def seconds(network: nn.Module, images: Tensor) -> dict[str, float]:
    """Seconds of an image in a forward pass and in a backward pass, medians of passes in turn.

    They are repeated for ``SECONDS``, and twice at least.

    Args:
        network: The network. Its parameters do not require gradients.
        images: Images (B, 3, H, W) of each pass.

    Returns:
        forward and backward, elapsed, and forward_cpu and backward_cpu, of the processor.
    """
    spent: list[Tensor] = []
    ends = None
    while ends is None or time.perf_counter() < ends or len(spent) < 2:
        began = _now()
        with torch.no_grad():
            network(images)
        middle = _now()
        both_passes(network, images)
        if ends is None:  # the first passes warm up
            ends = time.perf_counter() + SECONDS
            continue
        spent.append(torch.stack([middle - began, _now() - middle]) / len(images))
    (forward, forward_cpu), (both, both_cpu) = torch.stack(spent).median(dim=0).values.tolist()
    return {
        "forward": forward,
        "backward": both - forward,
        "forward_cpu": forward_cpu,
        "backward_cpu": both_cpu - forward_cpu,
    }


def _now() -> Tensor:
    return torch.tensor([time.perf_counter(), time.process_time()], dtype=torch.float64)


def table() -> pd.DataFrame:
    """Measure each network at three sizes of images.

    Returns:
        A row for each network and size, with operations (of a forward pass of an image), forward and backward
        (seconds of an image).
    """
    rows = []
    for name in FIGURE_3:
        network = torchvision_network(name).requires_grad_(False)
        for size in SIZES:
            model, images = as_studies_have_it(network, images_like(size, BATCH))
            with torch.no_grad():
                count = operations(lambda model=model, images=images: model(images)) // len(images)
            rows.append({"network": name, "size": size, "operations": count, **seconds(model, images)})
            print(rows[-1], flush=True)
    return pd.DataFrame(rows)


def side_by_side(network: str, processes: int, batch: int) -> Mapping[str, float]:
    """Seconds of bare passes of a network of the registry, in several processes at the same time.

    Args:
        network: Name of the network.
        processes: Number of processes, each with one thread.
        batch: Images of a pass.

    Returns:
        Means over the processes of :func:`seconds`.
    """
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(processes)
    with context.Pool(processes, _begin, (barrier,)) as pool:
        made = pool.starmap(_bare, [(network, batch)] * processes, chunksize=1)
    return pd.DataFrame(made).mean().to_dict()


def _begin(barrier: object) -> None:
    global _barrier
    torch.set_num_threads(1)
    _barrier = barrier


def _bare(network: str, batch: int) -> dict[str, float]:
    model = batches.load_network(network).requires_grad_(False)
    _, images = as_studies_have_it(model, images_like(model.input_size, batch))
    _barrier.wait()
    return seconds(model, images)
