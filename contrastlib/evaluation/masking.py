"""Keep what speaks for a class, or what speaks against it, and mask the rest.

Wang & Wang 2022, sec. 5.2.2 and Table 1; Eriksson et al. 2025, Tables 1 and 2. For the two most
probable classes t_1, t_2 of an image, the pixels that a map calls negative (or positive) are
replaced by a baseline, and the relative probability e^{y_ti} / (e^{y_t1} + e^{y_t2}) of the class
that the map explains is measured again. It is the papers' "p": the two rows of a class pair add
up to 1 before masking.
"""

from __future__ import annotations

from collections.abc import Sequence
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
COUNTINGS = ("sign", "coded", "described")
KEEP = ("positive", "negative")
FIRST = ("predicted", "label")
COLUMNS = ("method", "contrast", "rank", "counting", "kept", "masked", "image", "p_1", "p_2",
           "relative_probability_before", "baseline", "relative_probability")


def relative_probabilities(
    model: nn.Module,
    images: Tensor,
    labels: Tensor | None = None,
    methods: Sequence[str] = METHOD_NAMES,
    contrasts: Sequence[str] = ("original", "weighted"),
    baselines: Sequence[str] = BASELINES,
    countings: Sequence[str] = COUNTINGS,
    threshold: float = 0.1,
    above: bool = True,
    layer: str | None = None,
    align_corners: bool = True,
    first: str = "predicted",
    batch: int = 32,
    judge: nn.Module | None = None,
) -> pd.DataFrame:
    """Table 1 of both papers, image by image.

    Args:
        model: logits (B, C) from images in [0, 1]; normalisation happens inside.
        images: (B, channels, H, W) in [0, 1].
        labels: (B,) true classes, used with ``first="label"`` alone.
        methods: explainers of the activation space.
        contrasts: the schemes compared, by names that :func:`contrastlib.evaluation.precision.cotangent` knows.
            The counting rules that equalise do so among these.
        baselines: what takes the place of a masked pixel, see :func:`baseline`.
        countings: which pixels are masked, see :func:`masked_pixels`.
        threshold, above: only images whose second-highest probability is above the threshold, or
            not above it.
        layer: where the maps are made; the model's own layer or its last convolution when None.
        align_corners: of the upsampling; True in the published code.
        first: what t_1 is: "predicted", the most probable class, as in the published code, or "label", the true
            one. t_2 is the most probable of the others.
        batch: masked images in one forward pass.
        judge: another network for the same classes and images, whose probabilities are measured in
            place of the model's own: it never saw the map.

    Returns:
        One row for each image that passes the threshold, rank (1 or 2, whose map), method,
        contrast, baseline, counting and kept sign, with image (place in the batch), these, p_1, p_2,
        masked (share of pixels), relative_probability after and ``_before`` masking. Rows with
        method "blank" hold the relative probability of the baseline alone: an image of which all
        is masked. No row, but all columns, when no image passes.

    Raises:
        ValueError: unknown baseline, counting or ``first``; ``first="label"`` without labels.
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
    judge = judge or model
    logits = record.logits if judge is model else _judged(judge, images, record.logits.shape)
    fill = {name: baseline(name, model, images[chosen]) for name in baselines}
    tables = []
    for place, i in enumerate(chosen):
        full = upsample(maps[:, :, :, i], images.shape[-2:], align_corners)
        rows, masks = _masks(full, methods, contrasts, countings)
        # for every channel and in the layout of the image: choosing pixels is twice as fast
        masks = masks[:, None].expand(-1, images.shape[1], -1, -1).contiguous(memory_format=_layout(images[i]))
        before = _relative(logits[i : i + 1], classes[i])[0]
        rows = rows.assign(image=i, p_1=probabilities[i, 0].item(), p_2=probabilities[i, 1].item(),
                           relative_probability_before=before[rows["rank"].to_numpy() - 1].numpy())
        for name, filled in fill.items():
            after = _masked_predictions(judge, images[i], filled[place], masks, classes[i], batch)
            values = after[range(len(rows)), rows["rank"].to_numpy() - 1]
            tables.append(rows.assign(baseline=name, relative_probability=values.numpy()))
    return pd.concat(tables, ignore_index=True)


def advantages(table: pd.DataFrame, by: Sequence[str], **options) -> pd.DataFrame:
    """Mean differences of relative probabilities, weighted minus original, positive as the papers claim.

    They claim a higher one where positive pixels are kept and a lower one where negative ones are: there the
    difference and its interval are turned around.

    Args:
        table: from :func:`relative_probabilities`, or means of it over some of its columns.
        by: columns that make a setting, "kept" among them.
        options: of :func:`contrastlib.evaluation.statistics.paired_differences`, which says what is returned.

    >>> low, high = [{"image": 0, "group": 0, "kept": "negative", "contrast": c, "relative_probability": p}
    ...              for c, p in (("weighted", 0.25), ("original", 0.5))]
    >>> advantages(pd.DataFrame([low, high]), ["kept"], resamples=10)["mean"].item()
    0.25
    """
    found = statistics.paired_differences(table, "relative_probability", by, **options)
    turned = found["kept"] == "negative"
    found.loc[turned, ["mean", "low", "high"]] = -found.loc[turned, ["mean", "high", "low"]].to_numpy()
    return found


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


def masked_pixels(maps: Tensor, keep: str, counting: str) -> Tensor:
    """Which pixels to mask, (K, H, W) boolean, so that the kept sign of each of K maps remains.

    Args:
        maps: (K, H, W), the maps of one class under the K contrasts that are compared.
        keep: "positive" or "negative".
        counting: how many pixels go.
            "sign": those of the other sign, map by map (Wang & Wang 2022, as described).
            "coded": as in both papers' code: to keep positive pixels, the n lowest, n being the
            smallest number of *positive* pixels of the K maps; to keep negative ones, the n - 1
            highest, n being the largest number of *negative* pixels.
            "described": the n lowest (highest) with n the smallest number of pixels of the other
            sign, so that all maps lose equally many and none loses a pixel of the kept sign.

    Raises:
        ValueError: unknown keep or counting.

    >>> masked_pixels(torch.tensor([[[3., 2., 1., -1.]], [[1., -1., -2., -3.]]]), "positive", "described")
    tensor([[[False, False, False,  True]],
    <BLANKLINE>
            [[False, False, False,  True]]])
    """
    if keep not in KEEP or counting not in COUNTINGS:
        raise ValueError(f"keep must be one of {KEEP} and counting one of {COUNTINGS}, got {keep!r} and {counting!r}")
    against = maps if keep == "negative" else -maps  # positive where the pixel is to go
    if counting == "sign":
        return against > 0
    flat = against.flatten(1)
    kept_count, other_count = (flat < 0).sum(dim=1), (flat > 0).sum(dim=1)
    if counting == "described":
        count = int(other_count.min())
    else:
        count = int(kept_count.min() if keep == "positive" else kept_count.max() - 1)
    return _highest(flat, count).view_as(maps)


def _highest(values: Tensor, count: int) -> Tensor:
    """True at the ``count`` highest of each row, of equal ones at the first."""
    if count <= 0:
        return torch.zeros_like(values, dtype=torch.bool)
    last = values.kthvalue(values.shape[1] - count + 1, dim=1, keepdim=True).values  # much faster than sorting
    above, level = values > last, values == last
    return above | (level & (level.cumsum(dim=1) <= count - above.sum(dim=1, keepdim=True)))


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
    maps: Tensor, methods: Sequence[str], contrasts: Sequence[str], countings: Sequence[str]
) -> tuple[pd.DataFrame, Tensor]:
    """All masks (N, H, W) of an image from its maps (methods, contrasts, ranks, H, W), a row for each."""
    rows, masks = [], []
    for (m, method), rank, counting, keep in product(enumerate(methods), range(maps.shape[2]), countings, KEEP):
        for contrast, mask in zip(contrasts, masked_pixels(maps[m, :, rank], keep, counting)):
            rows.append({"method": method, "contrast": contrast, "rank": rank + 1, "counting": counting, "kept": keep})
            masks.append(mask)
    for rank in range(maps.shape[2]):
        rows.append({"method": "blank", "contrast": "none", "rank": rank + 1, "counting": "none", "kept": "none"})
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


def _judged(judge: nn.Module, images: Tensor, shape: torch.Size) -> Tensor:
    logits = predict(judge, images)
    if logits.shape != shape:
        raise ValueError(f"the judge gives {logits.shape[1]} logits, the model {shape[1]}: they must know the same classes")
    return logits


def _relative(logits: Tensor, classes: Tensor) -> Tensor:
    return logits[:, classes].double().softmax(dim=1).cpu()
