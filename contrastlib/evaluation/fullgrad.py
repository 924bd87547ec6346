"""FullGrad maps of the two most probable classes: their sign, their sum and their similarity.

Source: Eriksson et al. 2025 (later version), Fig. 3. Erratum 19 explains why that review saw negative maps
only.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import pandas as pd
import torch
from torch import Tensor, nn

from contrastlib import contrasts as schemes
from contrastlib.autograd import predict
from contrastlib.explainers.fullgrad import combine, fullgrad, terms

VARIANTS = ("identity", "input only", "positive", "rescaled", "absolute")


def describe(
    model: nn.Module,
    images: Tensor,
    labels: Tensor | None = None,
    contrasts: Sequence[str] = ("original", "weighted"),
) -> pd.DataFrame:
    """FullGrad maps of the classes t_1 and t_2 of each image, with each post-processing.

    Args:
        model: As in :func:`contrastlib.explainers.fullgrad_terms.terms`.
        images: Images (B, K, H, W).
        labels: Not used, because the classes are the predicted ones.
        contrasts: Names of contrasts.

    Returns:
        One row for each image, variant and contrast, of the map of t_1, with variant ("input only" leaves out
        all bias terms), contrast, negative (share of the map below 0), sum (of the map and the constants),
        score (<w, y>, which equals the sum if the map is complete), similarity (cosine of the maps of t_1 and
        t_2) and p_2.

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> table = describe(net, torch.rand(2, 3, 8, 8))
    >>> table["variant"].unique().tolist()
    ['identity', 'input only', 'positive', 'rescaled', 'absolute']
    """
    seen = {}

    def both_classes(logits: Tensor) -> Tensor:
        seen["logits"] = logits
        seen["cotangents"] = top_two(logits, contrasts)
        return seen["cotangents"]

    parts = terms(model, images, both_classes)
    source = next(iter(parts))
    logits, scores = seen["logits"], (seen["cotangents"] * seen["logits"]).sum(dim=-1)
    second = logits.softmax(dim=1).topk(2, dim=1).values[:, 1]
    tables = []
    for variant in VARIANTS:
        chosen, psi = ({source: parts[source]}, "identity") if variant == "input only" else (parts, variant)
        phi = combine(chosen, images.shape[-2:], psi)
        flat = phi.map.flatten(2).unflatten(0, (len(contrasts), 2)).double()
        whole = (phi.map.sum(dim=(-2, -1)) + phi.constants).unflatten(0, (len(contrasts), 2))
        similarity = torch.cosine_similarity(flat[:, 0], flat[:, 1], dim=-1)
        for c, contrast in enumerate(contrasts):
            tables.append(
                pd.DataFrame(
                    {
                        "image": range(len(images)),
                        "variant": variant,
                        "contrast": contrast,
                        "negative": (flat[c, 0] < 0).double().mean(dim=-1).numpy(force=True),
                        "sum": whole[c, 0].double().numpy(force=True),
                        "score": scores[2 * c].double().numpy(force=True),
                        "similarity": similarity[c].numpy(force=True),
                        "p_2": second.double().numpy(force=True),
                    }
                )
            )
    return pd.concat(tables, ignore_index=True)


def top_two(logits: Tensor, contrasts: Sequence[str] = ("original", "weighted")) -> Tensor:
    """Cotangents (N, B, C) of the two most probable classes of each image.

    Args:
        logits: Logits (B, C).
        contrasts: Names of contrasts.

    Returns:
        N = 2 * len(contrasts) cotangents, for each contrast that of the first class, then that of the second.

    >>> top_two(torch.tensor([[3.0, 1.0, 2.0]]), ["original"]).tolist()
    [[[1.0, 0.0, 0.0]], [[0.0, 0.0, 1.0]]]
    """
    classes = logits.topk(2, dim=1).indices.T
    return torch.stack([schemes.cotangent(name, logits, target) for name in contrasts for target in classes])


def completeness(model: nn.Module, images: Tensor) -> pd.DataFrame:
    """Difference between the sum of all FullGrad terms and <w, y>, for every contrast of the predicted class.

    The contrasts of a group of classes and those of a layer are left out.

    Args:
        model: A piecewise linear network. A copy of it computes in float64.
        images: Images (B, K, H, W).

    Returns:
        One row for each contrast, with ``gap``, the largest difference over the images, relative to the sum
        of the absolute values of the terms.

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> (completeness(net, torch.rand(2, 3, 8, 8))["gap"] < 1e-9).all().item()
    True
    """
    exact, pixels = copy.deepcopy(model).double(), images.double()
    logits = predict(exact, pixels)
    target, foil = logits.topk(2, dim=1).indices.T
    foils = nn.functional.one_hot(foil, logits.shape[1]).bool()
    rows = []
    for name, record in schemes.CONTRASTS.items():
        if not record.is_of_one_class:
            continue
        w = schemes.cotangent(name, logits, target, foils if record.needs_foils else None)
        parts = terms(exact, pixels, lambda y, w=w: w)
        phi = combine(parts, pixels.shape[-2:])
        size = sum(part.abs().flatten(1).sum(1) if part.ndim > 1 else part.abs() for part in parts.values())
        gap = (phi.map.sum((1, 2)) + phi.constants - (w * logits).sum(1)).abs() / size
        rows.append({"contrast": name, "gap": gap.max().item()})
    return pd.DataFrame(rows)


def gaps(table: pd.DataFrame) -> pd.DataFrame:
    """Rename the gaps of :func:`completeness`, of one or more networks, to ``mean``.

    >>> gaps(pd.DataFrame({"contrast": ["weighted"], "gap": [0.25]})).to_dict("records")
    [{'contrast': 'weighted', 'mean': 0.25}]
    """
    return table.rename(columns={"gap": "mean"})


def rescaled_pair(model: nn.Module, images: Tensor) -> pd.Series:
    """Sum of the rescaled maps of w and -w, which is the number N of channels at each pixel.

    In each channel psi(t) = (t - min t) / (max t - min t), so psi(-t) = 1 - psi(t). The cotangent w is the
    weighted contrast of the predicted class. A copy of the network computes in float64.

    Args:
        model: As in :func:`contrastlib.explainers.fullgrad_terms.terms`.
        images: Images (B, K, H, W).

    Returns:
        N, the largest deviation of the sum from N, and mean and standard deviation of the map of w in units
        of N.

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> channels, deviation, *_ = rescaled_pair(net, torch.rand(2, 3, 8, 8))
    >>> channels, deviation < 1e-9
    (7.0, True)
    """
    exact, pixels = copy.deepcopy(model).double(), images.double()
    logits = predict(exact, pixels)
    w = schemes.weighted(logits, logits.argmax(dim=1))
    both = fullgrad(exact, pixels, lambda y: torch.stack([w, -w]), "rescaled").map
    total = both.sum(dim=0)
    channels = total.mean()
    return pd.Series(
        {
            "channels N": channels.item(),
            "largest deviation of φ(w) + φ(−w) from N": (total - channels).abs().max().item(),
            "mean of φ(w) / N": (both[0].mean() / channels).item(),
            "standard deviation of φ(w) / N": (both[0].std() / channels).item(),
        }
    )


def signs(table: pd.DataFrame) -> pd.DataFrame:
    """Signs and sums of the maps of :func:`describe`, for each network, contrast and variant.

    Args:
        table: A table of :func:`describe`, of one or more networks.

    Returns:
        images; negative (mean share of the area below 0); one_signed (share of maps with one sign); gap
        (median of the difference between the sum and <w, y>, relative to <w, y>).

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> table = signs(describe(net, torch.rand(2, 3, 8, 8)).assign(network="n"))
    >>> table.columns.tolist()
    ['network', 'contrast', 'variant', 'images', 'negative', 'one_signed', 'gap']
    """
    table = table.assign(
        one_signed=table["negative"].isin([0, 1]),
        gap=(table["sum"] - table["score"]).abs() / table["score"].abs(),
    )
    return (
        table.groupby(["network", "contrast", "variant"], sort=False)
        .agg(
            images=("image", "nunique"),
            negative=("negative", "mean"),
            one_signed=("one_signed", "mean"),
            gap=("gap", "median"),
        )
        .reset_index()
    )


def sign_measure(table: pd.DataFrame, value: str) -> pd.DataFrame:
    """Rename one of the columns of :func:`signs` to ``mean``."""
    return signs(table).rename(columns={value: "mean"})


def one_sign_by_rescaling(table: pd.DataFrame) -> pd.DataFrame:
    """Share of maps with one sign after rescaling, minus the share without bias terms.

    Args:
        table: A table of :func:`describe`, of one or more networks.

    Returns:
        A row for each network and contrast, with ``mean``, which is 1 if rescaling alone causes the single
        sign.
    """
    found = signs(table).pivot(index=["network", "contrast"], columns="variant", values="one_signed")
    return (found["rescaled"] - found["input only"]).rename("mean").reset_index()
