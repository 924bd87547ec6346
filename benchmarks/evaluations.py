"""Cost of the papers' experiments: passes and time, relative to a minimal implementation by hand."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import torch
from torch import Tensor, nn

from benchmarks.maps import SCHEMES
from benchmarks.timing import side_by_side
from contrastlib.evaluation import masking, perturbation

ITERATIONS, EPSILONS = (1, 2, 10), (1e-3, 3e-3)
MASKED_BATCH = 32


class Counted(nn.Module):
    """A network that counts the images in its forward and in its backward passes.

    Args:
        network: The network.

    Attributes:
        forwards: Images in forward passes so far.
        backwards: Images in backward passes so far.
    """

    def __init__(self, network: nn.Module) -> None:
        """Start both counts at 0."""
        super().__init__()
        self.network, self.forwards, self.backwards = network, 0, 0

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits, and count the images."""
        self.forwards += len(images)
        logits = self.network(images)
        if logits.requires_grad:
            logits.register_hook(self._count)
        return logits

    def _count(self, gradient: Tensor) -> None:
        self.backwards += len(gradient)


def perturbation_by_hand(network: nn.Module, images: Tensor) -> None:
    """Run only the passes that the experiment of section 5.1 needs.

    One forward pass gives the gradients of all contrasts at x^0. Each epsilon and each n then need n - 1
    forward and backward passes and a last forward pass, of the images of all contrasts together.
    """
    parameters = [p.requires_grad_(False) for p in network.parameters()]
    leaf = images.clone().requires_grad_()
    logits = network(leaf)
    ones = torch.ones_like(logits)
    slopes = [torch.autograd.grad(logits, leaf, ones, retain_graph=k < 3)[0] for k in range(4)]
    for epsilon in EPSILONS:
        for steps in ITERATIONS:
            slope, perturbed = torch.cat(slopes), torch.cat([images] * len(SCHEMES))
            for step in range(steps):
                if step:
                    leaf = perturbed.requires_grad_()
                    logits = network(leaf)
                    slope = torch.autograd.grad(logits, leaf, torch.ones_like(logits))[0]
                perturbed = (perturbed.detach() + epsilon / steps * slope.sign()).clamp(0, 1)
            with torch.no_grad():
                network(perturbed)
    for parameter in parameters:
        parameter.requires_grad_(True)


def masked_images(images: Tensor) -> int:
    """Return the number of masked images of Table 1, with a blank image for each rank and baseline."""
    masks = 2 * len(masking.METHOD_NAMES) * 2 * len(masking.MASK_RULES) * len(masking.KEPT_SIGNS)
    return len(images) * len(masking.BASELINES) * (masks + 2)


def masking_by_hand(network: nn.Module, images: Tensor) -> None:
    """Run one forward pass for the maps and one for each masked image, without masking anything."""
    per_baseline = masked_images(images) // len(images) // len(masking.BASELINES)
    batches = images[[0] * per_baseline].contiguous(memory_format=torch.channels_last).split(MASKED_BATCH)
    with torch.no_grad():
        network(images)
        for _ in range(len(images) * len(masking.BASELINES)):
            for batch in batches:
                network(batch)


def _relative_to_hand(
    ours: Callable[[nn.Module], object],
    hand: Callable[[nn.Module], object],
    network: nn.Module,
    repetitions: int,
    title: str,
) -> pd.DataFrame:
    """Return time and number of passes of both implementations, relative to the one by hand."""
    contestants = {"by hand": hand, "contrastlib": ours}
    timed = {name: lambda run=run: run(network) for name, run in contestants.items()}
    table = side_by_side(timed, "by hand", repetitions, title)
    counted = {}
    for name, run in contestants.items():
        run(counter := Counted(network).eval())
        counted[name] = counter
    for direction in ("forwards", "backwards"):
        least = getattr(counted["by hand"], direction)
        table[direction] = [
            getattr(counted[name], direction) / least if least else float("nan") for name in table["what"]
        ]
    return table


def perturbation_table(network: nn.Module, images: Tensor, repetitions: int) -> pd.DataFrame:
    """Measure section 5.1 for n in {1, 2, 10} and two epsilons: time and number of passes, by hand = 1."""
    target = torch.zeros(len(images), dtype=torch.long)
    return _relative_to_hand(
        lambda net: perturbation.changes(net, images, target, SCHEMES, ITERATIONS, EPSILONS),
        lambda net: perturbation_by_hand(net, images),
        network,
        repetitions,
        "section 5.1",
    )


def masking_table(network: nn.Module, images: Tensor, repetitions: int) -> pd.DataFrame:
    """Measure section 5.2.2, the whole Table 1: time and number of passes, by hand = 1."""
    return _relative_to_hand(
        lambda net: masking.relative_probabilities(net, images, threshold=0.0, batch=MASKED_BATCH),
        lambda net: masking_by_hand(net, images),
        network,
        repetitions,
        "section 5.2.2",
    )
