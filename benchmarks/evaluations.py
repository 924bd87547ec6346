"""What the papers' experiments cost: passes counted, and time against the same passes by hand."""

from __future__ import annotations

import pandas as pd
import torch
from torch import Tensor, nn

from benchmarks.maps import SCHEMES
from benchmarks.timing import side_by_side
from contrastlib.evaluation import masking, perturbation

ITERATIONS, EPSILONS = (1, 2, 10), (1e-3, 3e-3)
MASKED_BATCH = 32


class Counted(nn.Module):
    """A network that counts the images that pass it forwards, and their gradients on the way back."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network, self.forwards, self.backwards = network, 0, 0

    def forward(self, images: Tensor) -> Tensor:
        self.forwards += len(images)
        logits = self.network(images)
        if logits.requires_grad:
            logits.register_hook(self._count)
        return logits

    def _count(self, gradient: Tensor) -> None:
        self.backwards += len(gradient)


def perturbation_by_hand(network: nn.Module, images: Tensor) -> None:
    """The passes that section 5.1 cannot do without, and nothing else.

    The gradients at x^0 of all contrasts from one forward pass; then, for each epsilon and n, n - 1
    passes there and back and one last forward pass, of the images of all contrasts together.
    """
    parameters = [p.requires_grad_(False) for p in network.parameters()]
    leaf = images.clone().requires_grad_()
    logits = network(leaf)
    slopes = [torch.autograd.grad(logits, leaf, torch.ones_like(logits), retain_graph=k < 3)[0] for k in range(4)]
    for epsilon in EPSILONS:
        for steps in ITERATIONS:
            slope, moved = torch.cat(slopes), torch.cat([images] * len(SCHEMES))
            for step in range(steps):
                if step:
                    leaf = moved.requires_grad_()
                    logits = network(leaf)
                    slope = torch.autograd.grad(logits, leaf, torch.ones_like(logits))[0]
                moved = (moved.detach() + epsilon / steps * slope.sign()).clamp(0, 1)
            with torch.no_grad():
                network(moved)
    for parameter in parameters:
        parameter.requires_grad_(True)


def masked_images(images: Tensor) -> int:
    """How many the whole Table 1 has, with one blank image for each rank and baseline."""
    masks = 2 * len(masking.METHOD_NAMES) * 2 * len(masking.MASK_RULES) * len(masking.KEPT_SIGNS)
    return len(images) * len(masking.BASELINES) * (masks + 2)


def masking_by_hand(network: nn.Module, images: Tensor) -> None:
    """A forward pass for the maps and one for each masked image, in batches; nothing is masked."""
    per_fill = masked_images(images) // len(images) // len(masking.BASELINES)
    batches = images[[0] * per_fill].contiguous(memory_format=torch.channels_last).split(MASKED_BATCH)
    with torch.no_grad():
        network(images)
        for _ in range(len(images) * len(masking.BASELINES)):
            for batch in batches:
                network(batch)


def _against_hand(ours, hand, network: nn.Module, repetitions: int, title: str) -> pd.DataFrame:
    contestants = {"by hand": hand, "contrastlib": ours}
    table = side_by_side(
        {name: lambda run=run: run(network) for name, run in contestants.items()}, "by hand", repetitions, title
    )
    counted = {}
    for name, run in contestants.items():
        run(counter := Counted(network).eval())
        counted[name] = counter
    for way in ("forwards", "backwards"):
        least = getattr(counted["by hand"], way)
        table[way] = [getattr(counted[name], way) / least if least else float("nan") for name in table["what"]]
    return table


def perturbation_table(network: nn.Module, images: Tensor, repetitions: int) -> pd.DataFrame:
    """Section 5.1 for n in {1, 2, 10} and two epsilons: time and counted passes, by hand = 1."""
    target = torch.zeros(len(images), dtype=torch.long)
    return _against_hand(
        lambda net: perturbation.changes(net, images, target, SCHEMES, ITERATIONS, EPSILONS),
        lambda net: perturbation_by_hand(net, images), network, repetitions, "section 5.1",
    )


def masking_table(network: nn.Module, images: Tensor, repetitions: int) -> pd.DataFrame:
    """Section 5.2.2, all of Table 1: time and counted passes, by hand = 1."""
    return _against_hand(
        lambda net: masking.relative_probabilities(net, images, threshold=0.0, batch=MASKED_BATCH),
        lambda net: masking_by_hand(net, images), network, repetitions, "section 5.2.2",
    )
