"""Masking under every combination of the choices that the papers leave open, image by image.

:func:`gains` crosses layer, upsampling, class t_1, explainer, mask rule, kept sign and filling. It measures
what the *weighted* map of t_1 gains over the *original* one in the relative probability of t_1
(:mod:`contrastlib.evaluation.masking`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from contrastlib import contrasts as schemes
from contrastlib._choices import check_choice
from contrastlib.autograd import forward, logits_of, predict
from contrastlib.evaluation.maps_of_contrasts import enlarged
from contrastlib.evaluation.masking import (
    FIRST,
    KEPT_SIGNS,
    baseline,
    explanations,
    masked_pixels,
    papers_blur,
)

CONTRASTS = ("weighted", "original")
FILLINGS = {"half_blur": 0.5, "blur": 1.0, "double_blur": 2.0, "zeros": None}
"""Filling -> width of its blur in units of the papers', or None for a colour."""
SETTING = ("layer", "upsampling", "method", "first", "mask_rule", "kept_sign", "filling")


def gains(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    layers: Mapping[str, str | None] | None = None,
    upsamplings: Sequence[str] = ("corners", "centres", "nearest"),
    methods: Sequence[str] = ("gradcam", "xgradcam"),
    mask_rules: Sequence[str] = ("by_sign", "equal_as_described"),
    fillings: Sequence[str] = tuple(FILLINGS),
    threshold: float = 0.1,
    batch: int = 64,
) -> pd.DataFrame:
    """Gain of the weighted map in the relative probability of t_1, under every combination of choices.

    Args:
        model: A network with logits (B, C) of images in [0, 1].
        images: Images (B, K, H, W) in [0, 1].
        labels: True classes (B,).
        layers: Name of a choice -> name of a layer. None stands for the default layer alone, as "default".
        upsamplings: As in :func:`~contrastlib.evaluation.maps_of_contrasts.enlarged`.
        methods: Names of explainers of the activation space.
        mask_rules: As in :func:`~contrastlib.evaluation.masking.masked_pixels`.
        fillings: Names of what replaces masked pixels, see :func:`filling`.
        threshold: Threshold of the second-highest probability of an image.
        batch: Number of masked images in one forward pass.

    Returns:
        One row for each image above the threshold and combination of ``SETTING``, with image, p_2 and gain:
        the relative probability of t_1 with the weighted map minus that with the original one, times -1
        where negative pixels are kept, so that a positive gain is as the papers claim. The class t_1 is the
        most probable one (first = "predicted") or the true one ("label"), and t_2 the most probable other.

    Raises:
        ValueError: A name is unknown.

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> images, labels = torch.rand(2, 3, 8, 8), torch.tensor([0, 3])
    >>> table = gains(net, images, labels, upsamplings=["centres"], fillings=["zeros"], threshold=0)
    >>> table["method"].unique().tolist(), table["mask_rule"].unique().tolist()
    (['gradcam', 'xgradcam'], ['by_sign', 'equal_as_described'])
    """
    for name in fillings:
        check_choice("filling", name, FILLINGS)
    logits = predict(model, images)
    probabilities, top = logits.softmax(dim=1).topk(2, dim=1)
    chosen = (probabilities[:, 1] > threshold).nonzero().flatten()
    if not len(chosen):
        return pd.DataFrame(columns=["image", "p_2", "gain", *SETTING])
    images, logits, labels = images[chosen], logits[chosen], labels[chosen]
    rivals = schemes.maximum(logits, labels).argmin(dim=1)  # the class of weight -1
    pairs = torch.stack([top[chosen], torch.stack([labels, rivals], dim=1)], dim=1)  # (B, 2, 2)
    fills = {name: filling(name, model, images) for name in fillings}
    tables = []
    for layer, module in (layers or {"default": None}).items():
        record = forward(model, images, module, once=True)
        maps = explanations(record, pairs[..., 0], methods, CONTRASTS)
        for upsampling in upsamplings:
            full = enlarged(maps.flatten(0, 2), images.shape[-2:], upsampling).unflatten(0, maps.shape[:3])
            for b, image in enumerate(images):
                same = pairs[b, 0].equal(pairs[b, 1])  # the network is right: both classes t_1 are one
                rows, masks = _masks(full[:, :, :, b], methods, FIRST[:1] if same else FIRST, mask_rules)
                for name, filled in fills.items():
                    after = _relative(model, image, filled[b], masks, pairs[b], batch)
                    own = rows.assign(
                        image=b, layer=layer, upsampling=upsampling, filling=name, gain=_gain(rows, after)
                    )
                    tables += [own, own.assign(first="label")] if same else [own]
    table = pd.concat(tables, ignore_index=True)
    at = table["image"].to_numpy()
    return table.assign(
        image=chosen.numpy(force=True)[at], p_2=probabilities[chosen, 1].numpy(force=True)[at]
    )


def filling(name: str, model: nn.Module, images: Tensor) -> Tensor:
    """Values (B, K, H, W) that replace masked pixels.

    Args:
        name: A key of ``FILLINGS``: the blur of :func:`~contrastlib.evaluation.masking.baseline`, one of half
            or of twice its width, or the colour "zeros".
        model: The network, for "zeros".
        images: Images (B, K, H, W) in [0, 1].

    Returns:
        The values (B, K, H, W).

    >>> filling("double_blur", nn.Identity(), torch.ones(1, 3, 32, 32)).mean().round().item()
    1.0
    """
    factor = FILLINGS[name]
    if factor in (None, 1.0):
        return baseline(name, model, images)
    return papers_blur(images, factor * 15, factor * 101)


def _masks(
    maps: Tensor, methods: Sequence[str], firsts: Sequence[str], mask_rules: Sequence[str]
) -> tuple[pd.DataFrame, Tensor]:
    """Masks (N, 2, H, W) by both contrasts, from the maps (methods, contrasts, first, H, W) of an image."""
    settings = list(product(methods, firsts, mask_rules, KEPT_SIGNS))
    masks = [
        masked_pixels(maps[methods.index(method), :, FIRST.index(first)], kept_sign, rule)
        for method, first, rule, kept_sign in settings
    ]
    rows = pd.DataFrame(settings, columns=["method", "first", "mask_rule", "kept_sign"])
    return rows, torch.stack(masks)


def _relative(
    model: nn.Module, image: Tensor, filled: Tensor, masks: Tensor, pairs: Tensor, batch: int
) -> Tensor:
    """Relative probability (N, 2 contrasts, 2 first) of t_1 of both pairs, for masks (N, 2, H, W)."""
    flat = masks.flatten(0, 1)[:, None]
    logits = torch.cat([logits_of(model, torch.where(part, filled, image)) for part in flat.split(batch)])
    t_1, t_2 = (logits[:, each].double() for each in pairs.T)
    return (t_1 - t_2).sigmoid().unflatten(0, masks.shape[:2])


def _gain(rows: pd.DataFrame, after: Tensor) -> np.ndarray:
    """Gain of each row, positive as claimed."""
    first = torch.tensor([FIRST.index(each) for each in rows["first"]])
    sign = torch.tensor([1 if each == "positive" else -1 for each in rows["kept_sign"]])
    difference = (after[:, 0] - after[:, 1]).cpu()
    return (sign * difference.gather(1, first[:, None])[:, 0]).numpy()
