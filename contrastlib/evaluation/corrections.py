"""What errors in print or in code do to a map, image by image: the measurements of page 05 that need a network.

Each function evaluates the printed and the corrected form side by side. ``tests/evaluation/test_corrections.py`` proves
the identities behind the corrections in float64.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from contrastlib import contrasts as schemes
from contrastlib.autograd import default_layer, forward, predict
from contrastlib.evaluation import masking
from contrastlib.evaluation.perturbation import perturbed
from contrastlib.explainers import (
    gradcam,
    gradient,
    input_x_gradient,
    integrated_gradients,
    upsample,
    xgradcam,
)

STEP_FORMS = {"corrected": {}, "printed clamp": {"clamp": "printed"}, "printed index": {"direction": "start"}}
MEAN_FACTORS = ("1/(C−1)", "1/C", "no factor")


def sign_steps(
    model: nn.Module, images: Tensor, labels: Tensor, epsilon: float = 3e-3, iterations: Sequence[int] = (1, 2, 10)
) -> pd.DataFrame:
    """Errata 1 and 2: the sign perturbation with the clamp or the index as printed, and corrected.

    Args:
        model: logits (B, C) from images in [0, 1].
        images: (B, channels, H, W) in [0, 1].
        labels: (B,) the classes whose weighted contrast is followed.
        epsilon, iterations: as in :func:`contrastlib.evaluation.perturbation.changes`.

    Returns:
        One row for each image, form (of ``STEP_FORMS``) and number of iterations, with, in units of epsilon,
        largest (change of a value), furthest (a value lies outside [0, 1]) and apart (largest difference from the
        image after the first of ``iterations``); outside, the share of values outside [0, 1]; change of p_t.
    """
    start = forward(model, images)
    first = gradient(start, schemes.weighted(start.logits, labels)[None])
    before = schemes.log_odds(start.logits, labels).sigmoid()
    tables = []
    for form, options in STEP_FORMS.items():
        ends = [perturbed(model, images, labels, first, ["weighted"], n, epsilon, **options)[0] for n in iterations]
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
            table = pd.DataFrame({name: values.double().numpy(force=True) for name, values in columns.items()})
            tables.append(table.assign(image=range(len(images)), form=form, iterations=n))
    return pd.concat(tables, ignore_index=True)


def blur_draws(
    model: nn.Module, images: Tensor, labels: Tensor | None = None, draws: int = 10, threshold: float = 0.1,
    layer: str | None = None, seed: int = 0,
) -> pd.DataFrame:
    """Erratum 6: one cell of Table 1 (GradCAM, weighted, t_1, positive pixels kept) under blurs drawn at random.

    Args:
        model, images, threshold, layer: as in :func:`contrastlib.evaluation.masking.relative_probabilities`.
        labels: not used; the classes are the predicted ones.
        draws: of sigma, uniform between 10 and 20 pixels at a width of 224; the same for every image.
        seed: of the draws.

    Returns:
        One row for each image above the threshold and draw: image, draw, sigma, relative_probability. No row, but
        all columns, when no image passes.
    """
    passed = forward(model, images, layer or default_layer(model), once=True)
    probabilities, classes = passed.logits.softmax(dim=1).topk(2, dim=1)
    chosen = (probabilities[:, 1] > threshold).nonzero().flatten()
    if not len(chosen):
        return pd.DataFrame(columns=["image", "draw", "sigma", "relative_probability"])
    maps = masking.explanations(passed, classes, ("gradcam",), ("weighted",))[0, 0, 0][chosen]
    masks = masking.masked_pixels(upsample(maps, images.shape[-2:], align_corners=True), "positive", "by_sign")
    width, split = images.shape[-1], images[chosen]
    tables = []
    for draw, sigma in enumerate(np.random.default_rng(seed).uniform(10, 20, draws)):
        blurred = masking.blur(split, float(sigma) * width / 224, 2 * (101 * width // 448) + 1)
        logits = predict(model, torch.where(masks[:, None], blurred, split)).gather(1, classes[chosen])
        after = logits.double().softmax(dim=1)[:, 0].numpy(force=True)
        tables.append(pd.DataFrame({
            "image": chosen.numpy(force=True), "draw": draw, "sigma": sigma, "relative_probability": after,
        }))
    return pd.concat(tables, ignore_index=True)


def homogeneous(model: nn.Module) -> nn.Module:
    """A copy of a ReLU network with every bias, running mean and the shift of its normalisation set to 0.

    Its logits are positively homogeneous: f(c x) = c f(x) for c > 0.
    """
    model = copy.deepcopy(model)
    shifts = [getattr(module, name, None) for module in model.modules() for name in ("bias", "running_mean")]
    if hasattr(model, "normalise"):
        shifts.append(model.normalise.mean)
    with torch.no_grad():
        for shift in shifts:
            if shift is not None:
                shift.zero_()
    return model


def path_and_product(model: nn.Module, images: Tensor, labels: Tensor | None = None, steps: int = 32) -> pd.DataFrame:
    """Erratum 9: integrated gradients from black against input x gradient, of the predicted class's logit.

    Args:
        model, images: as in :func:`contrastlib.explain`.
        labels: not used; the classes are the predicted ones.
        steps: points of the path.

    Returns:
        One row for each image and network: biases (True: as it is, False: :func:`homogeneous`), similarity (cosine).
    """
    tables = []
    for biases, network in ((True, model), (False, homogeneous(model))):
        passed = forward(network, images)
        target = passed.logits.argmax(dim=1)
        path = integrated_gradients(network, images, lambda y, t=target: schemes.original(y, t), steps=steps)
        product = input_x_gradient(passed, schemes.original(passed.logits, target))
        similarity = torch.cosine_similarity(path.flatten(1), product.flatten(1)).numpy(force=True)
        tables.append(pd.DataFrame({"image": range(len(images)), "biases": biases, "similarity": similarity}))
    return pd.concat(tables, ignore_index=True)


def mean_weights(logits: Tensor, target: Tensor, factor: str) -> Tensor:
    """Erratum 12: weights (B, C) of the mean contrast with the factor of the other classes as named in ``MEAN_FACTORS``.

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
    """Erratum 12: GradCAM of the mean contrast of the predicted class under each factor.

    Args:
        model, images: as in :func:`contrastlib.explain`.
        labels: not used; the classes are the predicted ones.
        layer: where; the model's own layer or its last convolution when None.

    Returns:
        One row for each image and factor: image, factor, weights (their sum), similarity (cosine with the correct map).
    """
    passed = forward(model, images, layer or default_layer(model), once=True)
    target = passed.logits.argmax(dim=1)
    weights = torch.stack([mean_weights(passed.logits, target, factor) for factor in MEAN_FACTORS])
    maps = gradcam(passed, weights).flatten(2).double()
    tables = []
    for factor, w, heat in zip(MEAN_FACTORS, weights, maps):
        similarity = torch.cosine_similarity(heat, maps[0]).numpy(force=True)
        total = w.sum(dim=1).double().numpy(force=True)
        tables.append(pd.DataFrame({
            "image": range(len(images)), "factor": factor, "weights": total, "similarity": similarity}))
    return pd.concat(tables, ignore_index=True)


