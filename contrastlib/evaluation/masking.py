"""Keep what speaks for a class, or what speaks against it, and mask the rest.

Wang & Wang 2022, sec. 5.2.2 and Table 1; Eriksson et al. 2025, Tables 1 and 2. For the two most
probable classes t_1, t_2 of an image, the pixels that a map calls negative (or positive) are
replaced by a baseline, and the relative probability e^{y_ti} / (e^{y_t1} + e^{y_t2}) of the class
that the map explains is measured again. It is the papers' "p": the two rows of a class pair add
up to 1 before masking.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

import pandas as pd
import torch
from torch import Tensor, nn
from torchvision.transforms.functional import gaussian_blur

from contrastlib import contrasts as schemes
from contrastlib.autograd import ForwardPass, default_layer, forward, logits_of, predict
from contrastlib.evaluation import statistics
from contrastlib.evaluation.precision import cotangent
from contrastlib.explainers import EXPLAINERS, upsample

METHOD_NAMES = ("linear_approximation", "gradcam", "xgradcam")
BASELINES = ("blur", "zeros", "black", "mean")
PAPERS_BASELINES = ("blur", "zeros", "mean")
MASK_RULES = ("by_sign", "equal_as_coded", "equal_as_described")
KEPT_SIGNS = ("positive", "negative")
FIRST = ("predicted", "label")
COLUMNS = ("method", "contrast", "rank", "mask_rule", "kept_sign", "masked", "image", "p_1", "p_2",
           "relative_probability_before", "baseline", "relative_probability")


def relative_probabilities(
    model: nn.Module,
    images: Tensor,
    labels: Tensor | None = None,
    methods: Sequence[str] = METHOD_NAMES,
    contrasts: Sequence[str] = ("original", "weighted"),
    baselines: Sequence[str] = BASELINES,
    mask_rules: Sequence[str] = MASK_RULES,
    threshold: float = 0.1,
    above: bool = True,
    layer: str | None = None,
    align_corners: bool = True,
    first: str = "predicted",
    batch: int = 32,
    scoring_model: nn.Module | None = None,
) -> pd.DataFrame:
    """Table 1 of both papers, image by image.

    Args:
        model: logits (B, C) from images in [0, 1]; normalisation happens inside.
        images: (B, channels, H, W) in [0, 1].
        labels: (B,) true classes, used with ``first="label"`` alone.
        methods: explainers of the activation space.
        contrasts: the schemes compared, by names that :func:`contrastlib.evaluation.precision.cotangent` knows.
            The mask rules that equalise do so among these.
        baselines: what takes the place of a masked pixel, see :func:`baseline`.
        mask_rules: which pixels are masked, see :func:`masked_pixels`.
        threshold, above: only images whose second-highest probability is above the threshold, or
            not above it.
        layer: where the maps are made; the model's own layer or its last convolution when None.
        align_corners: of the upsampling; True in the published code.
        first: what t_1 is: "predicted", the most probable class, as in the published code, or "label", the true
            one. t_2 is the most probable of the others.
        batch: masked images in one forward pass.
        scoring_model: another network for the same classes and images, whose probabilities are measured
            instead of the model's own. The maps are not computed from it.

    Returns:
        One row for each image that passes the threshold, rank (1 or 2, whose map), method,
        contrast, baseline, mask_rule and kept_sign, with image (index in the batch), these, p_1, p_2,
        masked (share of pixels), relative_probability after and ``_before`` masking. Rows with
        method "blank" hold the relative probability of the baseline alone: an image of which all
        is masked. No row, but all columns, when no image passes.

    Raises:
        ValueError: unknown baseline, mask rule or ``first``; ``first="label"`` without labels.
        IndexError: a label that is none of the classes.
    """
    if first not in FIRST or (first == "label" and labels is None):
        raise ValueError(f'first must be one of {FIRST}, and "label" needs labels; got {first!r}')
    layer = layer or default_layer(model)
    record = forward(model, images, layer, once=True)
    probabilities, classes = record.logits.softmax(dim=1).topk(2, dim=1)
    if first == "label":
        rivals = schemes.maximum(record.logits, labels).argmin(dim=1)  # where it is -1
        classes = torch.stack([labels, rivals], dim=1)
    chosen = ((probabilities[:, 1] > threshold) == above).nonzero().flatten().tolist()
    if not chosen:
        return pd.DataFrame(columns=COLUMNS)
    maps = explanations(record, classes, methods, contrasts)
    scoring_model = scoring_model or model
    own = scoring_model is model
    logits = record.logits if own else _second_logits(scoring_model, images, record.logits.shape)
    fill = {name: baseline(name, model, images[chosen]) for name in baselines}
    tables = []
    for index, i in enumerate(chosen):
        full = upsample(maps[:, :, :, i], images.shape[-2:], align_corners)
        rows, masks = _masks(full, methods, contrasts, mask_rules)
        # for every channel and in the layout of the image: choosing pixels is twice as fast
        masks = masks[:, None].expand(-1, images.shape[1], -1, -1).contiguous(memory_format=_layout(images[i]))
        before = _relative(logits[i : i + 1], classes[i])[0]
        rows = rows.assign(image=i, p_1=probabilities[i, 0].item(), p_2=probabilities[i, 1].item(),
                           relative_probability_before=before[rows["rank"].to_numpy() - 1].numpy())
        for name, filled in fill.items():
            after = _masked_predictions(scoring_model, images[i], filled[index], masks, classes[i], batch)
            values = after[range(len(rows)), rows["rank"].to_numpy() - 1]
            tables.append(rows.assign(baseline=name, relative_probability=values.numpy()))
    return pd.concat(tables, ignore_index=True)


def advantages(table: pd.DataFrame, by: Sequence[str], **options) -> pd.DataFrame:
    """Mean differences of relative probabilities, weighted minus original, positive as the papers claim.

    They claim a higher one where positive pixels are kept and a lower one where negative ones are: there the
    difference and its interval are turned around.

    Args:
        table: from :func:`relative_probabilities`, or means of it over some of its columns.
        by: columns that make a setting, "kept_sign" among them.
        options: of :func:`contrastlib.evaluation.statistics.paired_differences`, which says what is returned.

    >>> low, high = [{"image": 0, "group": 0, "kept_sign": "negative", "contrast": c, "relative_probability": p}
    ...              for c, p in (("weighted", 0.25), ("original", 0.5))]
    >>> advantages(pd.DataFrame([low, high]), ["kept_sign"], resamples=10)["mean"].item()
    0.25
    """
    found = statistics.paired_differences(table, "relative_probability", by, **options)
    turned = found["kept_sign"] == "negative"
    found.loc[turned, ["mean", "low", "high"]] = -found.loc[turned, ["mean", "high", "low"]].to_numpy()
    return found


def mean_advantages(table: pd.DataFrame, method: str = "gradcam", **options) -> pd.DataFrame:
    """:func:`advantages` of one method, for the mean over the papers' three baselines, and the masked shares.

    Returns:
        A row for each network, rank, kept sign and mask rule, with the columns of :func:`advantages` and
        masked_original and masked_weighted, the mean share of pixels that each map masks.
    """
    by = ["network", "rank", "kept_sign", "mask_rule"]
    part = table[(table["method"] == method) & table["baseline"].isin(PAPERS_BASELINES)]
    values = part.groupby([*by, "contrast", "group", "image"], sort=False)[["relative_probability", "masked"]].mean().reset_index()
    shares = values.pivot_table(index=by, columns="contrast", values="masked", sort=False).add_prefix("masked_").reset_index()
    return advantages(values, by, **options).merge(shares)


def advantage_left(table: pd.DataFrame, rule: str, **options) -> pd.DataFrame:
    """The advantage of weighted maps that is left under a mask rule, as a share of that under ``by_sign``.

    Args:
        table: from :func:`relative_probabilities`, of several networks.
        rule: "equal_as_coded" or "equal_as_described".
        options: of :func:`mean_advantages`.

    Returns:
        A row for each kept sign and network, with ``mean``, the ratio of the two mean advantages over the class ranks.
    """
    mean = mean_advantages(table, **options).groupby(["kept_sign", "network", "mask_rule"], sort=False)["mean"].mean().unstack("mask_rule")
    return (mean[rule] / mean["by_sign"]).rename("mean").reset_index()


def method_advantages(
    table: pd.DataFrame, method: str, others: Sequence[str], contrast: str = "weighted",
    unless: Mapping[str, object] | None = None, **options,
) -> pd.DataFrame:
    """Mean differences of relative probabilities between a method and each of others, positive where it is ahead.

    Args:
        table: from :func:`relative_probabilities`, of several networks.
        method, others: of explainers.
        contrast: of both maps.
        unless: column -> value; rows that have all of these do not count.
        options: of :func:`contrastlib.evaluation.statistics.paired_differences`.

    Returns:
        A row for each cell and other method. Networks in which the method gives the same map as another are left out; no
        row where that is so in all of them.
    """
    by = ["network", "rank", "baseline", "kept_sign"]
    apart = statistics.distinct_methods(table, "relative_probability", [*by[1:], "mask_rule", "contrast", "image"])
    part = table[(table["contrast"] == contrast) & table["network"].isin(apart.loc[apart["method"] == method, "network"])]
    for_all = pd.Series(bool(unless), index=part.index)
    for column, value in (unless or {}).items():
        for_all &= part[column] == value
    part = part[~for_all]
    if part.empty:
        return pd.DataFrame(columns=[*by, "mean", "low", "high", "images", "groups"])
    return pd.concat([advantages(part, by, between="method", first=method, second=other, **options) for other in others])


def explanations(
    record: ForwardPass, classes: Tensor, methods: Sequence[str], contrasts: Sequence[str]
) -> Tensor:
    """Maps (methods, contrasts, ranks, B, h, w) of the classes (B, ranks), one backward pass for all."""
    ranks = classes.shape[1]
    cotangents = torch.stack(
        [cotangent(c, record.logits, classes[:, rank]) for c in contrasts for rank in range(ranks)]
    )
    maps = torch.stack([EXPLAINERS[method].function(record, cotangents) for method in methods])
    return maps.unflatten(1, (len(contrasts), ranks))


def masked_pixels(maps: Tensor, kept_sign: str, mask_rule: str) -> Tensor:
    """Which pixels to mask, (K, H, W) boolean, so that the kept sign of each of K maps remains.

    Args:
        maps: (K, H, W), the maps of one class under the K contrasts that are compared.
        kept_sign: "positive" or "negative".
        mask_rule: how many pixels are masked.
            "by_sign": those of the other sign, map by map (Wang & Wang 2022, as described).
            "equal_as_coded": as in both papers' code: to keep positive pixels, the n lowest, n being the
            smallest number of *positive* pixels of the K maps; to keep negative ones, the n - 1
            highest, n being the largest number of *negative* pixels.
            "equal_as_described": the n lowest (highest) with n the smallest number of pixels of the other
            sign, so that all maps lose equally many and none loses a pixel of the kept sign.

    Raises:
        ValueError: unknown kept sign or mask rule.

    >>> masked_pixels(torch.tensor([[[3., 2., 1., -1.]], [[1., -1., -2., -3.]]]), "positive", "equal_as_described")
    tensor([[[False, False, False,  True]],
    <BLANKLINE>
            [[False, False, False,  True]]])
    """
    if kept_sign not in KEPT_SIGNS or mask_rule not in MASK_RULES:
        raise ValueError(
            f"kept_sign must be one of {KEPT_SIGNS} and mask_rule one of {MASK_RULES}, "
            f"got {kept_sign!r} and {mask_rule!r}"
        )
    against = maps if kept_sign == "negative" else -maps  # positive where the pixel is to go
    if mask_rule == "by_sign":
        return against > 0
    flat = against.flatten(1)
    kept_count, other_count = (flat < 0).sum(dim=1), (flat > 0).sum(dim=1)
    if mask_rule == "equal_as_described":
        count = int(other_count.min())
    else:
        count = int(kept_count.min() if kept_sign == "positive" else kept_count.max() - 1)
    return _highest(flat, count).view_as(maps)


def _highest(values: Tensor, count: int) -> Tensor:
    """True at the ``count`` highest of each row, of equal ones at the first."""
    if count <= 0:
        return torch.zeros_like(values, dtype=torch.bool)
    last = values.kthvalue(values.shape[1] - count + 1, dim=1, keepdim=True).values  # much faster than sorting
    above, level = values > last, values == last
    return above | (level & (level.cumsum(dim=1) <= count - above.sum(dim=1, keepdim=True)))


def relative_after(
    model: nn.Module, image: Tensor, masks: Tensor, classes: Sequence[int], filling: str = "blur"
) -> Tensor:
    """Relative probabilities of classes for masked versions of one image, (1 + K, classes); the first is unmasked.

    The relative probability of a class is its softmax among the given classes alone.

    Args:
        model: logits (B, C) from images in [0, 1].
        image: (1, channels, H, W).
        masks: (K, H, W), true where the baseline stands in the place of the pixel.
        classes: indices.
        filling: name of a :func:`baseline`.
    """
    filled = torch.where(masks[:, None], baseline(filling, model, image), image)
    return predict(model, torch.cat([image, filled]))[:, list(classes)].double().softmax(dim=1)


def baseline(name: str, model: nn.Module, images: Tensor) -> Tensor:
    """What stands where pixels are masked, (B, channels, H, W).

    "blur": Gaussian blur, sigma 15 and kernel 101 pixels at a width of 224, in proportion at
    others (Eriksson et al. 2025). "zeros": 0 after normalisation, which is the mean colour that the
    network subtracts. "black": 0 before it. "mean": each image's own mean of each channel.

    Raises:
        ValueError: unknown name.
    """
    if name == "blur":
        width = images.shape[-1]
        kernel = 2 * (101 * width // 448) + 1
        return blur(images, 15 * width / 224, kernel)
    if name == "zeros":
        normalise = getattr(model, "normalise", None)
        colour = normalise.mean if normalise is not None else torch.zeros(1, 1, 1, device=images.device)
        return colour.to(images).expand_as(images)
    if name == "black":
        return torch.zeros_like(images)
    if name == "mean":
        return images.mean(dim=(-2, -1), keepdim=True).expand_as(images)
    raise ValueError(f"unknown baseline {name!r}; choose one of {', '.join(BASELINES)}")


def blur(images: Tensor, sigma: float, kernel: int) -> Tensor:
    """Gaussian blur of (B, channels, H, W), one axis after the other: 50 times faster than a 101 x 101 kernel.

    >>> blur(torch.ones(1, 3, 9, 9), sigma=2.0, kernel=5).allclose(torch.ones(1, 3, 9, 9))
    True
    """
    return gaussian_blur(gaussian_blur(images, [kernel, 1], [sigma, sigma]), [1, kernel], [sigma, sigma])


def _masks(
    maps: Tensor, methods: Sequence[str], contrasts: Sequence[str], mask_rules: Sequence[str]
) -> tuple[pd.DataFrame, Tensor]:
    """All masks (N, H, W) of an image from its maps (methods, contrasts, ranks, H, W), a row for each."""
    rows, masks = [], []
    ranks = range(maps.shape[2])
    for (m, method), rank, mask_rule, kept_sign in product(enumerate(methods), ranks, mask_rules, KEPT_SIGNS):
        for contrast, mask in zip(contrasts, masked_pixels(maps[m, :, rank], kept_sign, mask_rule)):
            rows.append({"method": method, "contrast": contrast, "rank": rank + 1,
                         "mask_rule": mask_rule, "kept_sign": kept_sign})
            masks.append(mask)
    for rank in ranks:
        rows.append({"method": "blank", "contrast": "none", "rank": rank + 1, "mask_rule": "none", "kept_sign": "none"})
        masks.append(torch.ones_like(masks[0]))
    stacked = torch.stack(masks)
    return pd.DataFrame(rows).assign(masked=stacked.double().mean(dim=(-2, -1)).numpy(force=True)), stacked


def _masked_predictions(
    model: nn.Module, image: Tensor, fill: Tensor, masks: Tensor, classes: Tensor, batch: int
) -> Tensor:
    """Relative probabilities (N, 2) of the two classes for N masked versions of an image; masks (N, channels, H, W)."""
    masked = torch.empty_like(masks[:batch], dtype=image.dtype)  # one for all batches: asking for memory costs time
    parts = [logits_of(model, torch.where(part, fill, image, out=masked[: len(part)])) for part in masks.split(batch)]
    return _relative(torch.cat(parts), classes)


def _layout(image: Tensor) -> torch.memory_format:
    return torch.channels_last if image.stride(0) == 1 else torch.contiguous_format


def _second_logits(scoring_model: nn.Module, images: Tensor, shape: torch.Size) -> Tensor:
    """Logits of the scoring model, which must have as many classes as the model."""
    logits = predict(scoring_model, images)
    if logits.shape != shape:
        raise ValueError(
            f"the scoring model gives {logits.shape[1]} logits, the model {shape[1]}: they must know the same classes"
        )
    return logits


def _relative(logits: Tensor, classes: Tensor) -> Tensor:
    return logits[:, classes].double().softmax(dim=1).cpu()
