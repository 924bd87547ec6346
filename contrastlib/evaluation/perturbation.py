"""The sign perturbation in input space (Wang & Wang 2022, sec. 5.1, Fig. 3).

A step is x^{n+1} = x^n + alpha sign(phi^t(x^n)), alpha = epsilon / n_tot, held within epsilon of
x^0 and within [0, 1] (Eriksson et al. 2025, eq. 5-6). phi is the gradient under some contrast.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import torch
from torch import Tensor, nn

from contrastlib.autograd import forward, predict
from contrastlib.contrasts import log_odds
from contrastlib.evaluation import statistics
from contrastlib.evaluation.precision import cotangent
from contrastlib.explainers.gradients import gradient

CONTRASTS = ("original", "mean", "maximum", "weighted")
QUANTITIES = ("accuracy", "p_t", "y_t")
SETTING = ["network", "epsilon", "iterations"]


def changes(
    model: nn.Module,
    images: Tensor,
    target: Tensor,
    contrasts: Sequence[str] = CONTRASTS,
    iterations: Sequence[int] = (1, 2, 10),
    epsilons: Sequence[float] = (1e-3, 3e-3),
    clamp: str = "corrected",
    direction: str = "iterate",
    towards: str = "target",
) -> pd.DataFrame:
    """Perturb each image towards its target and report what that changes.

    The gradients at x^0 serve all iterations and epsilons, and all contrasts share each later
    pass, so B images cost 1 + sum (n - 1) forward and backward passes and one last forward pass
    of a batch for each (epsilon, n), the contrasts side by side in it.

    Args:
        model: logits (B, C) from images in [0, 1]; normalisation happens inside.
        images: (B, channels, H, W) in [0, 1].
        target: (B,) class indices, the true labels in the papers.
        contrasts: by names that :func:`contrastlib.evaluation.precision.cotangent` knows.
        iterations: values of n_tot.
        epsilons: limits of the change of a pixel, in units of [0, 1].
        clamp: "corrected" as above; "printed" clamps to [min(x^0 - eps, 0), max(x^0 + eps, 1)] as
            Wang & Wang print it, which limits nothing to epsilon.
        direction: "iterate" takes the gradient at x^n; "start" keeps the one at x^0, as printed.
        towards: "target", or "predicted": the most probable class of each image in its place.

    Returns:
        One row for each image, contrast, epsilon and n, with image (index in the batch), contrast,
        epsilon, iterations, and correct, p_t, y_t after and (``_before``) before. correct says
        whether the target is the predicted class.

    Raises:
        ValueError: images outside [0, 1], or an unknown option.
    """
    if images.min() < 0 or images.max() > 1:
        raise ValueError("images must be in [0, 1]: let the model normalise, and pass the pixels as they are")
    if towards not in ("target", "predicted"):
        raise ValueError(f'towards must be "target" or "predicted", got {towards!r}')
    start = forward(model, images, once=True)
    if towards == "predicted":
        target = start.logits.argmax(dim=1)
    first = gradient(start, torch.stack([cotangent(c, start.logits, target) for c in contrasts]))
    before = _scores(start.logits, target).add_suffix("_before")
    tables = []
    for epsilon in epsilons:
        for steps in iterations:
            ends = perturbed(model, images, target, first, contrasts, steps, epsilon, clamp, direction)
            logits = predict(model, ends.flatten(0, 1)).unflatten(0, ends.shape[:2])
            for contrast, row in zip(contrasts, logits):
                table = _scores(row, target).join(before)
                table.insert(0, "image", range(len(images)))
                tables.append(table.assign(contrast=contrast, epsilon=epsilon, iterations=steps))
    return pd.concat(tables, ignore_index=True)


def tidy(changes: pd.DataFrame) -> pd.DataFrame:
    """The table of :func:`changes` with a row for each quantity, after minus before.

    Returns:
        All columns but the measured ones, and quantity ("accuracy", "p_t" or "y_t") and change.
    """
    measured = {"accuracy": "correct", "p_t": "p_t", "y_t": "y_t"}
    keys = [name for name in changes if name.removesuffix("_before") not in measured.values()]
    parts = [
        changes[keys].assign(
            quantity=quantity, change=changes[name].astype(float) - changes[f"{name}_before"].astype(float)
        )
        for quantity, name in measured.items()
    ]
    return pd.concat(parts, ignore_index=True)


def mean_changes(table: pd.DataFrame, **options) -> pd.DataFrame:
    """Mean change of each quantity in each setting and contrast, with its interval.

    Args:
        table: of :func:`changes`, with network and group.
        options: of :func:`contrastlib.evaluation.statistics.means`, which says what is returned; the mean is
            in the column change.
    """
    by = [*SETTING, "quantity", "contrast"]
    return statistics.means(tidy(table), "change", by, **options).rename(columns={"mean": "change"})


def differences(
    table: pd.DataFrame, quantity: str | None = None, first: str = "weighted", second: str = "original",
    **options,
) -> pd.DataFrame:
    """How much more one contrast changes a quantity than another does on the same images, with intervals.

    Args:
        table: of :func:`changes`, with network and group.
        quantity: one of :data:`QUANTITIES`; all when None.
        first, second: contrasts; the difference is that of the first minus that of the second.
        options: of :func:`contrastlib.evaluation.statistics.paired_differences`, which says what is returned.

    >>> before = {"network": "n", "image": 0, "group": 0, "epsilon": 0.1, "iterations": 1, "y_t_before": 1.0,
    ...           "p_t_before": 0.5, "p_t": 0.5, "correct": True, "correct_before": True}
    >>> rows = [before | {"contrast": "weighted", "y_t": 1.5}, before | {"contrast": "original", "y_t": 3.0}]
    >>> differences(pd.DataFrame(rows), "y_t", resamples=10)[["quantity", "mean"]].values.tolist()
    [['y_t', -1.5]]
    """
    long = tidy(table)
    if quantity is not None:
        long = long[long["quantity"] == quantity]
    by = [*SETTING, "quantity"]
    return statistics.paired_differences(long, "change", by, first=first, second=second, **options)


def repeat_differences(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """What differs at most between two runs of :func:`changes` on the same images.

    Args:
        first, second: tables with network; what only one of them has is left out.

    Returns:
        One row for each network, named by it; columns ("one image", "p_t"), ("one image", "y_t"), and the
        same of the "mean over images" of a setting and contrast.
    """
    same = [*SETTING, "contrast", "image"]
    both = first.merge(second, on=same, suffixes=("", "_again"), validate="one_to_one")
    apart = both[same].assign(**{q: both[q] - both[f"{q}_again"] for q in ("p_t", "y_t")})
    means = apart.groupby(same[:-1])[["p_t", "y_t"]].mean()
    return pd.concat({
        name: values.abs().groupby("network").max()
        for name, values in (("one image", apart.set_index(same)), ("mean over images", means))
    }, axis=1)


def perturbed(
    model: nn.Module,
    images: Tensor,
    target: Tensor,
    first: Tensor,
    contrasts: Sequence[str],
    steps: int,
    epsilon: float,
    clamp: str = "corrected",
    direction: str = "iterate",
) -> Tensor:
    """The perturbed images (K, B, channels, H, W), one set for each of the K contrasts.

    Args:
        first: (K, B, channels, H, W), the gradients of the contrasts at ``images``.
        steps: n_tot; the rest as in :func:`changes`.
    """
    low, high = _bounds(images, epsilon, clamp)
    if direction not in ("iterate", "start"):
        raise ValueError(f'direction must be "iterate" or "start", got {direction!r}')
    moved, slope = images.expand_as(first), first
    for step in range(steps):
        if step and direction == "iterate":
            slope = _gradients(model, moved, target, contrasts)
        moved = (moved + epsilon / steps * slope.sign()).clamp(low, high)
    return moved


def _bounds(images: Tensor, epsilon: float, clamp: str) -> tuple[Tensor, Tensor]:
    if clamp == "corrected":
        return (images - epsilon).clamp(min=0), (images + epsilon).clamp(max=1)
    if clamp == "printed":
        return (images - epsilon).clamp(max=0), (images + epsilon).clamp(min=1)
    raise ValueError(f'clamp must be "corrected" or "printed", got {clamp!r}')


def _gradients(model: nn.Module, images: Tensor, target: Tensor, contrasts: Sequence[str]) -> Tensor:
    """Each contrast's gradient at its own images (K, B, ...), in one pass."""
    record = forward(model, images.flatten(0, 1), once=True)
    logits = record.logits.unflatten(0, images.shape[:2])
    cotangents = torch.cat([cotangent(c, rows, target) for c, rows in zip(contrasts, logits)])
    return gradient(record, cotangents).unflatten(0, images.shape[:2])


def _scores(logits: Tensor, target: Tensor) -> pd.DataFrame:
    return pd.DataFrame({
        "correct": (logits.argmax(dim=1) == target).numpy(force=True),
        "p_t": log_odds(logits, target).sigmoid().numpy(force=True),
        "y_t": logits.gather(1, target[:, None]).squeeze(1).numpy(force=True),
    })
