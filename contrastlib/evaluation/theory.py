"""Checks of Wang & Wang 2022, sec. 3: the sanity check and the three propositions.

The sanity check and Proposition 1 use models of their own. Propositions 2 and 3 are checked for any network,
which should compute in float64, because rounding in float32 is as large as the differences that are to be
excluded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack

import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from contrastlib import contrasts as schemes
from contrastlib.autograd import INPUT, ForwardPass, as_found, default_layer, forward, recording
from contrastlib.evaluation.precision import softmax_gradient
from contrastlib.explainers import Explainer, select

CONTRASTS = ("mean", "maximum", "weighted")
ORIGINAL_AND_CONTRASTS = ("original", *CONTRASTS)
PASSES_ALL = 1e-6
"""Relative difference below which what arrives from one layer is all of the gradient."""
RATES = {"equal": (1, 1), "twice as long": (1, 2), "doubled": (2, 1)}
"""Learning rate of the sigmoid, and number of its updates, in units of those of the softmax."""


def shared_feature(
    contrasts: Sequence[str] = ORIGINAL_AND_CONTRASTS, shift: float = 5.0, seed: int = 0
) -> pd.DataFrame:
    """The sanity check: the weight of one feature increases equally for every class.

    Source: Wang & Wang 2022, sec. 3.1.

    The classifier is y = W x with 6 classes and 8 features, drawn at random, in float64. The attribution of
    feature i is (w W)_i x_i, where w is the cotangent of a contrast for class 0.

    Args:
        contrasts: Names of contrasts.
        shift: Number added to the weight of feature 0.
        seed: Seed of W and x.

    Returns:
        One row for each contrast, with network ("linear classifier"), contrast, probability_change (largest
        absolute change of a probability) and attribution_change (largest absolute change of an attribution).

    >>> shared_feature().set_index("contrast")["attribution_change"].round(2).to_dict()
    {'original': 4.99, 'mean': 0.0, 'maximum': 0.0, 'weighted': 0.0}
    """
    generator = torch.Generator().manual_seed(seed)
    weights = torch.randn(6, 8, dtype=torch.float64, generator=generator)
    x = torch.rand(1, 8, dtype=torch.float64, generator=generator)
    shifted = weights.clone()
    shifted[:, 0] += shift

    def attributions(matrix: Tensor) -> Tensor:
        return torch.cat([schemes.cotangent(c, x @ matrix.T, 0) @ matrix * x for c in contrasts])

    return pd.DataFrame(
        {
            "network": "linear classifier",
            "contrast": contrasts,
            "probability_change": ((x @ shifted.T).softmax(1) - (x @ weights.T).softmax(1))
            .abs()
            .max()
            .item(),
            "attribution_change": (attributions(shifted) - attributions(weights)).abs().amax(dim=1),
        }
    )


def training_gaps(
    rate: float = 0.1,
    updates: int = 200,
    seed: int = 1,
    decay: float = 0.0,
    sigmoid_decay: float | None = None,
) -> pd.DataFrame:
    """Proposition 1: gradient descent on a sigmoid with one output, compared with a softmax with two.

    Both start from 0 and minimise the mean cross-entropy of the same 400 examples with 5 features, in
    float64. The difference v = w_1 - w_2 moves twice as fast as w: one step is v - 2 rate g for v and
    w - rate g for w, with the same g where v = w.

    Args:
        rate: Learning rate of the softmax.
        updates: Number of steps of full-batch gradient descent of the softmax.
        seed: Seed of the examples.
        decay: Weight decay of the softmax.
        sigmoid_decay: Weight decay of the sigmoid. If None, it is that of the softmax.

    Returns:
        One row for each comparison of ``RATES`` and update of the softmax, with network ("logistic
        regression"), rates ("equal", "twice as long" for equal rates and twice as many updates of the
        sigmoid, or "doubled"), update (from 1) and gap, the norm of w - (w_1 - w_2) relative to that of
        w_1 - w_2.

    >>> last = training_gaps(updates=50).groupby("rates")["gap"].last()
    >>> bool(last["equal"] > 0.3), bool(last["twice as long"] < 0.02), bool(last["doubled"] < 1e-12)
    (True, True, True)
    """
    features, labels = _examples(seed)
    one, two = _trained(features, labels, 2, rate, updates, decay).unbind(dim=1)
    difference = one - two
    sigmoid_decay = decay if sigmoid_decay is None else sigmoid_decay
    tables = []
    for rates, (factor, longer) in RATES.items():
        every = _trained(features, labels, 1, factor * rate, longer * updates, sigmoid_decay)
        sigmoid = every[longer - 1 :: longer, 0]
        gap = (sigmoid - difference).norm(dim=1) / difference.norm(dim=1)
        tables.append(pd.DataFrame({"rates": rates, "update": range(1, updates + 1), "gap": gap.numpy()}))
    return pd.concat(tables, ignore_index=True).assign(network="logistic regression")


def probability_gaps(model: nn.Module, images: Tensor) -> pd.DataFrame:
    """Proposition 2: the map of a probability, by automatic differentiation and by formula.

    The probability is that of the predicted class t. The formula is p_t (1 - p_t) times the weighted
    contrast. The compared maps are those of all explainers that are linear in the cotangent, at the input or
    at the default layer of the network.

    Args:
        model: As in :func:`contrastlib.explain`.
        images: Images (B, K, H, W).

    Returns:
        One row for each method, with method, and gap, the largest absolute difference relative to the largest
        absolute value.

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> (probability_gaps(net, torch.rand(2, 3, 8, 8))["gap"] < 1e-4).all().item()
    True
    """
    record, methods, target = _recorded(model, images)
    through = softmax_gradient(record.logits, target)
    formula = schemes.probability(record.logits, target)
    gaps = {
        name: _relative_gap(*(method.function(record, w, layer) for w in (through, formula)))
        for name, (method, layer) in methods.items()
    }
    return pd.DataFrame({"method": gaps.keys(), "gap": gaps.values()})


def order_gaps(
    model: nn.Module, images: Tensor, contrasts: Sequence[str] = CONTRASTS, classes_at_once: int = 16
) -> pd.DataFrame:
    """Proposition 3: the contrast of the maps of all classes, compared with the map of the contrast.

    Args:
        model: As in :func:`contrastlib.explain`. The class is the predicted one.
        images: Images (B, K, H, W).
        contrasts: Names of contrasts.
        classes_at_once: Number of classes whose maps are held in memory together.

    Returns:
        One row for each method and contrast, with method, contrast, and gap as in :func:`probability_gaps`.

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> (order_gaps(net, torch.rand(2, 3, 8, 8))["gap"] < 1e-4).all().item()
    True
    """
    record, methods, target = _recorded(model, images)
    cotangents = torch.stack([schemes.cotangent(name, record.logits, target) for name in contrasts])
    combined = dict.fromkeys(methods, 0)
    classes = torch.eye(record.logits.shape[1], dtype=cotangents.dtype, device=cotangents.device)
    for units, weights in zip(classes.split(classes_at_once), cotangents.split(classes_at_once, dim=2)):
        units = units[:, None].expand(-1, len(images), -1).contiguous()
        for name, (method, layer) in methods.items():
            combined[name] += torch.einsum("kbc,cb...->kb...", weights, method.function(record, units, layer))
    rows = []
    for name, (method, layer) in methods.items():
        maps = method.function(record, cotangents, layer)
        rows += [
            {"method": name, "contrast": contrast, "gap": _relative_gap(first, last)}
            for contrast, first, last in zip(contrasts, maps, combined[name])
        ]
    return pd.DataFrame(rows)


def step_gaps(model: nn.Module, images: Tensor, contrasts: Sequence[str] = CONTRASTS) -> pd.DataFrame:
    """Proposition 3 at each step: the contrast of what all classes have at a layer, propagated from there.

    At each layer between the logits and the pixels, the gradients of all classes are combined to the
    contrast. That is compared with the contrast propagated from the logits: at the layer, and at the pixels
    after the rest of the way, if all of the gradient passes through that layer.

    Args:
        model: As in :func:`contrastlib.explain`. The class is the predicted one. Layers that run more than
            once, or do not return a tensor, are left out.
        images: Images (B, K, H, W).
        contrasts: Names of contrasts.

    Returns:
        One row for each contrast, with method (which has the number of layers), contrast, and gap, the
        largest one of all layers, each as in :func:`probability_gaps`.

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> found = step_gaps(net.double(), torch.rand(2, 3, 8, 8).double())
    >>> found["method"].iloc[0], bool(found["gap"].max() < 1e-10)
    ('gradient, formed at each of 4 layers', True)
    """
    steps, pixels, logits = _every_step(model, images)
    outputs = [*steps, pixels]

    def pulled_back(cotangent: Tensor) -> Sequence[Tensor]:
        return torch.autograd.grad(logits, outputs, cotangent, retain_graph=True)

    def onwards(output: Tensor, gradient: Tensor) -> Tensor:
        return torch.autograd.grad(output, pixels, gradient, retain_graph=True)[0]

    target = logits.argmax(dim=1)
    cotangents = [schemes.cotangent(name, logits.detach(), target) for name in contrasts]
    formed = [[torch.zeros_like(output) for output in outputs] for _ in contrasts]
    for s, unit in enumerate(torch.eye(logits.shape[1], dtype=logits.dtype, device=logits.device)):
        of_class = pulled_back(unit.expand_as(logits))
        for combined, w in zip(formed, cotangents):
            for whole, part in zip(combined, of_class):
                whole += w[:, s].view(-1, *[1] * (part.ndim - 1)) * part
    rows = []
    for contrast, combined, w in zip(contrasts, formed, cotangents):
        *direct, end = pulled_back(w)
        gaps = []
        for output, ours, theirs in zip(steps, combined, direct):
            gaps.append(_relative_gap(ours, theirs))
            if _relative_gap(onwards(output, theirs), end) < PASSES_ALL:
                gaps.append(_relative_gap(onwards(output, ours), end))
        method = f"gradient, formed at each of {len(steps)} layers"
        rows.append({"method": method, "contrast": contrast, "gap": max(gaps)})
    return pd.DataFrame(rows)


def _every_step(model: nn.Module, images: Tensor) -> tuple[list[Tensor], Tensor, Tensor]:
    """Outputs of the layers between pixels and logits, the pixels and the logits, with their graph."""
    layers = {name: module for name, module in model.named_modules() if not [*module.children()]}
    runs: Counter[str] = Counter()
    recorded: dict[str, Tensor] = {}
    with as_found(model), ExitStack() as counting:
        for name, module in layers.items():

            def count(module: nn.Module, inputs: tuple, output: object, name: str = name) -> None:
                runs[name] += isinstance(output, Tensor)

            counting.callback(module.register_forward_hook(count).remove)
        with torch.no_grad():
            model(images)
    once = {name: module for name, module in layers.items() if runs[name] == 1}
    with as_found(model), recording(once, recorded):
        pixels = images.detach().clone().requires_grad_()
        logits = model(pixels * 1)
    used = torch.autograd.grad(logits.sum(), [*recorded.values()], retain_graph=True, allow_unused=True)
    return [output for output, slope in zip(recorded.values(), used) if slope is not None], pixels, logits


def _examples(seed: int) -> tuple[Tensor, Tensor]:
    """Features (400, 5), and labels (400,) that depend on a linear function of the features and noise."""
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(400, 5, generator=generator, dtype=torch.float64)
    noise = torch.randn(400, generator=generator, dtype=torch.float64)
    return features, features @ torch.tensor([1.0, -2.0, 0.5, 0.0, 1.5], dtype=torch.float64) + noise > 0


def _trained(
    features: Tensor, labels: Tensor, outputs: int, rate: float, updates: int, decay: float = 0.0
) -> Tensor:
    """Weights (updates, outputs, features) after each update. Output 0 belongs to the label True."""
    w = torch.zeros(outputs, features.shape[1], dtype=features.dtype, requires_grad=True)
    found = []
    for _ in range(updates):
        y = features @ w.T
        if outputs == 1:
            loss = binary_cross_entropy_with_logits(y[:, 0], labels.to(y.dtype))
        else:
            loss = cross_entropy(y, (~labels).long())
        (gradient,) = torch.autograd.grad(loss, w)
        with torch.no_grad():
            w -= rate * (gradient + decay * w)
        found.append(w.detach().clone())
    return torch.stack(found)


def _recorded(
    model: nn.Module, images: Tensor
) -> tuple[ForwardPass, dict[str, tuple[Explainer, str]], Tensor]:
    """A forward pass, the linear methods with their layers, and the predicted classes."""
    layer = default_layer(model, images)
    methods = {
        name: (method, INPUT if method.space == "pixels" else layer)
        for name, method in select(needs="pass", linear=True).items()
    }
    record = forward(model, images, [INPUT, layer])
    return record, methods, record.logits.argmax(dim=1)


def _relative_gap(first: Tensor, second: Tensor) -> float:
    return ((first - second).abs().max() / second.abs().max()).item()
