"""The sign perturbation in input space (Wang & Wang 2022, sec. 5.1, Fig. 3).

A step is x^{n+1} = x^n + alpha sign(phi^t(x^n)) with alpha = epsilon / n_tot. The result is clamped to a
distance of epsilon from x^0 and to [0, 1] (Eriksson et al. 2025, eq. 5-6). phi^t is the gradient of some
contrast.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from contrastlib._logits import known_values
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
    """Perturb each image towards its target class and measure the change of the scores.

    All iterations and epsilons share the gradients at x^0, and all contrasts share each later pass. B images
    need 1 + sum (n - 1) forward and backward passes, and one last forward pass for each (epsilon, n) of a
    batch with the images of all contrasts.

    Args:
        model: A network with logits (B, C) of images in [0, 1]. It normalises them itself.
        images: Images (B, K, H, W) in [0, 1].
        target: Target classes (B,), the true labels in the papers.
        contrasts: Names for :func:`contrastlib.evaluation.precision.cotangent`.
        iterations: Values of n_tot.
        epsilons: Limits of the change of a pixel, in units of [0, 1].
        clamp: "corrected" as above. "printed" clamps to [min(x^0 - eps, 0), max(x^0 + eps, 1)] as printed by
            Wang & Wang, which does not limit the change to epsilon.
        direction: "iterate" takes the gradient at x^n. "start" takes the gradient at x^0, as printed.
        towards: "target", or "predicted" for the most probable class of each image instead of the target.

    Returns:
        One row for each image, contrast, epsilon and n, with image (index in the batch), contrast, epsilon,
        iterations, and correct, p_t and y_t after the perturbation and before it (``_before``). correct tells
        whether the target is the predicted class.

    Raises:
        ValueError: The images are outside [0, 1], or an option is unknown.

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> table = changes(net, torch.rand(2, 3, 8, 8), torch.tensor([0, 3]), ["original", "weighted"],
    ...     iterations=[1], epsilons=[0.003])
    >>> table.columns.tolist()
    ['image', 'correct', 'p_t', 'y_t', 'correct_before', 'p_t_before', 'y_t_before', 'contrast', 'epsilon',
     'iterations']
    """
    if images.min() < 0 or images.max() > 1:
        raise ValueError("images must be in [0, 1]: let the model normalise, and pass the pixels as they are")
    if towards not in ("target", "predicted"):
        raise ValueError(f'towards must be "target" or "predicted", got {towards!r}')
    start = forward(model, images, once=True)
    if towards == "predicted":
        target = start.logits.argmax(dim=1)
    first = gradient(start, torch.stack([cotangent(c, start.logits, target) for c in contrasts]))
    settings, scores = [], []
    for epsilon, steps in product(epsilons, iterations):
        ends = perturbed(model, images, target, first, contrasts, steps, epsilon, clamp, direction)
        logits = predict(model, ends.flatten(0, 1)).unflatten(0, ends.shape[:2])
        scores += [_scores(row, target) for row in logits]
        settings += [{"contrast": name, "epsilon": epsilon, "iterations": steps} for name in contrasts]
    scores.append(_scores(start.logits, target))
    *after, before = torch.stack(scores).numpy(force=True)  # one copy from the device for all of them
    unperturbed = _columns(before).add_suffix("_before")
    tables = []
    for setting, row in zip(settings, after):
        table = _columns(row).join(unperturbed)
        table.insert(0, "image", range(len(images)))
        tables.append(table.assign(**setting))
    return pd.concat(tables, ignore_index=True)


def tidy(changes: pd.DataFrame) -> pd.DataFrame:
    """Transform a table of :func:`changes` to one row for each quantity, with the change after minus before.

    Args:
        changes: A table of :func:`changes`.

    Returns:
        All columns except the measured ones, and quantity ("accuracy", "p_t" or "y_t") and change.

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> table = changes(net, torch.rand(2, 3, 8, 8), torch.tensor([0, 3]), ["weighted"], [1], [0.003])
    >>> tidy(table)["quantity"].unique().tolist()
    ['accuracy', 'p_t', 'y_t']
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