def pixels_of_the_wrong_sign(
    model: nn.Module, images: Tensor, labels: Tensor | None = None, threshold: float = 0.1, layer: str | None = None
) -> pd.DataFrame:
    """Erratum 13: how many pixels each mask rule takes, and how many of them carry the sign that is to be kept.

    Args:
        model, images, threshold, layer: as in :func:`contrastlib.evaluation.masking.relative_probabilities`.
        labels: not used; the classes are the predicted ones.

    Returns:
        One row for each image above the threshold, kept_sign, mask_rule and contrast, of GradCAM maps of t_1: masked
        (share of pixels) and wrong (share of the masked ones that have the sign to keep). No row, but all columns,
        when no image passes.
    """
    passed = forward(model, images, layer or default_layer(model), once=True)
    probabilities, classes = passed.logits.softmax(dim=1).topk(2, dim=1)
    compared = ("original", "weighted")
    maps = masking.explanations(passed, classes, ("gradcam",), compared)[0, :, 0]
    rows = []
    for i in (probabilities[:, 1] > threshold).nonzero().flatten().tolist():
        heat = upsample(maps[:, i], images.shape[-2:], align_corners=True)
        for kept_sign in masking.KEPT_SIGNS:
            to_keep = heat > 0 if kept_sign == "positive" else heat < 0
            for rule in masking.MASK_RULES:
                masks = masking.masked_pixels(heat, kept_sign, rule)
                taken, wrong = masks.flatten(1).sum(dim=1), (masks & to_keep).flatten(1).sum(dim=1)
                for contrast, count, of_kept_sign in zip(compared, taken.tolist(), wrong.tolist()):
                    rows.append((i, kept_sign, rule, contrast, count / heat[0].numel(), of_kept_sign / max(count, 1)))
    return pd.DataFrame(rows, columns=["image", "kept_sign", "mask_rule", "contrast", "masked", "wrong"])


def normalisers(
    model: nn.Module, images: Tensor, labels: Tensor | None = None, layers: Sequence[str] = ()
) -> pd.DataFrame:
    """Erratum 16: XGradCAM of the weighted contrast, its channels divided by norm_1(a) or by sum a, layer by layer.

    Args:
        model, images: as in :func:`contrastlib.explain`.
        labels: not used; the classes are the predicted ones.
        layers: where; the model's own layer, or its last convolution, when empty.

    Returns:
        One row for each image and layer: similarity (cosine of the two maps) and negative_sums (share of channels
        whose activations add up to less than 0).
    """
    layers = list(layers) or [default_layer(model)]
    passed = forward(model, images, layers, once=True)
    weights = schemes.weighted(passed.logits, passed.logits.argmax(dim=1))
    tables = []
    for layer in layers:
        maps = [xgradcam(passed, weights, layer, normaliser=name).flatten(1) for name in ("absolute", "sum")]
        sums = passed.activations[layer].sum(dim=(-2, -1))
        tables.append(pd.DataFrame({
            "image": range(len(images)), "layer": layer,
            "similarity": torch.cosine_similarity(*maps).numpy(force=True),
            "negative_sums": (sums < 0).double().mean(dim=1).numpy(force=True),
        }))
    return pd.concat(tables, ignore_index=True)
