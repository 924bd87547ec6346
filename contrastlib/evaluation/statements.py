"""Statements and formulas of Wang & Wang 2022 compared with what holds: measurements of errata 28 to 31."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import torch
from torch import Tensor, nn

from contrastlib import contrasts
from contrastlib.autograd import forward
from contrastlib.explainers import gradcam
from contrastlib.explainers.lrp import others, propagation

INDEX_RANGES = {"0 < i, j < d'": 1, "all positions": 0}
"""Range of the indices in eq. 2 -> number of rows and columns that it leaves out."""


def sensitivities(precision: pd.DataFrame) -> pd.DataFrame:
    """Size of the gradient of p_t over that of the log-odds, which is p_t (1 - p_t) (erratum 28).

    Args:
        precision: A table of :func:`contrastlib.evaluation.precision.rounded_gradients`, of one or more
            networks.

    Returns:
        A row for each network, with the median, largest and smallest factor over its images.

    >>> table = pd.DataFrame({"network": "n", "log_odds": [0.0, 0.0, 5.0]})
    >>> sensitivities(table).round(4).loc["n"].to_dict()
    {'median': 0.25, 'largest': 0.25, 'smallest': 0.0066}
    """
    p = torch.sigmoid(torch.tensor(precision["log_odds"].to_numpy()))
    q = torch.sigmoid(-torch.tensor(precision["log_odds"].to_numpy()))  # 1 - p would be rounded
    factor = precision.assign(factor=(p * q).numpy()).groupby("network", sort=False)["factor"]
    return factor.agg(median="median", largest="max", smallest="min")


def index_ranges(
    model: nn.Module, images: Tensor, labels: Tensor | None = None, layer: str | None = None
) -> pd.DataFrame:
    """GradCAM of the predicted class with the range of indices of eq. 2 as printed (erratum 29).

    With 0 < i, j < d' the sum has (d' - 1)^2 terms and is divided by d'^2.

    Args:
        model: As in :func:`contrastlib.explain`.
        images: Images (B, K, H, W).
        labels: Not used, because the class is the predicted one.
        layer: The name of the layer to explain. If None, it is the default layer of the network.

    Returns:
        One row for each image, contrast ("original" or "weighted") and range of ``INDEX_RANGES``, with
        similarity (cosine with the map over all positions) and size (norm, in units of that map's).

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> index_ranges(net, torch.rand(2, 3, 8, 8))["range"].unique().tolist()
    ["0 < i, j < d'", 'all positions']
    """
    record = forward(model, images, layer)
    layer, target = record.layer(), record.logits.argmax(dim=1)
    activation, tables = record.activations[layer], []
    for contrast in ("original", "weighted"):
        w = contrasts.cotangent(contrast, record.logits, target)
        gradient, whole = record.pull_back(w)[layer], gradcam(record, w, layer).flatten(1)
        for words, left_out in INDEX_RANGES.items():
            sums = gradient[..., left_out:, left_out:].sum(dim=(-2, -1))
            weights = sums / gradient[0, 0].numel()
            heat = torch.einsum("bk,bkhw->bhw", weights, activation).flatten(1)
            tables.append(
                pd.DataFrame(
                    {
                        "image": range(len(images)),
                        "contrast": contrast,
                        "range": words,
                        "similarity": torch.cosine_similarity(heat, whole).numpy(force=True),
                        "size": (heat.norm(dim=1) / whole.norm(dim=1)).numpy(force=True),
                    }
                )
            )
    return pd.concat(tables, ignore_index=True)


def shared_and_own(classes: Sequence[int] = (2, 10, 100, 200, 1000), seed: int = 0) -> pd.DataFrame:
    """The mean contrast of a linear classifier by number of classes (erratum 30).

    Half of 1,000 features have the same weight for every class, the others have weights of their own for each
    class, all drawn at random. The map of class s is w^s_i x_i, in float64.

    Args:
        classes: Numbers of classes C.
        seed: Seed of weights and features.

    Returns:
        One row for each C and kind of feature ("shared" or "own"), with subtracted (norm of the mean of the
        other classes' maps over the norm of the target's) and left (norm of the mean contrast over the norm
        of the target's map).

    >>> table = shared_and_own((2, 1000)).round(2).set_index(["features", "classes"])
    >>> table["subtracted"].tolist()
    [1.0, 1.0, 1.0, 0.03]
    """
    generator = torch.Generator().manual_seed(seed)
    x, shared = torch.randn(2, 500, generator=generator, dtype=torch.float64)
    own = torch.randn(max(classes), 500, generator=generator, dtype=torch.float64)
    rows = []
    for count in classes:
        for features, maps in (("shared", (shared * x).expand(count, -1)), ("own", own[:count] * x)):
            mean = maps[1:].mean(dim=0)
            rows.append(
                {
                    "classes": count,
                    "features": features,
                    "subtracted": (mean.norm() / maps[0].norm()).item(),
                    "left": ((maps[0] - mean).norm() / maps[0].norm()).item(),
                }
            )
    return pd.DataFrame(rows)


def mean_contrast_and_clrp1(model: nn.Module, images: Tensor, labels: Tensor | None = None) -> pd.DataFrame:
    """CLRP1 compared with the mean contrast of the LRP maps of all classes (erratum 31).

    CLRP1 propagates abs(y_t) (e_t - 1/(C-1) sum_s e_s) and sets negative relevance to 0. The mean contrast
    propagates y_t e_t - 1/(C-1) sum_s y_s e_s and does not.

    Args:
        model: A network that :func:`contrastlib.explainers.lrp.propagation.propagation` accepts.
        images: Images (B, K, H, W).
        labels: Not used, because the class is the predicted one.

    Returns:
        One row for each image, with the cosines of the maps (clipped by channel, then summed over channels)
        before_clipping and after_clipping of CLRP1.

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> mean_contrast_and_clrp1(net, torch.rand(2, 3, 8, 8)).columns.tolist()
    ['image', 'before_clipping', 'after_clipping']
    """
    with propagation(model, images) as propagate:
        y = propagate.outputs
        target = y.argmax(dim=1)
        score = contrasts.original(y, target) * y.abs()
        relevance = torch.stack([score - others(y, target), contrasts.mean(y, target) * y])
        clrp1, mean = propagate(relevance).double()
    compared = {"before_clipping": clrp1, "after_clipping": clrp1.clamp(min=0)}
    mean = mean.sum(dim=1).flatten(1)
    cosines = {
        name: torch.cosine_similarity(phi.sum(dim=1).flatten(1), mean) for name, phi in compared.items()
    }
    columns = {name: values.numpy(force=True) for name, values in cosines.items()}
    return pd.DataFrame({"image": range(len(images)), **columns})
