"""Do maps lie on the object? The pointing game over energy thresholds (Gu et al. 2018, sec. 5.2, Fig. 4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from contrastlib import contrasts
from contrastlib.explainers import gradcam, gradient, guided_backpropagation, upsample
from contrastlib.explainers.propagation import propagation
from contrastlib.explainers.relevance import METHODS
from contrastlib.forward import INPUT, forward, last_convolution

ENERGIES = (0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
RELEVANCE = ("lrp", "clrp1", "clrp2", "sglrp", "weighted_lrp")
METHOD_NAMES = ("gradient", "guided_backpropagation", *RELEVANCE, "gradcam original", "gradcam weighted")


def pointing_game(maps: Tensor, boxes: Tensor, energies: Sequence[float] = ENERGIES) -> pd.DataFrame:
    """Keep the highest pixels of each map until they hold a share of its energy: are they in the box?

    Energy is the sum of a map's positive values. With ever smaller shares a single pixel remains, the
    maximum, and the game is that of Zhang et al. 2016.

    Args:
        maps: (B, H, W).
        boxes: (B, 4), x0, y0, x1, y1 in pixels, x1 and y1 exclusive; or masks (B, H, W), boolean.
        energies: shares in (0, 1].

    Returns:
        One row for each map and share (column energy), with image (place in the batch), hit (all kept
        pixels are in the box), inside (share of the kept pixels that are) and kept (share of the map's
        pixels). A map without positive values misses.

    Raises:
        ValueError: shapes that do not fit, an empty box, a share outside (0, 1].

    >>> maps = torch.tensor([[[9., 0.], [1., 0.]]])
    >>> pointing_game(maps, torch.tensor([[0, 0, 2, 1]]), energies=[0.5, 1.0])["hit"].tolist()
    [True, False]
    """
    inside = _masks(boxes, maps.shape)
    if not all(0 < share <= 1 for share in energies):
        raise ValueError(f"energies are shares above 0 and up to 1, got {list(energies)}")
    value, order = maps.double().clamp(min=0).flatten(1).sort(dim=1, descending=True, stable=True)
    reached = value.cumsum(dim=1)
    among = inside.flatten(1).gather(1, order).cumsum(dim=1)
    total = reached[:, -1:]
    shares = torch.tensor(list(energies), dtype=torch.float64, device=maps.device)
    # the share is reached up to rounding; where nothing is positive, one pixel stands for the map
    kept = (reached[:, None] < shares[:, None] * total[:, None] * (1 - 1e-12)).sum(dim=2) + 1
    hits = among.gather(1, kept - 1)
    positive = (total > 0).expand_as(kept)
    index = pd.MultiIndex.from_product([range(len(maps)), energies], names=["image", "energy"])
    return pd.DataFrame({
        "hit": ((hits == kept) & positive).flatten().numpy(force=True),
        "inside": (hits.double() / kept * positive).flatten().numpy(force=True),
        "kept": (kept.double() / value.shape[1] * positive).flatten().numpy(force=True),
    }, index).reset_index()


def compare(
    model: nn.Module, images: Tensor, targets: Tensor, boxes: Tensor, methods: Sequence[str] = METHOD_NAMES,
    energies: Sequence[float] = ENERGIES,
) -> pd.DataFrame:
    """The pointing game of several methods, and of a point at the centre of the image.

    Args:
        model: a network that :func:`contrastlib.explainers.propagation.propagation` takes.
        images: (B, channels, H, W) in [0, 1].
        targets: (B,), the class that each map explains.
        boxes: of the object of that class, as in :func:`pointing_game`.
        methods: of ``METHOD_NAMES``, see :func:`class_evidence`.

    Returns:
        The rows of :func:`pointing_game` for each method, with column method.
    """
    maps = class_evidence(model, images, targets, methods)
    centre = torch.zeros_like(images[:, 0])
    centre[:, images.shape[2] // 2, images.shape[3] // 2] = 1
    return pd.concat([
        pointing_game(phi, boxes, energies).assign(method=name) for name, phi in (maps | {"centre": centre}).items()
    ], ignore_index=True)


def energy_inside(maps: Mapping[str, Tensor], boxes: Tensor) -> pd.DataFrame:
    """Share of each map's energy in the box, a softer question than the pointing game's.

    Args:
        maps: method -> (B, H, W).
        boxes: as in :func:`pointing_game`.

    Returns:
        One row for each image and method, with energy_inside (0 for a map without positive values) and
        box (share of the image that the box covers, what an even map scores).

    >>> energy_inside({"even": torch.ones(1, 2, 4)}, torch.tensor([[0, 0, 1, 2]]))[["energy_inside", "box"]].values
    array([[0.25, 0.25]])
    """
    tables = []
    for name, phi in maps.items():
        inside = _masks(boxes, phi.shape)
        positive = phi.double().clamp(min=0)
        total = positive.sum(dim=(1, 2))
        share = (positive * inside).sum(dim=(1, 2)) / torch.where(total == 0, 1, total)
        tables.append(pd.DataFrame({
            "image": range(len(phi)), "method": name, "energy_inside": share.numpy(force=True),
            "box": inside.double().mean(dim=(1, 2)).numpy(force=True),
        }))
    return pd.concat(tables, ignore_index=True)


def class_evidence(model: nn.Module, images: Tensor, targets: Tensor, methods: Sequence[str] = METHOD_NAMES) -> dict[str, Tensor]:
    """Maps (B, H, W) of a class for each image, high where the method sees it.

    Relevance is summed over channels; of the gradient it is the sum of absolute values. "gradcam
    original" and "gradcam weighted" are made at the model's own layer.

    Raises:
        ValueError: an unknown method.
    """
    unknown = [name for name in methods if name not in (*METHODS, *METHOD_NAMES)]
    if unknown:
        raise ValueError(f"unknown method {unknown[0]!r}; choose one of {', '.join(METHOD_NAMES)}")
    maps = {}
    relevances = [name for name in methods if name in METHODS]
    if relevances:
        with propagation(model, images) as propagate:
            maps = {name: METHODS[name](propagate, targets).sum(dim=1) for name in relevances}
    layer = getattr(model, "layer", None) or last_convolution(model)
    passed = forward(model, images, [INPUT, layer], once=True)
    both = torch.stack([contrasts.original(passed.logits, targets), contrasts.weighted(passed.logits, targets)])
    maps["gradient"] = gradient(passed, both, INPUT)[0].abs().sum(dim=1)
    original, weighted = upsample(gradcam(passed, both, layer), images.shape[-2:])
    maps |= {"gradcam original": original, "gradcam weighted": weighted}
    if "guided_backpropagation" in methods:
        maps["guided_backpropagation"] = guided_backpropagation(model, images, lambda y: both[0]).sum(dim=1)
    return {name: maps[name] for name in methods}


def _masks(boxes: Tensor, shape: torch.Size) -> Tensor:
    """Boolean (B, H, W) from boxes (B, 4), or masks as they are."""
    if boxes.dtype == torch.bool and boxes.shape == shape:
        masks = boxes
    elif boxes.shape == (shape[0], 4):
        x0, y0, x1, y1 = (edge[:, None] for edge in boxes.T)
        columns, rows = (torch.arange(n, device=boxes.device)[None] for n in (shape[2], shape[1]))
        masks = ((rows >= y0) & (rows < y1))[:, :, None] & ((columns >= x0) & (columns < x1))[:, None]
    else:
        raise ValueError(f"boxes must be (B, 4) or masks (B, H, W) for maps {tuple(shape)}, got {tuple(boxes.shape)}")
    if not masks.flatten(1).any(dim=1).all():
        place = int(np.flatnonzero(~masks.flatten(1).any(dim=1).numpy(force=True))[0])
        raise ValueError(f"box {place} holds no pixel: boxes are x0, y0, x1, y1 within the image, x1 and y1 exclusive")
    return masks
