"""Mean, maximum and weighted contrast for images with three probable classes.

Source: Wang & Wang 2022, sec. 5.3 and Fig. 5; Eriksson et al. 2025, sec. 3.3 and Fig. 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from contrastlib.autograd import forward, predict
from contrastlib.evaluation.masking import baseline, explanations, masked_pixels
from contrastlib.evaluation.seeding import image_seed
from contrastlib.explainers import EXPLAINERS, upsample
from contrastlib.explainers.all_classes import class_maps

CONTRASTS = ("original", "mean", "maximum", "weighted")
COLUMNS = (
    "image",
    "method",
    "contrast",
    "rank",
    "foil",
    "to_original",
    "to_foil",
    "masked",
    "relative_probability_before",
    "relative_probability",
    "p_3",
)


def compare(
    model: nn.Module,
    images: Tensor,
    labels: Tensor | None = None,
    method: str = "gradcam",
    contrasts: Sequence[str] = CONTRASTS,
    threshold: float = 0.1,
    mask_rule: str = "equal_as_described",
    fill: str = "blur",
    layer: str | None = None,
    align_corners: bool = True,
) -> pd.DataFrame:
    """Maps of the three most probable classes, and relative probabilities after masking.

    Args:
        model: As in :func:`contrastlib.evaluation.masking.relative_probabilities`.
        images: Images (B, K, H, W) in [0, 1].
        labels: Not used, because the classes are the predicted ones.
        method: Name of an explainer of the activation space.
        contrasts: Names of contrasts.
        threshold: Only images whose third-highest probability is above it.
        mask_rule: A mask rule of :func:`~contrastlib.evaluation.masking.masked_pixels`.
        fill: Name of a :func:`~contrastlib.evaluation.masking.baseline`.
        layer: The name of the layer to explain. If None, it is the default layer of the network.
        align_corners: Option of the upsampling.

    Returns:
        One row for each image that passes, contrast and ordered pair of its three classes, with

        - rank (of the explained class, 1 to 3) and foil (rank of the other class)
        - to_original: cosine of this map with the original one of the same class
        - to_foil: cosine of this map with that of the foil under the same contrast
        - masked: share of masked pixels
        - relative_probability: e^y_t / (e^y_t + e^y_foil) when the positive pixels of the map are kept, and
          ``_before`` masking
        - p_3

        If no image passes, the table has all columns and no row.

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> table = compare(net, torch.rand(2, 3, 8, 8), threshold=0)
    >>> table["contrast"].unique().tolist(), len(table)
    (['original', 'mean', 'maximum', 'weighted'], 48)
    """
    record = forward(model, images, layer, once=True)
    probabilities, classes = record.logits.softmax(dim=1).topk(3, dim=1)
    chosen = (probabilities[:, 2] > threshold).nonzero().flatten().tolist()
    if not chosen:
        return pd.DataFrame(columns=COLUMNS)
    schemes = list(dict.fromkeys(["original", *contrasts]))
    maps = explanations(record, classes, (method,), schemes)[0]  # (schemes, ranks, B, h, w)
    fills = baseline(fill, model, images[chosen])
    tables = []
    for filled, i in zip(fills, chosen):
        rows = _similarities(maps[:, :, i], schemes)
        full = upsample(maps[[schemes.index(c) for c in contrasts], :, i], images.shape[-2:], align_corners)
        masks = torch.stack([masked_pixels(full[:, rank], "positive", mask_rule) for rank in range(3)], dim=1)
        masked = torch.where(masks.flatten(0, 1)[:, None], filled, images[i])
        after = predict(model, masked)[:, classes[i]].unflatten(0, masks.shape[:2])
        before = record.logits[i, classes[i]].expand_as(after)
        rows = rows[rows["contrast"].isin(contrasts)]
        index = ([list(contrasts).index(c) for c in rows["contrast"]], rows["rank"] - 1, rows["foil"] - 1)
        tables.append(
            rows.assign(
                image=i,
                method=method,
                p_3=probabilities[i, 2].item(),
                masked=masks.double().mean(dim=(-2, -1)).numpy(force=True)[index[:2]],
                relative_probability_before=_pairs(before)[index],
                relative_probability=_pairs(after)[index],
            )
        )
    return pd.concat(tables, ignore_index=True)[list(COLUMNS)]


def mean_by_class_count(
    model: nn.Module,
    images: Tensor,
    labels: Tensor | None = None,
    method: str = "gradcam",
    draws: int = 8,
    seed: int = 0,
    layer: str | None = None,
) -> pd.DataFrame:
    """Similarity of the mean contrast to the original map of the predicted class, by number of classes.

    The foils are n - 1 classes drawn at random, for n = 2, 3, 5, 10, ... up to C. The map is phi^t - 1/(n-1)
    sum_s phi^s.

    Args:
        model: As in :func:`contrastlib.explain`.
        images: Images (B, K, H, W).
        labels: Not used, because the class is the predicted one.
        method: Name of an explainer of the activation space.
        draws: Number of draws of the foils, over which the results are averaged.
        seed: Seed of the draws.
        layer: The name of the layer to explain. If None, it is the default layer of the network.

    Returns:
        One row for each image and n (column classes), with similarity (cosine with the original map), and,
        for the mean of the maps of the foils, foil_norm (over the norm of phi^t) and foil_cosine (with
        phi^t).

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> mean_by_class_count(net, torch.rand(2, 3, 8, 8))["classes"].unique().tolist()
    [2, 3, 5]
    """
    record = forward(model, images, layer)
    layer = record.layer()
    maps = class_maps(record, EXPLAINERS[method].function, layer).flatten(2).double()  # (C, B, positions)
    count, target = len(maps), record.logits.argmax(dim=1)
    rows = []
    for i, t in enumerate(target.tolist()):
        generator = np.random.default_rng(image_seed(images[i], seed))
        own, others = maps[t, i], np.delete(np.arange(count), t)
        for classes in _class_counts(count):
            foils = torch.stack(
                [
                    maps[generator.choice(others, classes - 1, replace=False), i].mean(dim=0)
                    for _ in range(draws)
                ]
            )
            rows.append(
                {
                    "image": i,
                    "classes": classes,
                    "similarity": torch.cosine_similarity(own - foils, own[None], dim=1).mean().item(),
                    "foil_cosine": torch.cosine_similarity(foils, own[None], dim=1).mean().item(),
                    "foil_norm": (foils.norm(dim=1) / own.norm()).mean().item(),
                }
            )
    return pd.DataFrame(rows)


def falling_exponents(table: pd.DataFrame) -> pd.DataFrame:
    """Exponent of the decrease of the norm of the subtracted mean with the number of classes.

    It is the exponent a of a norm proportional to (C - 1)^-a, estimated between a tenth of the classes, or
    the nearest measured number, and all C. It is 1 if the sum of the other maps stays constant, 1/2 if they
    are independent, and 0 if the norm stays constant.

    Args:
        table: A table of :func:`mean_by_class_count`, of one or more networks.

    Returns:
        A row for each network, with ``mean``, the exponent of the norms averaged over images. It is NaN if
        only one number of classes was measured.

    >>> t = pd.DataFrame({"network": "n", "image": 0, "classes": [2, 11, 101], "foil_norm": [1., 0.5, 0.05]})
    >>> falling_exponents(t)["mean"].round(2).item()
    1.0
    """
    norms = table.groupby(["network", "classes"], sort=False)["foil_norm"].mean()
    return pd.DataFrame(
        [
            {"network": name, "mean": _falling_exponent(norms[name].sort_index())}
            for name in norms.index.unique("network")
        ]
    )


def distances_from_opposite(table: pd.DataFrame) -> pd.DataFrame:
    """Largest abs(cos + 1) over pairs of maps, which is 0 if all maps are the negative of each other.

    Args:
        table: Rows of :func:`compare`, of the pairs that should be opposite.

    Returns:
        A row for each network, with ``mean``, that largest value.

    >>> distances_from_opposite(pd.DataFrame({"network": "n", "to_foil": [-1., -0.75]}))["mean"].item()
    0.25
    """
    return (
        (table["to_foil"] + 1).abs().groupby(table["network"], sort=False).max().rename("mean").reset_index()
    )


def _class_counts(count: int) -> list[int]:
    """The numbers of classes 2, 3, 5, 10, 20, 50, ... below ``count``, and ``count``.

    >>> _class_counts(30)
    [2, 3, 5, 10, 20, 30]
    """
    steps = [mantissa * 10**power for power in range(5) for mantissa in (1, 2, 5)]
    return sorted({3, count, *(n for n in steps if 2 <= n < count)} - ({3} if count < 3 else set()))


def _falling_exponent(norms: pd.Series) -> float:
    """Exponent of norms that are indexed by increasing numbers of classes."""
    classes = norms.index.to_numpy()
    tenth = classes[np.argmin(np.abs(classes - classes[-1] / 10))]
    if tenth == classes[-1]:
        return float("nan")
    return float(np.log(norms[tenth] / norms.iloc[-1]) / np.log((classes[-1] - 1) / (tenth - 1)))


def _similarities(maps: Tensor, schemes: Sequence[str]) -> pd.DataFrame:
    """Cosines of the maps (contrasts, ranks, h, w) of an image.

    There is a row for each contrast and ordered pair of ranks.
    """
    flat = maps.flatten(2)
    to_original = torch.cosine_similarity(flat, flat[schemes.index("original")][None], dim=-1)
    pairs = [(a, b) for a, b in combinations(range(3), 2)] + [(b, a) for a, b in combinations(range(3), 2)]
    return pd.DataFrame(
        [
            {
                "contrast": scheme,
                "rank": rank + 1,
                "foil": foil + 1,
                "to_original": to_original[s, rank].item(),
                "to_foil": torch.cosine_similarity(flat[s, rank], flat[s, foil], dim=0).item(),
            }
            for s, scheme in enumerate(schemes)
            for rank, foil in pairs
        ]
    )


def _pairs(logits: Tensor) -> np.ndarray:
    """Relative probabilities e^y_rank / (e^y_rank + e^y_foil) of pairs of the three classes.

    The logits and the probabilities are (contrasts, ranks, 3).
    """
    own = logits.diagonal(dim1=-2, dim2=-1)[..., None]
    return (own - logits).double().sigmoid().numpy(force=True)
