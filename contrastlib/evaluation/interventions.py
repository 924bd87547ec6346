r"""Interventions: repaint a part of an image, and compare what the network answers with what a map says.

An image x has parts, and versions x' in which one part looks different. The *fall* of a quantity q at a part
is the mean of q(x) - q(x') over these versions: the effect of the part on this very network. A map, summed
inside the mask of each part, is a prediction of these falls. It is right if it ranks the parts as the falls
do, for the question that its contrast asks. The quantities, of a class t and its rival s, are:

===============  =======================================  ====================
question         quantity                                 asked by
===============  =======================================  ====================
``logit``        y_t                                      ``original``
``pair``         y_t - y_s                                ``maximum``
``mean``         y_t minus the mean of all other logits   ``mean``
``log_odds``     log(p_t / (1 - p_t))                     ``weighted``
``probability``  p_t                                      ``probability``
===============  =======================================  ====================

That single parts of a drawn object are changed, and that ranks are compared, is as in FunnyBirds (Hesse et
al. 2023), which removes parts and measures one logit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from contrastlib import contrasts as schemes
from contrastlib.autograd import predict
from contrastlib.evaluation.maps_of_contrasts import CONTRASTS, enlarged, explanations
from contrastlib.evaluation.rank_agreement import spearman

QUESTIONS = ("logit", "pair", "mean", "log_odds", "probability")
OWN_QUESTION = {
    "original": "logit", "maximum": "pair", "mean": "mean", "weighted": "log_odds",
    "probability": "probability",
}  # fmt: skip
"""Contrast -> the question that it asks."""
MEASURES = ("sum", "mean")
FEWEST = 3
"""Fewest parts of an image that can be ranked."""


@dataclass(frozen=True)
class Repainted:
    """Images, masks of their parts, and versions in which one part is repainted."""

    images: Tensor
    """(B, K, H, W)"""
    masks: Tensor
    """(B, P, H, W), boolean, empty for a part that cannot be seen"""
    names: tuple[str, ...]
    """of the P parts"""
    versions: Tensor
    """(M, K, H, W)"""
    of: Tensor
    """(M, 2), whole numbers: image and part of each version"""
    ranked: int
    """the first so many parts are ranked; others, such as the background, are only measured"""

    def __post_init__(self) -> None:
        """Check the shapes.

        Raises:
            ValueError: They do not fit together, or a version has no image or part.
        """
        (batch, _, *size), parts = self.images.shape, len(self.names)
        if self.masks.shape != (batch, parts, *size):
            raise ValueError(
                f"masks of {parts} parts of images {tuple(self.images.shape)} are (B, P, H, W), "
                f"got {tuple(self.masks.shape)}"
            )
        if self.versions.shape[1:] != self.images.shape[1:] or self.of.shape != (len(self.versions), 2):
            raise ValueError(
                f"{len(self.versions)} versions are (M, K, H, W) like the images, and say of "
                f"which image and part, (M, 2); got {tuple(self.versions.shape)} and "
                f"{tuple(self.of.shape)}"
            )
        image, part = self.of.T
        if len(self.of) and (self.of.amin() < 0 or image.amax() >= batch or part.amax() >= parts):
            raise ValueError(f"versions are of images 0 to {batch - 1} and parts 0 to {parts - 1}")


def compare(
    model: nn.Module,
    repainted: Repainted,
    classes: Tensor,
    methods: Sequence[str] | None = None,
    contrasts: Sequence[str] = CONTRASTS,
    foils: int | None = None,
    layer: str | None = None,
    upsampling: str = "centres",
    measure: str = "sum",
    smallest: int = 10,
) -> pd.DataFrame:
    """Compare how each map ranks the parts of an image with how the quantities fall.

    Args:
        model: A network with logits (B, C) of the images.
        repainted: The images and their versions.
        classes: The class t and its rival s of each image, (B, 2).
        methods: As in :func:`~contrastlib.evaluation.maps_of_contrasts.explanations`.
        contrasts: As there.
        foils: As there.
        layer: As there.
        upsampling: As in :func:`~contrastlib.evaluation.maps_of_contrasts.enlarged`.
        measure: Whether values are summed over a mask, or averaged.
        smallest: Fewest pixels of a part that is ranked.

    Returns:
        One row for each image with at least ``FEWEST`` such parts, method, contrast and question, with

        - image: index in the batch
        - correlation: Spearman's rank correlation, over the parts, of the map and the falls; 0 for a map that
          has the same value in all parts
        - top: whether the part with the highest value of the map has the largest fall
        - top_part: the name of the part with the largest fall
        - parts: number of ranked parts
        - fall_NAME and map_NAME for each part that is not ranked: the fall, and the share of the absolute
          values of the map in its mask

    Raises:
        ValueError: A name is unknown, or shapes do not fit.

    >>> net = nn.Sequential(nn.Flatten(), nn.Linear(48, 5))
    >>> masks = torch.eye(4, dtype=torch.bool).view(1, 4, 4, 1).expand(2, 4, 4, 4)  # each row is a part
    >>> images, of = torch.rand(2, 3, 4, 4), torch.cartesian_prod(torch.arange(2), torch.arange(4))
    >>> black = images[of[:, 0]] * ~masks[0, of[:, 1], None]
    >>> repainted = Repainted(images, masks, tuple("abcd"), black, of, ranked=4)
    >>> table = compare(net, repainted, torch.tensor([[0, 1], [2, 3]]), ["input_x_gradient"], ["original"],
    ...     smallest=1)
    >>> table[table["question"] == "logit"]["correlation"].round(6).tolist()  # exact in a linear network
    [1.0, 1.0]
    """
    masks = repainted.masks
    target, rival = classes.unbind(dim=1)
    fall = falls(model, repainted, target, rival).numpy(force=True)
    keys, values, shares = [], [], []
    for key, maps in explanations(model, repainted.images, target, methods, contrasts, foils, layer):
        full = enlarged(maps, masks.shape[-2:], upsampling)
        keys += key
        values.append(in_parts(full, masks, measure).numpy(force=True))
        size = in_parts(full.abs(), masks[:, repainted.ranked :], "sum")
        shares.append((size / full.abs().sum(dim=(-2, -1))[..., None].double()).numpy(force=True))
    values, shares = np.concatenate(values), np.concatenate(shares)
    names = np.array(repainted.names)
    tables = [
        _rows(keys, values[:, b, ranked], fall[b][ranked], names[ranked]).assign(
            image=b, **_unranked(repainted, fall[b], shares[:, b])
        )
        for b, ranked in ranked_parts(repainted, smallest).items()
    ]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=["image"])


def ranked_parts(repainted: Repainted, smallest: int = 10) -> dict[int, np.ndarray]:
    """Select the parts of each image that can be ranked: those that are large enough and have a version.

    Args:
        repainted: The images and their versions.
        smallest: Fewest pixels of a part.

    Returns:
        Image -> boolean mask (P,) of its parts, for images with at least ``FEWEST`` such parts.

    >>> masks = torch.eye(4, dtype=torch.bool).view(1, 4, 4, 1).expand(2, 4, 4, 4)  # each row is a part
    >>> images, of = torch.rand(2, 3, 4, 4), torch.cartesian_prod(torch.arange(2), torch.arange(4))
    >>> black = images[of[:, 0]] * ~masks[0, of[:, 1], None]
    >>> repainted = Repainted(images, masks, tuple("abcd"), black, of, ranked=4)
    >>> ranked_parts(repainted, smallest=1)[0], ranked_parts(repainted, smallest=10)
    (array([ True,  True,  True,  True]), {})
    """
    counted = np.zeros(repainted.masks.shape[:2], dtype=bool)
    counted[tuple(repainted.of.T.numpy(force=True))] = True
    counted &= repainted.masks.flatten(2).sum(dim=2).numpy(force=True) >= smallest
    counted[:, repainted.ranked :] = False
    return {b: parts for b, parts in enumerate(counted) if parts.sum() >= FEWEST}


def quantities(logits: Tensor, target: Tensor, rival: Tensor) -> Tensor:
    """Compute the quantity of each question.

    Args:
        logits: Logits (N, C).
        target: Class t of each row (N,).
        rival: Its rival s (N,).

    Returns:
        Values (N, Q) in float64, in the order of ``QUESTIONS``.

    >>> quantities(torch.tensor([[2., 1., 0.]]), torch.tensor([0]), torch.tensor([2]))[0, :3].tolist()
    [2.0, 2.0, 1.5]
    """
    y = logits.double()
    y_t, y_s = (y.gather(1, each[:, None]).squeeze(1) for each in (target, rival))
    others = (y.sum(dim=1) - y_t) / (y.shape[1] - 1)
    log_odds = schemes.log_odds(y, target)
    return torch.stack([y_t, y_t - y_s, y_t - others, log_odds, log_odds.sigmoid()], dim=1)


def falls(model: nn.Module, repainted: Repainted, target: Tensor, rival: Tensor, batch: int = 64) -> Tensor:
    """Compute how much each quantity falls when a part is repainted, the mean over its versions.

    Args:
        model: A network with logits (B, C) of the images.
        repainted: The images and their versions.
        target: Class t of each image (B,).
        rival: Its rival s (B,).
        batch: Number of images in one forward pass.

    Returns:
        Falls (B, P, Q) in float64, NaN where a part has no version.

    >>> net = nn.Sequential(nn.Flatten(), nn.Linear(48, 5))
    >>> masks = torch.eye(4, dtype=torch.bool).view(1, 4, 4, 1).expand(2, 4, 4, 4)  # each row is a part
    >>> images, of = torch.rand(2, 3, 4, 4), torch.cartesian_prod(torch.arange(2), torch.arange(4))
    >>> black = images[of[:, 0]] * ~masks[0, of[:, 1], None]
    >>> repainted = Repainted(images, masks, tuple("abcd"), black, of, ranked=4)
    >>> falls(net, repainted, torch.tensor([0, 2]), torch.tensor([1, 3])).shape
    torch.Size([2, 4, 5])
    """
    image, part = repainted.of.to(repainted.images.device).T
    before = quantities(_logits(model, repainted.images, batch), target, rival)
    after = quantities(_logits(model, repainted.versions, batch), target[image], rival[image])
    parts = len(repainted.names)
    total = before.new_zeros(len(before) * parts, len(QUESTIONS))
    total.index_add_(0, image * parts + part, before[image] - after)
    count = torch.bincount(image * parts + part, minlength=len(total))
    return (total / torch.where(count > 0, count, torch.nan)[:, None]).unflatten(0, (len(before), parts))


def in_parts(maps: Tensor, masks: Tensor, measure: str = "sum") -> Tensor:
    """Sum the values of maps inside the masks of parts, or average them.

    Args:
        maps: Maps (N, B, H, W).
        masks: Boolean masks (B, P, H, W).
        measure: "sum" or "mean".

    Returns:
        Values (N, B, P) in float64; for the mean, NaN where a mask is empty.

    Raises:
        ValueError: The measure is unknown.

    >>> maps, masks = torch.tensor([[[[1., -3.]]]]), torch.tensor([[[[True, False]], [[True, True]]]])
    >>> in_parts(maps, masks).tolist(), in_parts(maps, masks, "mean").tolist()
    ([[[1.0, -2.0]]], [[[1.0, -1.0]]])
    """
    if measure not in MEASURES:
        raise ValueError(f"measure is {measure!r}: it must be one of {', '.join(MEASURES)}")
    flat = masks.flatten(2).double()
    sums = torch.einsum("nbx,bpx->nbp", maps.flatten(2).double(), flat)
    return sums / flat.sum(dim=2) if measure == "mean" else sums


def _logits(model: nn.Module, images: Tensor, batch: int) -> Tensor:
    return torch.cat([predict(model, part) for part in images.split(batch)])


def _rows(
    keys: Sequence[tuple[str, str]], values: np.ndarray, fall: np.ndarray, names: np.ndarray
) -> pd.DataFrame:
    """Rows of one image from the values (N, P) of its maps and the falls (P, Q)."""
    fall = fall.T
    correlation = np.nan_to_num(spearman(values[:, None], fall[None]))
    top = values.argmax(axis=1)[:, None] == fall.argmax(axis=1)
    setting = [(*key, question) for key in keys for question in QUESTIONS]
    index = pd.MultiIndex.from_tuples(setting, names=["method", "contrast", "question"])
    columns = {
        "correlation": correlation.ravel(),
        "top": top.ravel(),
        "top_part": np.tile(names[fall.argmax(axis=1)], len(keys)),
        "parts": len(names),
    }
    return pd.DataFrame(columns, index).reset_index()


def _unranked(repainted: Repainted, fall: np.ndarray, shares: np.ndarray) -> dict[str, np.ndarray]:
    """Columns of one image for the parts that are not ranked, from its falls (P, Q) and shares (N, parts)."""
    columns = {}
    for number, name in enumerate(repainted.names[repainted.ranked :]):
        columns[f"fall_{name}"] = np.tile(fall[repainted.ranked + number], len(shares))
        columns[f"map_{name}"] = np.repeat(shares[:, number], len(QUESTIONS))
    return columns
