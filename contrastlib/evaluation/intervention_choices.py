"""Interventions under every combination of the choices that are ours, image by image.

:func:`differences` crosses layer, upsampling, measure, smallest part and number of repaintings. For each
contrast it has the rank correlation of the map with the falls of the quantity that the contrast asks for,
minus that with the falls of another one (:mod:`contrastlib.evaluation.interventions`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from contrastlib.evaluation.interventions import (
    MEASURES,
    QUESTIONS,
    Repainted,
    falls,
    in_parts,
    ranked_parts,
)
from contrastlib.evaluation.maps_of_contrasts import UPSAMPLINGS, enlarged, explanations
from contrastlib.evaluation.rank_agreement import spearman

ASKED = {"original": ("logit", "pair"), "weighted": ("log_odds", "logit"), "maximum": ("pair", "logit")}
"""Contrast -> the question that it asks, and the one that it is not to answer."""
SETTING = ("layer", "upsampling", "measure", "smallest", "repaintings", "contrast")


def differences(
    model: nn.Module,
    repainted: Repainted,
    classes: Tensor,
    layers: Mapping[str, str | None] | None = None,
    methods: Sequence[str] = ("gradcam", "vit_gradcam"),
    upsamplings: Sequence[str] = UPSAMPLINGS,
    measures: Sequence[str] = MEASURES,
    smallest: Sequence[int] = (1, 10, 50),
    repaintings: Sequence[int] = (1, 2, 4),
) -> pd.DataFrame:
    """Own minus other rank correlation of each contrast in ``ASKED``, under every combination of choices.

    Args:
        model: A network with logits (B, C) of the images.
        repainted: The images, with as many versions of each part as the largest number of repaintings.
        classes: The class t and its rival s of each image, (B, 2).
        layers: Name of a choice -> name of a layer. None stands for the default layer alone, as "default".
        methods: Names of explainers, of which one applies to the network.
        upsamplings: As in :func:`~contrastlib.evaluation.maps_of_contrasts.enlarged`.
        measures: As in :func:`~contrastlib.evaluation.interventions.in_parts`.
        smallest: Fewest pixels of a part that is ranked.
        repaintings: Numbers of versions of a part over which falls are averaged.

    Returns:
        One row for each image that has enough parts whatever the smallest one is, and combination of
        ``SETTING``, with image, method and difference.
    """
    target, rival = classes.unbind(dim=1)
    fall = {n: falls(model, thinned(repainted, n), target, rival).numpy(force=True) for n in repaintings}
    ranked = {size: ranked_parts(repainted, size) for size in smallest}
    images = sorted(set.intersection(*map(set, ranked.values())))
    rows = []
    for layer, module in (layers or {"default": None}).items():
        for keys, maps in explanations(model, repainted.images, target, methods, tuple(ASKED), layer=module):
            for upsampling, measure in product(upsamplings, measures):
                full = enlarged(maps, repainted.masks.shape[-2:], upsampling)
                values = in_parts(full, repainted.masks, measure).numpy(force=True)
                for (n, (method, contrast)), size, count, b in product(
                    enumerate(keys), smallest, repaintings, images
                ):
                    parts = ranked[size][b]
                    change = _difference(values[n, b, parts], fall[count][b][parts], contrast)
                    rows.append((b, method, layer, upsampling, measure, size, count, contrast, change))
    return pd.DataFrame(rows, columns=["image", "method", *SETTING, "difference"])


def thinned(repainted: Repainted, count: int) -> Repainted:
    """The same with only the first ``count`` versions of each part."""
    key = repainted.of[:, 0] * len(repainted.names) + repainted.of[:, 1]
    earlier = pd.Series(1, index=key.numpy(force=True)).groupby(level=0).cumcount().to_numpy()
    kept = torch.from_numpy(earlier < count)
    return replace(repainted, versions=repainted.versions[kept], of=repainted.of[kept])


def _difference(values: np.ndarray, fall: np.ndarray, contrast: str) -> float:
    """Rank correlation of values (P,) with the own falls minus that with the others; 0 for a flat map."""
    own, other = (fall[:, QUESTIONS.index(question)] for question in ASKED[contrast])
    found = np.nan_to_num(spearman(values[None], np.stack([own, other])))
    return float(found[0] - found[1])