def mean_changes(table: pd.DataFrame, **options: Any) -> pd.DataFrame:
    """Mean change of each quantity in each setting and contrast, with its interval.

    Args:
        table: A table of :func:`changes`, with network and group.
        **options: Options of :func:`contrastlib.evaluation.statistics.means`.

    Returns:
        A row for each setting, quantity and contrast, with the columns of
        :func:`contrastlib.evaluation.statistics.means`. The mean is in the column change.

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> table = changes(net, torch.rand(2, 3, 8, 8), torch.tensor([0, 3]), ["weighted"], [1], [0.003])
    >>> mean_changes(table.assign(network="n", group=[0, 1])).columns.tolist()
    ['network', 'epsilon', 'iterations', 'quantity', 'contrast', 'change', 'low', 'high', 'images', 'groups']
    """
    by = [*SETTING, "quantity", "contrast"]
    return statistics.means(tidy(table), "change", by, **options).rename(columns={"mean": "change"})


def differences(
    table: pd.DataFrame,
    quantity: str | None = None,
    first: str = "weighted",
    second: str = "original",
    **options: Any,
) -> pd.DataFrame:
    """Mean difference between two contrasts in the change of a quantity, paired by image, with its interval.

    Args:
        table: A table of :func:`changes`, with network and group.
        quantity: One of :data:`QUANTITIES`. If None, all of them.
        first: Name of a contrast.
        second: Name of the contrast that is subtracted.
        **options: Options of :func:`contrastlib.evaluation.statistics.paired_differences`.

    Returns:
        A row for each setting and quantity, with the columns of
        :func:`contrastlib.evaluation.statistics.paired_differences`.

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
    """Largest differences between two runs of :func:`changes` on the same images.

    Args:
        first: The table of one run, with network.
        second: The table of the other run. Rows that are in one table only are left out.

    Returns:
        One row for each network, which is its index. The columns are ("one image", "p_t"), ("one image",
        "y_t"), and the same for the "mean over images" of a setting and contrast.
    """
    same = [*SETTING, "contrast", "image"]
    both = first.merge(second, on=same, suffixes=("", "_again"), validate="one_to_one")
    apart = both[same].assign(**{q: both[q] - both[f"{q}_again"] for q in ("p_t", "y_t")})
    means = apart.groupby(same[:-1])[["p_t", "y_t"]].mean()
    return pd.concat(
        {
            name: values.abs().groupby("network").max()
            for name, values in (("one image", apart.set_index(same)), ("mean over images", means))
        },
        axis=1,
    )


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
    """Perturb images with N contrasts.

    Args:
        model: As in :func:`changes`.
        images: Images (B, K, H, W) in [0, 1].
        target: Target classes (B,).
        first: Gradients (N, B, K, H, W) of the contrasts at ``images``.
        contrasts: Names of the N contrasts.
        steps: The number of iterations n_tot.
        epsilon: Limit of the change of a pixel.
        clamp: As in :func:`changes`.
        direction: As in :func:`changes`.

    Returns:
        The perturbed images (N, B, K, H, W).

    Raises:
        ValueError: An option is unknown.
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
    """Gradients (N, B, K, H, W) of each contrast at its own images, in one pass."""
    record = forward(model, images.flatten(0, 1), once=True)
    logits = record.logits.unflatten(0, images.shape[:2])
    with known_values():  # the forward pass has checked the logits, and the first step the classes
        cotangents = torch.cat([cotangent(c, rows, target) for c, rows in zip(contrasts, logits)])
    return gradient(record, cotangents).unflatten(0, images.shape[:2])


def _scores(logits: Tensor, target: Tensor) -> Tensor:
    """Whether the target is the predicted class, p_t and y_t (3, B), on the device of the logits."""
    return torch.stack(
        [
            (logits.argmax(dim=1) == target).to(logits),
            log_odds(logits, target).sigmoid(),
            logits.gather(1, target[:, None]).squeeze(1),
        ]
    )


def _columns(scores: np.ndarray) -> pd.DataFrame:
    correct, p_t, y_t = scores
    return pd.DataFrame({"correct": correct.astype(bool), "p_t": p_t, "y_t": y_t})
