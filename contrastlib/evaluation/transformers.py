"""Maps of a Vision Transformer: GradCAM of each block, and attention rollouts as coded and as repaired.

Source: Eriksson et al. 2025, sec. 3.4 and 3.5, Fig. 5; errata 17 and 18.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from contrastlib import contrasts
from contrastlib.autograd import ForwardPass
from contrastlib.evaluation import statistics
from contrastlib.evaluation.energy import energy_in
from contrastlib.evaluation.similarity import cosine
from contrastlib.explainers import upsample, vit

CONTRASTS = ("original", "weighted", "probability")
"""Contrasts of the maps.

The code of the review starts from *probability*. It is used for rollouts only, which are not linear and
depend on the scale of the cotangent.
"""
ROLLOUTS = {
    "review": vit.REVIEW,
    "review, gradients aligned": vit.REVIEW | {"gradients": "aligned"},
    "review, keepdim only": vit.REVIEW | {"normalise": "rows"},
    "review, rows normalised": vit.REVIEW | {"normalise": "absolute"},
    "review, negatives clipped": vit.REVIEW | {"negatives": "clip"},
    "inventor": vit.PUBLISHED,
    "repaired": {},
}
"""Name -> options of :func:`contrastlib.explainers.vit.methods.gradient_attention_rollout`.

