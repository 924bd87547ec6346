"""Three measures of this report for maps and for their controls, side by side.

- :func:`masking`: relative probability of a class when the highest pixels of a map are kept (Table 1 of the
  papers, by equal shares)
- :func:`in_regions`: share of a map in a region that is known to matter
- :func:`ranking`: rank correlation with the effects of interventions on parts

A batch of a single image has no rows, because it has no other picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from contrastlib.autograd import predict
from contrastlib.evaluation.control_maps import OURS, Row, with_controls
from contrastlib.evaluation.energy import energy_in
from contrastlib.evaluation.interventions import (
    OWN_QUESTION,
    QUESTIONS,
    Repainted,
    falls,
    in_parts,
    ranked_parts,
)
from contrastlib.evaluation.later_methods import highest
from contrastlib.evaluation.masking import baseline
from contrastlib.evaluation.rank_agreement import spearman
from contrastlib.evaluation.statistics import paired_differences


def no_rows() -> pd.DataFrame:
    """The table of a batch that has no rows.

    >>> list(no_rows().columns), len(no_rows())
    (['image'], 0)
    """
    return pd.DataFrame(columns=["image"])


def masking(
    model: nn.Module,
    images: Tensor,
    labels: Tensor | None = None,
    share: float = 0.3,
    fill: str = "blur",
    threshold: float = 0.1,
    seed: int = 0,
    **options: Any,
) -> pd.DataFrame:
    """Relative probability of a class when the highest pixels of its map are kept, and all others replaced.

    It is e^y_t / (e^y_t + e^y_s), for t and s the two most probable classes, and is measured for the maps of
    both. A map that is the same for both classes has 1/2 in the mean over them, whatever it shows.

    Args:
        model: A network with logits (B, C) of images in [0, 1].
        images: Images (B, K, H, W) in [0, 1].
        labels: Not used, because the classes are the two most probable ones.
        share: Share of the pixels that are kept.
        fill: Name of a :func:`~contrastlib.evaluation.masking.baseline`.
        threshold: Threshold of the second-highest probability of an image.
        seed: Seed of the controls.
        **options: Options of :func:`~contrastlib.evaluation.control_maps.with_controls`.

    Returns:
        One row for each image above the threshold, method, contrast and control, with relative_probability,
        the mean over the two classes, and first and second, those of t and of s.

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> table = masking(net, torch.rand(2, 3, 8, 8), threshold=0, contrasts=["weighted"], controls=["noise"])
    >>> table[["image", "method", "contrast", "control"]].values.tolist()
    [[0, 'gradcam', 'weighted', 'map'], [1, 'gradcam', 'weighted', 'map'], [0, 'gradcam', 'weighted',
     'noise'], [1, 'gradcam', 'weighted', 'noise']]
    """
    logits = predict(model, images)
    probabilities, classes = logits.softmax(dim=1).topk(2, dim=1)
    chosen = (probabilities[:, 1] > threshold).nonzero().flatten()
    if len(images) < 2 or not len(chosen):
        return no_rows()
    filled, tables = baseline(fill, model, images[chosen]), []
    for rank, column in enumerate(("first", "second")):
        made = with_controls(model, images, logits, classes[:, rank], seed=seed, **options)
        parts = []
        for rows, phi in made:
            kept = highest(phi[chosen], share)[:, None]
            after = predict(model, torch.where(kept, images[chosen], filled)).gather(1, classes[chosen])
            parts.append(tabled(rows, chosen, **{column: after.double().softmax(dim=1)[:, rank]}))
        tables.append(pd.concat(parts, ignore_index=True))
    table = tables[0].assign(second=tables[1]["second"])
    return table.assign(relative_probability=table[["first", "second"]].mean(axis=1))


def in_regions(
    model: nn.Module, images: Tensor, regions: Tensor, seed: int = 0, **options: Any
) -> pd.DataFrame:
    """Share of the absolute values of maps of the most probable class inside a region.

    Args:
        model: As in :func:`masking`.
        images: Images (B, K, H, W).
        regions: Boolean regions (B, H, W), one for each image.
        seed: Seed of the controls.
        **options: Options of :func:`~contrastlib.evaluation.control_maps.with_controls`.

    Returns:
        One row for each image, method, contrast and control, with energy, and area (the energy of a constant
        map).

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> regions = torch.ones(2, 8, 8, dtype=torch.bool)
    >>> table = in_regions(net, torch.rand(2, 3, 8, 8), regions, contrasts=["weighted"], controls=["noise"])
    >>> table[["image", "control", "energy", "area"]].round(6).values.tolist()
    [[0, 'map', 1.0, 1.0], [1, 'map', 1.0, 1.0], [0, 'noise', 1.0, 1.0], [1, 'noise', 1.0, 1.0]]
    """
    if len(images) < 2:
        return no_rows()
    logits, every = predict(model, images), torch.arange(len(images))
    area = regions.double().mean(dim=(1, 2))
    return pd.concat([
        tabled(rows, every, energy=energy_in(phi, regions), area=area)
        for rows, phi in with_controls(model, images, logits, logits.argmax(dim=1), seed=seed, **options)
    ], ignore_index=True)  # fmt: skip


def ranking(
    model: nn.Module, repainted: Repainted, classes: Tensor, smallest: int = 10, seed: int = 0, **options: Any
) -> pd.DataFrame:
    """Rank correlation, over the parts of an image, of a map and the effects of repainting them.

    The effects are those on the quantity that the contrast of the map asks for, for controls too.

    Args:
        model: As in :func:`masking`.
        repainted: As in :func:`contrastlib.evaluation.interventions.compare`.
        classes: As there.
        smallest: As there.
        seed: Seed of the controls.
        **options: Options of :func:`~contrastlib.evaluation.control_maps.with_controls`; the contrasts have a
            question of their own.

    Returns:
        One row for each image with enough parts, method, contrast and control, with correlation, which is 0
        for a map that has the same value in all parts.
    """
    if len(repainted.images) < 2:
        return no_rows()
    logits = predict(model, repainted.images)
    fall = falls(model, repainted, *classes.unbind(dim=1)).numpy(force=True)
    counted = ranked_parts(repainted, smallest)
    tables = []
    for rows, phi in with_controls(model, repainted.images, logits, classes[:, 0], seed=seed, **options):
        values = in_parts(phi[None], repainted.masks)[0].numpy(force=True)
        for row in rows:
            question = QUESTIONS.index(OWN_QUESTION[row[1]])
            found = {b: spearman(values[b, parts], fall[b, parts, question]) for b, parts in counted.items()}
            correlation = torch.tensor(list(found.values()), dtype=torch.float64).nan_to_num()
            tables.append(tabled([row], torch.tensor(list(found)), correlation=correlation))
    return pd.concat(tables, ignore_index=True)


def against_controls(
    table: pd.DataFrame, value: str, by: Sequence[str] = ("network", "method", "contrast"), **options: Any
) -> pd.DataFrame:
    """Mean of a value of the map itself minus that of each control, with intervals paired by image.

    Args:
        table: A table of this module, with network and group.
        value: Name of the column.
        by: Columns that identify a setting.
        **options: Options of :func:`contrastlib.evaluation.statistics.paired_differences`.

    Returns:
        One row for each setting and control, with the columns of
        :func:`~contrastlib.evaluation.statistics.paired_differences`.

    >>> rows = [(0, "map", 0.75), (0, "noise", 0.5), (1, "map", 0.5), (1, "noise", 0.5)]
    >>> table = pd.DataFrame(rows, columns=["image", "control", "v"]).assign(group=[0, 0, 1, 1], network="n")
    >>> against_controls(table, "v", ["network"])[["control", "mean"]].values.tolist()
    [['noise', 0.125]]
    """
    controls = [name for name in table["control"].unique() if name != OURS]
    return pd.concat([
        paired_differences(
            table, value, by, between="control", first=OURS, second=name, **options).assign(control=name)
        for name in controls
    ], ignore_index=True)  # fmt: skip


def tabled(rows: Sequence[Row], images: Tensor, **columns: Tensor) -> pd.DataFrame:
    """A table with the values of a map of each image, repeated for each row that shares the map.

    Args:
        rows: Method, contrast and control of each row.
        images: Indices of the B images.
        **columns: Values (B,).

    >>> tabled([("gradcam", "original", "map")], torch.tensor([4]), v=torch.tensor([0.5])).values.tolist()
    [['gradcam', 'original', 'map', 4, 0.5]]
    """
    index = pd.MultiIndex.from_tuples(rows, names=["method", "contrast", "control"])
    numbers = {name: each.numpy(force=True) for name, each in {"image": images, **columns}.items()}
    each = pd.DataFrame(numbers)
    return pd.concat([each] * len(rows), keys=index, names=index.names).droplevel(-1).reset_index()
