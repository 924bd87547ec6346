"""Effects of masking: the probabilities of a picture of which only one sign of a map is left.

A page without a kernel cannot run the network. So the effects are computed beforehand for some maps of a
method: those of the stored contrasts of the two most probable classes, and those of either class against each
other of the three most probable ones. Recorded are the logarithms of the probabilities of the listed classes
and of all others together, as negative integers in thousandths. From them the browser computes the
probability of the target and its relative probability. ``masking.js`` reads the records.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from contrastlib.autograd import predict
from contrastlib.evaluation.masking import baseline
from contrastlib.explainers import upsample
from contrastlib.explorer import packing

SIGNS = ("positive", "negative")
"""Signs of which one is kept."""
FILLS = {"blur": "blur", "zero": "black", "mean": "mean"}
"""Name of the fill in the explorer -> name of the baseline in :mod:`contrastlib.evaluation.masking`."""
PRECISION = 1000
"""Recorded integers are logarithms of probabilities times this."""
RANKS, RIVALS = 2, 3
"""Number of the most probable classes that are targets, and that are rivals of these."""
BATCH = 16
"""Number of masked images in one forward pass."""


def panes(view: dict, kind: str) -> list[dict]:
    """Return the panes whose masked pictures are recorded, in the order of the records.

    Args:
        view: Fields classes and weights of a view in the explorer's header.
        kind: Kind of the method, as defined in :mod:`contrastlib.explorer.packing`.

    >>> view = {"classes": [{}] * 3, "weights": {"mean": []}}
    >>> [(pane["rank"], pane["contrast"], pane["foils"]) for pane in panes(view, "linear")][:3]
    [(0, 'mean', []), (0, 'among', [1]), (0, 'among', [2])]
    """
    ranks = range(len(view["classes"]))
    found = []
    for rank in ranks[:RANKS]:
        found += [{"rank": rank, "contrast": contrast, "foils": []} for contrast in view["weights"]]
        rivals = [foil for foil in ranks[:RIVALS] if foil != rank and kind != "table"]
        found += [{"rank": rank, "contrast": "among", "foils": [foil]} for foil in rivals]
    return found


def kept(heat: np.ndarray, size: tuple[int, int]) -> Tensor:
    """Return where maps have either sign, at the size of an image. A value of 0 has none.

    Args:
        heat: Maps (N, h, w).
        size: Height and width (H, W).

    Returns:
        Boolean masks (N, 2, H, W), True where the map is positive, and where it is negative.

    >>> kept(np.array([[[1.0, 0.0], [-2.0, 3.0]]]), (2, 2))[0].int().tolist()
    [[[1, 0], [0, 1]], [[0, 0], [1, 0]]]
    """
    full = upsample(torch.from_numpy(heat).double(), size)
    return torch.stack([full > 0, full < 0], dim=1)


def log_probabilities(
    network: nn.Module, image: Tensor, masks: Tensor, fill: str, classes: Sequence[int]
) -> Tensor:
    """Compute the logarithms of the probabilities of classes for masked versions of an image.

    Args:
        network: The network.
        image: Image (3, H, W) in [0, 1].
        masks: Boolean masks (N, H, W), True where a pixel is kept.
        fill: A key of ``FILLS``.
        classes: Indices of K classes.

    Returns:
        Logarithms (N, K + 1) in double precision. The last ones are those of all other classes together,
        -inf if there are none.
    """
    filled = baseline(FILLS[fill], network, image[None])
    parts = [predict(network, torch.where(part[:, None], image, filled)) for part in masks.split(BATCH)]
    logs = torch.cat(parts).double().log_softmax(dim=1)
    listed = torch.as_tensor(classes, device=logs.device)
    rest = logs.index_fill(1, listed, -torch.inf).logsumexp(dim=1, keepdim=True)
    return torch.cat([logs[:, listed], rest], dim=1).cpu()


def chances(logs: Sequence[float], rank: int, foils: Sequence[int]) -> tuple[float, float]:
    """Return the probability of a target, and its probability among itself and foils.

    Args:
        logs: Logits or logarithms of probabilities of the listed classes and of all others.
        rank: Rank of the target.
        foils: Ranks of the foils.

    >>> [round(chance, 3) for chance in chances(np.log([0.5, 0.25, 0.25]), 0, [1])]
    [0.5, 0.667]
    """
    logs = torch.as_tensor(logs, dtype=torch.float64)
    return logs.softmax(0)[rank].item(), logs[[rank, *foils]].softmax(0)[0].item()


def recorded(network: nn.Module, image: Tensor, heat: np.ndarray, classes: Sequence[int]) -> bytes:
    """Compute and compress the records of the maps of :func:`panes`. Equal masks are evaluated once.

    Args:
        network: The network.
        image: Image (3, H, W) in [0, 1].
        heat: Maps (N, h, w).
        classes: Indices of the listed classes.

    Returns:
        For each map, sign and fill a row of K + 1 integers, packed as planes are.
    """
    masks = kept(heat, tuple(image.shape[-2:])).flatten(0, 1)
    different, inverse = torch.unique(masks.flatten(1), dim=0, return_inverse=True)
    different = different.unflatten(1, masks.shape[1:]).to(image.device)
    by_fill = [log_probabilities(network, image, different, fill, classes)[inverse.cpu()] for fill in FILLS]
    logs = torch.stack(by_fill, dim=1).flatten(0, 1).numpy()
    integers = np.rint(np.maximum(logs * PRECISION, -packing.STEPS[-1])).astype(int)
    return packing.packed_planes(-integers[None])