They are those of the published codes, of each repair of the code of the review, and of all repairs.
"""


def describe(model: nn.Module, images: Tensor, labels: Tensor | None = None) -> pd.DataFrame:
    """Maps of the two most probable classes by GradCAM of every block and by every rollout, from one pass.

    Args:
        model: A Vision Transformer, see :func:`contrastlib.explainers.vit.forward_pass.vit_forward`.
        images: Images (B, K, H, W).
        labels: Not used, because the classes are the predicted ones.

    Returns:
        One row for each image, map and contrast, of the map of t_1, with

        - map: "block 0", ... is GradCAM of the input of a block after its first layer norm. "after block 0",
          ... is GradCAM of the output of a block, except the last, whose map is 0. The other maps are the
          rollouts and "attention x gradient".
        - contrast, "none" for the rollout without gradients
        - coherence, see :func:`moran`
        - to_original: cosine with the original map
        - to_repaired: cosine with the repaired rollout of the same contrast, NaN for GradCAM
        - similarity: cosine of the maps of t_1 and t_2
        - negative: share of the map below 0
        - p_1 and p_2

        Cosines with a map of zeros are NaN.

    >>> from torchvision.models import VisionTransformer
    >>> net = VisionTransformer(32, 8, num_layers=2, num_heads=2, hidden_dim=8, mlp_dim=8, num_classes=5)
    >>> describe(net, torch.rand(2, 3, 32, 32))["map"].unique().tolist()
    ['block 0', 'block 1', 'after block 0', 'review', 'review, gradients aligned', 'review, keepdim only',
     'review, rows normalised', 'review, negatives clipped', 'inventor', 'repaired', 'attention x gradient',
     'rollout without gradients']
    """
    record = vit.vit_forward(model, images, once=True)
    probabilities, classes = record.logits.softmax(dim=1).topk(2, dim=1)
    cotangents = torch.stack([contrasts.cotangent(c, record.logits, t) for c in CONTRASTS for t in classes.T])
    maps = {
        name: make(record, cotangents).unflatten(0, (len(CONTRASTS), 2))
        for name, make in _maps(record).items()
    }
    tables = [
        _rows(name, contrast, phi[c], phi[0, 0], maps["repaired"][c, 0] if name in ROLLOUTS else None)
        for name, phi in maps.items()
        for c, contrast in enumerate(CONTRASTS if name in ROLLOUTS else CONTRASTS[:2])
    ]
    plain = vit.attention_rollout(record)[None].expand(2, *[-1] * 3)
    tables.append(_rows("rollout without gradients", "none", plain, plain[0], maps["repaired"][1, 0]))
    table = pd.concat(tables, ignore_index=True)
    index = table["image"].to_numpy()
    return table.assign(
        p_1=probabilities[:, 0].numpy(force=True)[index], p_2=probabilities[:, 1].numpy(force=True)[index]
    )


def moran(maps: Tensor) -> Tensor:
    """Spatial coherence of maps: Moran's I with the four neighbours of each spatial position.

    I = n / W * sum_ij v_ij z_i z_j / sum_i z_i^2, where n is the number of spatial positions, z the deviation
    from the mean of the map, v_ij = 1 for neighbours, and W their number. I is 1 for large constant areas,
    close to 0 for noise, and -1 for a checkerboard.

    Args:
        maps: Maps (..., h, w).

    Returns:
        Coherences (...), NaN for a constant map.

    >>> cells = torch.arange(6)
    >>> moran(((cells[:, None] + cells) % 2).double()).item()
    -1.0
    """
    z = maps.double() - maps.double().mean(dim=(-2, -1), keepdim=True)
    down, across = z[..., 1:, :] * z[..., :-1, :], z[..., :, 1:] * z[..., :, :-1]
    pairs = down.shape[-2] * down.shape[-1] + across.shape[-2] * across.shape[-1]
    neighbours = down.sum(dim=(-2, -1)) + across.sum(dim=(-2, -1))
    variance = z.square().mean(dim=(-2, -1))
    return neighbours / pairs / torch.where(variance == 0, torch.nan, variance)


def energy_on_regions(model: nn.Module, images: Tensor, regions: Tensor) -> pd.DataFrame:
    """Share of sum abs(phi) inside a region, for contrastive maps of the predicted class.

    Args:
        model: As in :func:`describe`.
        images: Images (B, K, H, W).
        regions: Boolean regions (B, H, W), one for each image.

    Returns:
        One row for each image and map, named as in :func:`describe`. Of the rollouts, "review" (of the
        contrast *probability*) and "repaired" are included. All maps but "review" are *weighted*. energy is
        the share, and area the share of the image that the region covers, which is the energy of a constant
        map. Maps have the size of the images.

    Raises:
        ValueError: The regions have another size than the images.

    >>> from torchvision.models import VisionTransformer
    >>> net = VisionTransformer(32, 8, num_layers=2, num_heads=2, hidden_dim=8, mlp_dim=8, num_classes=5)
    >>> table = energy_on_regions(net, torch.rand(2, 3, 32, 32), torch.ones(2, 32, 32, dtype=torch.bool))
    >>> table["map"].unique().tolist()
    ['block 0', 'block 1', 'after block 0', 'review', 'repaired', 'attention x gradient',
     'rollout without gradients']
    """
    if regions.shape != (len(images), *images.shape[-2:]):
        raise ValueError(f"images {tuple(images.shape)} need regions (B, H, W); got {tuple(regions.shape)}")
    record = vit.vit_forward(model, images, once=True)
    target = record.logits.argmax(dim=1)
    cotangents = torch.stack(
        [make(record.logits, target) for make in (contrasts.weighted, contrasts.probability)]
    )
    chosen = {
        name: make
        for name, make in _maps(record).items()
        if name not in ROLLOUTS or name in ("review", "repaired")
    }
    maps = {name: make(record, cotangents)[int(name == "review")] for name, make in chosen.items()}
    maps["rollout without gradients"] = vit.attention_rollout(record)
    area = regions.double().mean(dim=(1, 2)).numpy(force=True)
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "image": range(len(images)),
                    "map": name,
                    "energy": energy_in(upsample(phi, images.shape[-2:]).double(), regions).numpy(force=True),
                    "area": area,
                }
            )
            for name, phi in maps.items()
        ],
        ignore_index=True,
    )


def contrastive(table: pd.DataFrame) -> pd.DataFrame:
    """Select the rows of :func:`describe` with the contrast that each map is used with.

    This is *probability* for the rollout as the review coded it, with and without repairs, "none" for the
    rollout without gradients, and *weighted* for the others.

    Args:
        table: A table of :func:`describe`.

    Returns:
        The selected rows.

    >>> table = pd.DataFrame({"map": ["block 0", "block 0", "review"]})
    >>> table["contrast"] = ["weighted", "original", "probability"]
    >>> contrastive(table).values.tolist()
    [['block 0', 'weighted'], ['review', 'probability']]
    """
    own = np.where(table["map"].str.startswith("review"), "probability", "weighted")
    return table[(table["contrast"] == own) | (table["contrast"] == "none")]


def gradcam(table: pd.DataFrame) -> pd.DataFrame:
    """Select the rows of GradCAM, and add the number of the ``block`` and ``tokens``.

    Args:
        table: A table of :func:`describe` or :func:`energy_on_regions`.

    Returns:
        The selected rows. ``tokens`` is "entering" for the input of the block, and "output" for its output.

    >>> table = pd.DataFrame({"map": ["block 0", "after block 0", "review"]})
    >>> gradcam(table)[["block", "tokens"]].values.tolist()
    [[0, 'entering'], [0, 'output']]
    """
    name = table["map"].str.extract(r"^(?P<output>after )?block (?P<block>\d+)$")
    tokens = np.where(name["output"].isna(), "entering", "output")
    return table.assign(block=name["block"], tokens=tokens).dropna(subset="block").astype({"block": int})


def coherent_at_some(table: pd.DataFrame, bound: float = 0.3) -> pd.DataFrame:
    """Whether GradCAM is coherent at some blocks and not at others.

    Args:
        table: A table of :func:`describe`, of one or more networks.
        bound: A block is coherent if its mean coherence is above this.

    Returns:
        One row for each network and kind of tokens. ``mean`` is the smaller of two shares, that of the
        coherent blocks and that of the others. It is 0 if GradCAM is coherent at all blocks or at none.

    >>> table = pd.DataFrame({"map": ["block 0", "block 1"], "coherence": [0.5, 0.25]})
    >>> coherent_at_some(table.assign(network="n", contrast="weighted"))["mean"].tolist()
    [0.5]
    """
    means = gradcam(table).groupby(["network", "tokens", "block"], sort=False)["coherence"].mean()
    share = (means > bound).groupby(["network", "tokens"], sort=False).mean()
    return np.minimum(share, 1 - share).rename("mean").reset_index()


def at_the_last_block(table: pd.DataFrame, value: str) -> pd.DataFrame:
    """Mean of a column over images, for GradCAM of the input of the last block of each network.

    Args:
        table: A table of :func:`describe` or :func:`energy_on_regions`, of one or more networks.
        value: Name of the column.

    Returns:
        A row for each network, with ``mean``.

    >>> table = pd.DataFrame({"map": ["block 0", "block 1"], "coherence": [0.5, 0.25]})
    >>> at_the_last_block(table.assign(network="n", contrast="weighted"), "coherence").to_dict("records")
    [{'network': 'n', 'mean': 0.25}]
    """
    rows = gradcam(table)
    rows = rows[rows["tokens"] == "entering"]
    last = rows[rows["block"] == rows.groupby("network")["block"].transform("max")]
    return last.groupby("network", sort=False)[value].mean().rename("mean").reset_index()


def ahead_of_gradcam(table: pd.DataFrame, **options: Any) -> pd.DataFrame:
    """Energy of the rollout as the review coded it minus that of GradCAM, paired by image.

    Args:
        table: A table of :func:`energy_on_regions`, with network and group.
        **options: Options of :func:`contrastlib.evaluation.statistics.paired_differences`.

    Returns:
        One row for each network and map of GradCAM, with a 95 % interval, see
        :func:`contrastlib.evaluation.statistics.paired_differences`.
    """
    return pd.concat(
        [
            statistics.paired_differences(
                part, "energy", ["network"], between="map", first="review", second=name, **options
            ).assign(map=name)
            for _, part in table.groupby("network", sort=False)
            for name in gradcam(part)["map"].unique()
        ],
        ignore_index=True,
    )


def _maps(record: ForwardPass) -> dict[str, Callable[[ForwardPass, Tensor], Tensor]]:
    depth = sum(name.startswith("norm.") for name in record.activations)
    layers = {f"block {i}": f"norm.{i}" for i in range(depth)}
    layers |= {f"after block {i}": f"block.{i}" for i in range(depth - 1)}
    blocks = {name: partial(vit.vit_gradcam, layer=layer) for name, layer in layers.items()}
    rollouts = {
        name: lambda p, w, options=options: vit.gradient_attention_rollout(p, w, **options)
        for name, options in ROLLOUTS.items()
    }
    return blocks | rollouts | {"attention x gradient": vit.attention_x_gradient}


def _rows(name: str, contrast: str, maps: Tensor, original: Tensor, repaired: Tensor | None) -> pd.DataFrame:
    """Table of maps (2, B, h, w) of both classes, with a row for the first map of each image."""
    first, second = maps.flatten(2).double()
    return pd.DataFrame(
        {
            "image": range(len(first)),
            "map": name,
            "contrast": contrast,
            "coherence": moran(maps[0]).numpy(force=True),
            "to_original": cosine(first, original).numpy(force=True),
            "to_repaired": float("nan") if repaired is None else cosine(first, repaired).numpy(force=True),
            "similarity": cosine(first, second).numpy(force=True),
            "negative": (first < 0).double().mean(dim=1).numpy(force=True),
        }
    )
