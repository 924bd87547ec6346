"""FullGrad maps of the two most probable classes in numbers: their sign, their sum, and how alike they are.

Eriksson et al. 2025 (later version), Fig. 3; erratum 19: why that review saw nothing but negative maps.
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
    model: nn.Module, images: Tensor, labels: Tensor | None = None, contrasts: Sequence[str] = ("original", "weighted")
) -> pd.DataFrame:
    """FullGrad maps under each post-processing, of the classes t_1 and t_2 of each image.

    Args:
        model, images: as in :func:`contrastlib.explainers.fullgrad_terms.terms`.
        labels: not used; the classes are the predicted ones.
        contrasts: the schemes compared.

    Returns:
        One row for each image, variant and contrast, of the map of t_1: variant ("input only" leaves
        all bias terms out), contrast, negative (share of the map below 0), sum (map and constants
        together), score (<w, y>, which a complete map adds up to), similarity (cosine of the maps of
        t_1 and t_2) and p_2.
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
            tables.append(pd.DataFrame({
                "image": range(len(images)), "variant": variant, "contrast": contrast,
                "negative": (flat[c, 0] < 0).double().mean(dim=-1).numpy(force=True),
                "sum": whole[c, 0].double().numpy(force=True),
                "score": scores[2 * c].double().numpy(force=True),
                "similarity": similarity[c].numpy(force=True),
                "p_2": second.double().numpy(force=True),
            }))
    return pd.concat(tables, ignore_index=True)


def top_two(logits: Tensor, contrasts: Sequence[str] = ("original", "weighted")) -> Tensor:
    """Cotangents (contrasts × 2, B, C) of the two most probable classes of each image, the first class first."""
    classes = logits.topk(2, dim=1).indices.T
    return torch.stack([schemes.cotangent(name, logits, target) for name in contrasts for target in classes])


def completeness(model: nn.Module, images: Tensor) -> pd.DataFrame:
    """How far the sum of all FullGrad terms is from <w, y>, for every contrast of the predicted class, in float64.

    Args:
        model: a piecewise linear network; a copy of it computes in float64.
        images: (B, channels, H, W).

    Returns:
        One row for each contrast, with ``gap``: the largest difference of any image, relative to the sum of the absolute
        values of its terms.
    """
    exact, pixels = copy.deepcopy(model).double(), images.double()
    logits = predict(exact, pixels)
    target, foil = logits.topk(2, dim=1).indices.T
    foils = nn.functional.one_hot(foil, logits.shape[1]).bool()
    rows = []
    for name in schemes.CONTRASTS:
        w = schemes.among(logits, target, foils) if name == "among" else schemes.cotangent(name, logits, target)
        parts = terms(exact, pixels, lambda y, w=w: w)
        phi = combine(parts, pixels.shape[-2:])
        size = sum(part.abs().flatten(1).sum(1) if part.ndim > 1 else part.abs() for part in parts.values())
        gap = (phi.map.sum((1, 2)) + phi.constants - (w * logits).sum(1)).abs() / size
        rows.append({"contrast": name, "gap": gap.max().item()})
    return pd.DataFrame(rows)


def gaps(table: pd.DataFrame) -> pd.DataFrame:
    """The gaps of :func:`completeness`, of several networks, as the ``mean`` of each cell."""
    return table.rename(columns={"gap": "mean"})


def rescaled_pair(model: nn.Module, images: Tensor) -> pd.Series:
    """Rescaled maps of w and of -w, w the weighted contrast of the predicted class: their sum is N, the number of channels.

    In each channel psi(t) = (t - min t) / (max t - min t), so that psi(-t) = 1 - psi(t).

    Returns:
        N, the largest deviation of the sum from N, and mean and standard deviation of the map of w in units of N; in float64.
    """
    exact, pixels = copy.deepcopy(model).double(), images.double()
    logits = predict(exact, pixels)
    w = schemes.weighted(logits, logits.argmax(dim=1))
    both = fullgrad(exact, pixels, lambda y: torch.stack([w, -w]), "rescaled").map
    total = both.sum(dim=0)
    channels = total.mean()
    return pd.Series({
        "channels N": channels.item(), "largest deviation of φ(w) + φ(−w) from N": (total - channels).abs().max().item(),
        "mean of φ(w) / N": (both[0].mean() / channels).item(), "standard deviation of φ(w) / N": (both[0].std() / channels).item(),
    })


def signs(table: pd.DataFrame) -> pd.DataFrame:
    """Signs and sums of the maps of :func:`describe`, for each network, contrast and variant.

    Returns:
        images; negative (mean share of the area below 0); one_signed (share of maps with one sign); gap (median difference of
        the sum from <w, y>, relative to it).
    """
    table = table.assign(
        one_signed=table["negative"].isin([0, 1]), gap=(table["sum"] - table["score"]).abs() / table["score"].abs())
    return table.groupby(["network", "contrast", "variant"], sort=False).agg(
        images=("image", "nunique"), negative=("negative", "mean"), one_signed=("one_signed", "mean"), gap=("gap", "median"),
    ).reset_index()


def sign_measure(table: pd.DataFrame, value: str) -> pd.DataFrame:
    """One of the columns of :func:`signs` as the ``mean`` of each network, contrast and variant."""
    return signs(table).rename(columns={value: "mean"})


def one_sign_by_rescaling(table: pd.DataFrame) -> pd.DataFrame:
    """Share of maps with one sign after rescaling, minus that without bias terms: 1 if rescaling alone makes one sign."""
    found = signs(table).pivot(index=["network", "contrast"], columns="variant", values="one_signed")
    return (found["rescaled"] - found["input only"]).rename("mean").reset_index()
