"""Effects of errors in print or in code on maps: the measurements of page 05 that need a network.

Each function evaluates the printed form and the corrected one on the same images.
``tests/evaluation/test_corrections.py`` checks the identities used by the corrections in float64.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from contrastlib import contrasts as schemes
from contrastlib.autograd import forward, predict
from contrastlib.evaluation import masking
from contrastlib.evaluation.homogeneity import without_shifts
from contrastlib.evaluation.perturbation import perturbed
from contrastlib.explainers import (
    gradcam,
    gradient,
    input_x_gradient,
    integrated_gradients,
    linear_approximation,
    upsample,
    xgradcam,
)

STEP_FORMS = {"corrected": {}, "printed clamp": {"clamp": "printed"}, "printed index": {"direction": "start"}}
MEAN_FACTORS = ("1/(C−1)", "1/C", "no factor")


def sign_steps(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    epsilon: float = 3e-3,
    iterations: Sequence[int] = (1, 2, 10),
) -> pd.DataFrame:
    """The sign perturbation with the clamp or the index as printed, and corrected (errata 1 and 2).

    Args:
        model: A network with logits (B, C) of images in [0, 1].
        images: Images (B, K, H, W) in [0, 1].
        labels: Target classes (B,) of the weighted contrast.
        epsilon: Limit of the change of a pixel, as in :func:`contrastlib.evaluation.perturbation.changes`.
        iterations: Numbers of steps.

    Returns:
        One row for each image, form (of ``STEP_FORMS``) and number of iterations. In units of epsilon are
        largest (change of a value), furthest (distance of a value from [0, 1]) and apart (largest difference
        from the image after the first of ``iterations``). Also outside, the share of values outside [0, 1],
        and change, that of p_t.

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> table = sign_steps(net, torch.rand(2, 3, 8, 8), torch.tensor([0, 3]), iterations=[1, 2])
    >>> table["form"].unique().tolist(), len(table)
    (['corrected', 'printed clamp', 'printed index'], 12)
    """
    start = forward(model, images)
    first = gradient(start, schemes.weighted(start.logits, labels)[None])
    before = schemes.log_odds(start.logits, labels).sigmoid()
    tables = []
    for form, options in STEP_FORMS.items():
        ends = [
            perturbed(model, images, labels, first, ["weighted"], n, epsilon, **options)[0]
            for n in iterations
        ]
        for n, end in zip(iterations, ends):
            after = schemes.log_odds(predict(model, end), labels).sigmoid()
            beyond = torch.maximum(-end, end - 1).flatten(1)
            columns = {
                "largest": (end - images).abs().flatten(1).amax(dim=1) / epsilon,
                "furthest": beyond.amax(dim=1).clamp(min=0) / epsilon,
                "apart": (end - ends[0]).abs().flatten(1).amax(dim=1) / epsilon,
                "outside": (beyond > 0).double().mean(dim=1),
                "change": after - before,
            }
            table = pd.DataFrame(
                {name: values.double().numpy(force=True) for name, values in columns.items()}
            )
            tables.append(table.assign(image=range(len(images)), form=form, iterations=n))
    return pd.concat(tables, ignore_index=True)


def blur_draws(
    model: nn.Module,
    images: Tensor,
    labels: Tensor | None = None,
    draws: int = 10,
    threshold: float = 0.1,
    layer: str | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """One cell of Table 1 under blurs drawn at random (erratum 6).

    The cell is that of GradCAM, the weighted contrast and t_1, with positive pixels kept.

    Args:
        model: As in :func:`contrastlib.evaluation.masking.relative_probabilities`.
        images: Images (B, K, H, W) in [0, 1].
        labels: Not used, because the classes are the predicted ones.
        draws: Number of draws of sigma, uniform between 10 and 20 pixels at a width of 224. All images share
            them.
        threshold: Only images whose second-highest probability is above it.
        layer: The name of the layer to explain. If None, it is the default layer of the network.
        seed: Seed of the draws.

    Returns:
        One row for each image above the threshold and draw, with image, draw, sigma and relative_probability.
        If no image is above the threshold, the table has all columns and no row.

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> blur_draws(net, torch.rand(2, 3, 8, 8), draws=3, threshold=0).columns.tolist()
    ['image', 'draw', 'sigma', 'relative_probability']
    """
    record = forward(model, images, layer, once=True)
    probabilities, classes = record.logits.softmax(dim=1).topk(2, dim=1)
    chosen = (probabilities[:, 1] > threshold).nonzero().flatten()
    if not len(chosen):
        return pd.DataFrame(columns=["image", "draw", "sigma", "relative_probability"])
    maps = masking.explanations(record, classes, ("gradcam",), ("weighted",))[0, 0, 0][chosen]
    masks = masking.masked_pixels(
        upsample(maps, images.shape[-2:], align_corners=True), "positive", "by_sign"
    )
    split, tables = images[chosen], []
    for draw, sigma in enumerate(np.random.default_rng(seed).uniform(10, 20, draws)):
        blurred = masking.papers_blur(split, float(sigma))
        logits = predict(model, torch.where(masks[:, None], blurred, split)).gather(1, classes[chosen])
        after = logits.double().softmax(dim=1)[:, 0].numpy(force=True)
        tables.append(
            pd.DataFrame(
                {
                    "image": chosen.numpy(force=True),
                    "draw": draw,
                    "sigma": sigma,
                    "relative_probability": after,
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def path_and_product(
    model: nn.Module, images: Tensor, labels: Tensor | None = None, steps: int = 32
) -> pd.DataFrame:
    """Cosine of integrated gradients from black with input x gradient, predicted class (errata 8 and 9).

    Args:
        model: As in :func:`contrastlib.explain`.
        images: Images (B, K, H, W).
        labels: Not used, because the class is the predicted one.
        steps: Number of points on the path.

    Returns:
        One row for each image, network and explained output, with biases (True for the network as it is,
        False for :func:`~contrastlib.evaluation.homogeneity.without_shifts` of it), explained ("y_t" or
        "p_t") and similarity (cosine).

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> table = path_and_product(net, torch.rand(2, 3, 8, 8), steps=4)
    >>> bare = table[(table["explained"] == "y_t") & ~table["biases"]]
    >>> bare["similarity"].round(4).tolist()
    [1.0, 1.0]
    """
    tables = []
    for biases, network in ((True, model), (False, without_shifts(model))):
        record = forward(network, images)
        target = record.logits.argmax(dim=1)
        for explained, contrast in (("y_t", schemes.original), ("p_t", schemes.probability)):
            path = integrated_gradients(
                network, images, lambda y, f=contrast, t=target: f(y, t), steps=steps, contrast_at="path"
            )
            product = input_x_gradient(record, contrast(record.logits, target))
            similarity = torch.cosine_similarity(path.flatten(1).double(), product.flatten(1).double())
            tables.append(
                pd.DataFrame(
                    {
                        "image": range(len(images)),
                        "biases": biases,
                        "explained": explained,
                        "similarity": similarity.numpy(force=True),
                    }
                )
            )
    return pd.concat(tables, ignore_index=True)


def mean_weights(logits: Tensor, target: Tensor, factor: str) -> Tensor:
    """Cotangent (B, C) of the mean contrast with another factor of the other classes (erratum 12).

    Args:
        logits: Logits (B, C).
        target: Target classes (B,).
        factor: One of ``MEAN_FACTORS``.

    Returns:
        The cotangent (B, C).

    >>> mean_weights(torch.zeros(1, 3), torch.tensor([0]), "no factor")
    tensor([[ 1., -1., -1.]])
    """
    classes = logits.shape[1]
    scale = {"1/(C−1)": 1.0, "1/C": (classes - 1) / classes, "no factor": classes - 1.0}[factor]
    weights = schemes.mean(logits, target)
    return torch.where(weights > 0, weights, scale * weights)


def mean_factors(
    model: nn.Module, images: Tensor, labels: Tensor | None = None, layer: str | None = None
) -> pd.DataFrame:
    """GradCAM of the mean contrast of the predicted class with each factor (erratum 12).

    Args:
        model: As in :func:`contrastlib.explain`.
        images: Images (B, K, H, W).
        labels: Not used, because the class is the predicted one.
        layer: The name of the layer to explain. If None, it is the default layer of the network.

    Returns:
        One row for each image and factor, with image, factor, weights (their sum) and similarity (cosine with
        the correct map).

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> table = mean_factors(net, torch.rand(2, 3, 8, 8))
    >>> (table.groupby("factor", sort=False)["weights"].mean().round(4) + 0.0).to_dict()
    {'1/(C−1)': 0.0, '1/C': 0.2, 'no factor': -3.0}
    """
    record = forward(model, images, layer, once=True)
    target = record.logits.argmax(dim=1)
    weights = torch.stack([mean_weights(record.logits, target, factor) for factor in MEAN_FACTORS])
    maps = gradcam(record, weights).flatten(2).double()
    tables = []
    for factor, w, heat in zip(MEAN_FACTORS, weights, maps):
        similarity = torch.cosine_similarity(heat, maps[0]).numpy(force=True)
        total = w.sum(dim=1).double().numpy(force=True)
        tables.append(
            pd.DataFrame(
                {"image": range(len(images)), "factor": factor, "weights": total, "similarity": similarity}
            )
        )
    return pd.concat(tables, ignore_index=True)


def pixels_of_the_wrong_sign(
    model: nn.Module,
    images: Tensor,
    labels: Tensor | None = None,
    threshold: float = 0.1,
    layer: str | None = None,
) -> pd.DataFrame:
    """Share of pixels that each mask rule masks, and share of those that have the kept sign (erratum 13).

    Args:
        model: As in :func:`contrastlib.evaluation.masking.relative_probabilities`.
        images: Images (B, K, H, W) in [0, 1].
        labels: Not used, because the classes are the predicted ones.
        threshold: Only images whose second-highest probability is above it.
        layer: The name of the layer to explain. If None, it is the default layer of the network.

    Returns:
        One row for each image above the threshold, kept_sign, mask_rule and contrast, of GradCAM maps of t_1,
        with masked (share of pixels) and wrong (share of the masked ones that have the kept sign). If no
        image is above the threshold, the table has all columns and no row.

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> table = pixels_of_the_wrong_sign(net, torch.rand(2, 3, 8, 8), threshold=0)
    >>> table.columns.tolist()
    ['image', 'kept_sign', 'mask_rule', 'contrast', 'masked', 'wrong']
    """
    record = forward(model, images, layer, once=True)
    probabilities, classes = record.logits.softmax(dim=1).topk(2, dim=1)
    compared = ("original", "weighted")
    maps = masking.explanations(record, classes, ("gradcam",), compared)[0, :, 0]
    rows = []
    for i in (probabilities[:, 1] > threshold).nonzero().flatten().tolist():
        heat = upsample(maps[:, i], images.shape[-2:], align_corners=True)
        for kept_sign in masking.KEPT_SIGNS:
            to_keep = heat > 0 if kept_sign == "positive" else heat < 0
            for rule in masking.MASK_RULES:
                masks = masking.masked_pixels(heat, kept_sign, rule)
                taken, wrong = masks.flatten(1).sum(dim=1), (masks & to_keep).flatten(1).sum(dim=1)
                for contrast, count, of_kept_sign in zip(compared, taken.tolist(), wrong.tolist()):
                    rows.append(
                        (i, kept_sign, rule, contrast, count / heat[0].numel(), of_kept_sign / max(count, 1))
                    )
    return pd.DataFrame(rows, columns=["image", "kept_sign", "mask_rule", "contrast", "masked", "wrong"])


def normalisers(
    model: nn.Module, images: Tensor, labels: Tensor | None = None, layers: Sequence[str] = ()
) -> pd.DataFrame:
    """Compare XGradCAM with its two normalisers, norm_1(a) and sum a, layer by layer (erratum 16).

    The maps are those of the weighted contrast of the predicted class.

    Args:
        model: As in :func:`contrastlib.explain`.
        images: Images (B, K, H, W).
        labels: Not used, because the class is the predicted one.
        layers: Names of layers. If empty, it is the default layer of the network.

    Returns:
        One row for each image and layer, with similarity (cosine of the two maps), negative_sums (share of
        channels whose activations have a negative sum), and kept: the sum of the map with norm_1(a) over the
        sum of activation times gradient, which the map with sum a keeps (the conservation axiom of Fu et al.
        2020).

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> normalisers(net, torch.rand(2, 3, 8, 8)).columns.tolist()
    ['image', 'layer', 'kept', 'similarity', 'negative_sums']
    """
    record = forward(model, images, list(layers) or None, once=True)
    weights = schemes.weighted(record.logits, record.logits.argmax(dim=1))
    tables = []
    for layer in record.activations:
        maps = [xgradcam(record, weights, layer, normaliser=name).flatten(1) for name in ("absolute", "sum")]
        sums = record.activations[layer].sum(dim=(-2, -1))
        whole = linear_approximation(record, weights, layer).sum(dim=(-2, -1))
        tables.append(
            pd.DataFrame(
                {
                    "image": range(len(images)),
                    "layer": layer,
                    "kept": (maps[0].sum(dim=1) / whole).double().numpy(force=True),
                    "similarity": torch.cosine_similarity(*maps).numpy(force=True),
                    "negative_sums": (sums < 0).double().mean(dim=1).numpy(force=True),
                }
            )
        )
    return pd.concat(tables, ignore_index=True)
