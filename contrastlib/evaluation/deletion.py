"""Deletion and insertion: how the log-odds against the rival fall and rise along a map.

The highest pixels of the map of a class t are removed (deletion), or all others are (insertion), at several
shares of the pixels. The quantity is y_t - y_s, the log-odds of t against its named rival s. The score of a
map is the *gap*: the area under the insertion curve minus that under the deletion curve, both as means over
the shares. If the shares lie symmetrically around 1/2, the gap of -phi is minus that of phi, so that a random
map has about 0.

Source: Petsiuk et al. 2018 (both curves); Rong et al. 2022 (imputation).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from contrastlib._choices import check_choice
from contrastlib.autograd import predict
from contrastlib.evaluation.control_maps import with_controls
from contrastlib.evaluation.control_scores import against_controls, no_rows, tabled
from contrastlib.evaluation.imputation import imputed
from contrastlib.evaluation.later_methods import highest
from contrastlib.evaluation.masking import baseline
from contrastlib.evaluation.statistics import paired_differences

SHARES = (0.1, 0.3, 0.5, 0.7, 0.9)
REMOVALS = ("blur", "imputation")
ITSELF, SECOND = "itself", "second network"
KEYS = ["network", "method", "contrast", "control", "removal", "judge", "group", "image"]


def curves(
    model: nn.Module,
    images: Tensor,
    labels: Tensor | None = None,
    shares: Sequence[float] = SHARES,
    removals: Sequence[str] = REMOVALS,
    threshold: float = 0.0,
    scoring_model: nn.Module | None = None,
    seed: int = 0,
    **options: Any,
) -> pd.DataFrame:
    """Both curves of each map and of its controls.

    Args:
        model: A network with logits (B, C) of images in [0, 1].
        images: Images (B, K, H, W) in [0, 1].
        labels: Not used, because t and s are the two most probable classes.
        shares: Shares of the pixels that are removed or inserted, in (0, 1) and symmetric around 1/2.
        removals: "blur" replaces pixels by a Gaussian blur
            (:func:`~contrastlib.evaluation.masking.baseline`), "imputation" by
            :func:`~contrastlib.evaluation.imputation.imputed`.
        threshold: Threshold of the second-highest probability of an image.
        scoring_model: Another network with the same classes, which judges the same maps too.
        seed: Seed of the controls and of the noise.
        **options: Options of :func:`~contrastlib.evaluation.control_maps.with_controls`.

    Returns:
        One row for each image above the threshold, method, contrast, control, removal, judge ("itself" or
        "second network") and share, with deletion and insertion: y_t - y_s after each.

    Raises:
        ValueError: A removal is unknown, or the shares are not symmetric around 1/2.

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> table = curves(net, torch.rand(2, 3, 8, 8), shares=[0.25, 0.75], threshold=0, contrasts=["weighted"],
    ...     controls=["noise"])
    >>> table[["control", "removal", "share"]].drop_duplicates().head(2).values.tolist()
    [['map', 'blur', 0.25], ['map', 'blur', 0.75]]
    """
    if not np.allclose(np.sort(shares), 1 - np.sort(shares)[::-1]) or not 0 < min(shares):
        raise ValueError(f"shares {tuple(shares)} are not symmetric around 0.5, such as (0.1, 0.5, 0.9)")
    for name in removals:
        check_choice("removal", name, REMOVALS)
    logits = predict(model, images)
    probabilities, classes = logits.softmax(dim=1).topk(2, dim=1)
    chosen = (probabilities[:, 1] > threshold).nonzero().flatten()
    if len(images) < 2 or not len(chosen):
        return no_rows()
    judges = {ITSELF: model} | ({SECOND: scoring_model} if scoring_model else {})
    removing = {name: _remover(name, model, images[chosen], seed) for name in removals}
    tables = []
    for rows, phi in with_controls(model, images, logits, classes[:, 0], seed=seed, **options):
        inserted = torch.stack([highest(phi[chosen], share) for share in shares])
        for removal, remove in removing.items():
            changed = [remove(mask) for mask in (inserted, ~inserted)]  # deletion, insertion
            for judge, network in judges.items():
                found = [margins(network, each, classes[chosen]).float() for each in changed]
                tables += [
                    tabled(rows, chosen, deletion=down, insertion=up).assign(
                        removal=removal, judge=judge, share=share
                    )
                    for share, down, up in zip(shares, *found)
                ]
    return pd.concat(tables, ignore_index=True)


def margins(model: nn.Module, versions: Tensor, classes: Tensor) -> Tensor:
    """Log-odds y_t - y_s of versions of images.

    Args:
        model: The network.
        versions: N versions of each image (N, B, K, H, W).
        classes: Classes t and s of each image (B, 2).

    Returns:
        Log-odds (N, B) in float64.

    >>> logits = torch.tensor([[[3.0, 1.0]], [[2.0, 5.0]]])
    >>> margins(nn.Flatten(), logits[..., None, None], torch.tensor([[0, 1]]))
    tensor([[ 2.],
            [-3.]], dtype=torch.float64)
    """
    logits = torch.stack([predict(model, each) for each in versions]).double()
    t, s = (logits.gather(2, each.expand(len(logits), -1)[..., None])[..., 0] for each in classes.T)
    return t - s


def areas(table: pd.DataFrame) -> pd.DataFrame:
    """Areas under the curves of :func:`curves`, as means over the shares, and their difference, the gap.

    Args:
        table: The table, with network and group.

    Returns:
        One row for each image and map, with deletion, insertion and gap.

    >>> table = pd.DataFrame({"share": [0.1, 0.9], "deletion": [1., 0.], "insertion": [2., 3.]})
    >>> areas(table.assign(**{name: 0 for name in KEYS}))[["deletion", "insertion", "gap"]].values.tolist()
    [[0.5, 2.5, 2.0]]
    """
    found = table.groupby(KEYS, sort=False, as_index=False)[["deletion", "insertion"]].mean()
    return found.assign(gap=found["insertion"] - found["deletion"])


def gaps_against_controls(table: pd.DataFrame, **options: Any) -> pd.DataFrame:
    """Gap of each map minus that of each control, with intervals paired by image.

    Args:
        table: A table of :func:`curves`, with network and group.
        **options: Options of :func:`~contrastlib.evaluation.statistics.paired_differences`.

    Returns:
        One row for each network, method, contrast, removal, judge and control, with mean, low and high.

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> table = curves(net, torch.rand(2, 3, 8, 8), threshold=0, contrasts=["weighted"], controls=["noise"])
    >>> table = table.assign(network="n", group=table["image"])
    >>> gaps_against_controls(table, resamples=10)[["removal", "control"]].values.tolist()
    [['blur', 'noise'], ['imputation', 'noise']]
    """
    return against_controls(areas(table), "gap", KEYS[:3] + KEYS[4:6], **options)


def gaps_between_contrasts(
    table: pd.DataFrame, first: str = "maximum", second: str = "original", **options: Any
) -> pd.DataFrame:
    """Gap of the maps of one contrast minus that of another one.

    Args:
        table: A table of :func:`curves`, with network and group.
        first: A contrast.
        second: The other one.
        **options: Options of :func:`~contrastlib.evaluation.statistics.paired_differences`.

    Returns:
        One row for each network, method, control, removal and judge, with mean, low and high.

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> table = curves(net, torch.rand(2, 3, 8, 8), threshold=0, contrasts=["maximum", "original"],
    ...     controls=["noise"])
    >>> table = table.assign(network="n", group=table["image"])
    >>> gaps_between_contrasts(table, resamples=10)[["control", "removal"]].values.tolist()
    [['map', 'blur'], ['map', 'imputation'], ['noise', 'blur'], ['noise', 'imputation']]
    """
    by = ["network", "method", "control", "removal", "judge"]
    return paired_differences(areas(table), "gap", by, first=first, second=second, **options)


def _remover(name: str, model: nn.Module, images: Tensor, seed: int) -> Callable[[Tensor], Tensor]:
    """Function of masks (N, B, H, W) of removed pixels that returns N versions of each image."""
    if name == "imputation":
        return lambda removed: imputed(images, removed, seed=seed)
    filled = baseline(name, model, images)
    return lambda removed: torch.where(removed[:, :, None], filled, images)
