"""Mask the pixels whose sign in a map is not kept, and measure the relative probability of the class.

For the two most probable classes t_1 and t_2 of an image, the negative (or positive) pixels of a map are
replaced by a baseline. The relative probability e^{y_ti} / (e^{y_t1} + e^{y_t2}) of the explained class is
measured before and after that. It is written "p" in the papers. Before masking, the relative probabilities of
the two classes sum to 1.

Source: Wang & Wang 2022, sec. 5.2.2 and Table 1; Eriksson et al. 2025, Tables 1 and 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import pandas as pd
import torch
from torch import Tensor, nn
from torchvision.transforms.functional import gaussian_blur

from contrastlib import contrasts as schemes
from contrastlib.autograd import ForwardPass, forward, logits_of, predict
from contrastlib.evaluation.precision import cotangent
from contrastlib.explainers import EXPLAINERS, upsample

METHOD_NAMES = ("linear_approximation", "gradcam", "xgradcam")
BASELINES = ("blur", "zeros", "black", "mean")
PAPERS_BASELINES = ("blur", "zeros", "mean")
MASK_RULES = ("by_sign", "equal_as_coded", "equal_as_described")
KEPT_SHARES = {"keep_10": 0.1, "keep_30": 0.3, "keep_50": 0.5}
"""Mask rule -> share of the pixels of each map that it keeps, whatever their sign."""
KEPT_SIGNS = ("positive", "negative")
FIRST = ("predicted", "label")
COLUMNS = (
    "method",
    "contrast",
    "rank",
    "mask_rule",
    "kept_sign",
    "masked",
    "image",
    "p_1",
    "p_2",
    "relative_probability_before",
    "baseline",
    "relative_probability",
)


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
        model: A network with logits (B, C) of images in [0, 1]. It normalises them itself.
        images: Images (B, K, H, W) in [0, 1].
        labels: True classes (B,), used with ``first="label"`` only.
        methods: Names of explainers of the activation space.
        contrasts: Names for :func:`contrastlib.evaluation.precision.cotangent`. The mask rules that equalise
            the number of masked pixels do so among these contrasts.
        baselines: Names of the values that replace masked pixels, see :func:`baseline`.
        mask_rules: Names of the rules that choose the masked pixels, see :func:`masked_pixels`.
        threshold: Threshold of the second-highest probability of an image.
        above: Whether images above the threshold are taken, or those that are not above it.
        layer: The name of the layer to explain. If None, it is the default layer of the network.
        align_corners: Option of the upsampling. It is True in the published code.
        first: The class t_1: "predicted" is the most probable class, as in the published code, and "label"
            the true class. The class t_2 is the most probable of the others.
        batch: Number of masked images in one forward pass.
        scoring_model: Another network with the same classes. If given, the probabilities are those of this
            network, and the maps are still those of ``model``.

    Returns:
        One row for each image that passes the threshold, rank (1 or 2, of the explained class), method,
        contrast, baseline, mask_rule and kept_sign. The other columns are image (index in the batch), p_1,
        p_2, masked (share of pixels), and relative_probability after masking and before it (``_before``).
        Rows with method "blank" have the relative probability of the baseline alone, when all pixels are
        masked. If no image passes, the table has all columns and no row.

    Raises:
        ValueError: The baseline, the mask rule or ``first`` is unknown, or ``first="label"`` without labels.
        IndexError: A label is none of the classes.

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> table = relative_probabilities(net, torch.rand(2, 3, 8, 8), methods=["gradcam"], threshold=0)
    >>> table["contrast"].unique().tolist(), table["relative_probability"].between(0, 1).all().item()
    (['original', 'weighted', 'none'], True)
    """
    if first not in FIRST or (first == "label" and labels is None):
        raise ValueError(f'first must be one of {FIRST}, and "label" needs labels; got {first!r}')
    record = forward(model, images, layer, once=True)
    probabilities, classes = record.logits.softmax(dim=1).topk(2, dim=1)
    if first == "label":
        rivals = schemes.maximum(record.logits, labels).argmin(dim=1)  # the class of weight -1
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
        # torch.where is twice as fast if the masks have all channels and the layout of the image
        masks = (
            masks[:, None].expand(-1, images.shape[1], -1, -1).contiguous(memory_format=_layout(images[i]))
        )
        before = _relative(logits[i : i + 1], classes[i])[0]
        rows = rows.assign(
            image=i,
            p_1=probabilities[i, 0].item(),
            p_2=probabilities[i, 1].item(),
            relative_probability_before=before[rows["rank"].to_numpy() - 1].numpy(),
        )
        for name, filled in fill.items():
            after = _masked_predictions(scoring_model, images[i], filled[index], masks, classes[i], batch)
            values = after[range(len(rows)), rows["rank"].to_numpy() - 1]
            tables.append(rows.assign(baseline=name, relative_probability=values.numpy()))
    return pd.concat(tables, ignore_index=True)


def explanations(
    record: ForwardPass, classes: Tensor, methods: Sequence[str], contrasts: Sequence[str]
) -> Tensor:
    """Maps of classes by several methods and contrasts, with one backward pass for each method.

    Args:
        record: A forward pass that recorded one layer.
        classes: Classes (B, N) to explain.
        methods: Names of explainers of the activation space.
        contrasts: Names of contrasts.

    Returns:
        Maps (methods, contrasts, N, B, h, w).

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> record = forward(net, torch.rand(2, 3, 8, 8), "0")
    >>> explanations(record, torch.tensor([[0, 1], [3, 2]]), ["gradcam"], ["original", "weighted"]).shape
    torch.Size([1, 2, 2, 2, 6, 6])
    """
    ranks = classes.shape[1]
    cotangents = torch.stack(
        [cotangent(c, record.logits, classes[:, rank]) for c in contrasts for rank in range(ranks)]
    )
    maps = torch.stack([EXPLAINERS[method].function(record, cotangents) for method in methods])
    return maps.unflatten(1, (len(contrasts), ranks))


def masked_pixels(maps: Tensor, kept_sign: str, mask_rule: str) -> Tensor:
    """Choose the pixels to mask so that the kept sign of each map remains.

    Args:
        maps: Maps (N, H, W) of one class under the N contrasts that are compared.
        kept_sign: "positive" or "negative".
        mask_rule: The rule for the number of masked pixels:

            - "by_sign" masks those of the other sign, map by map (as Wang & Wang 2022 describe it).
            - "equal_as_coded" follows the code of both papers. To keep positive pixels, it masks the n
              lowest, n being the smallest number of *positive* pixels of the N maps. To keep negative pixels,
              it masks the n - 1 highest, n being the largest number of *negative* pixels.
            - "equal_as_described" masks the n lowest (highest), n being the smallest number of pixels of the
              other sign. All maps then have the same number of masked pixels, and no pixel of the kept sign
              is masked.
            - "keep_10", "keep_30" and "keep_50" keep that percentage of the pixels, the highest ones to keep
              positive pixels and the lowest ones to keep negative pixels, and mask all others. Kept pixels
              have the other sign where a map has fewer of the kept sign.

    Returns:
        A boolean mask (N, H, W), True where a pixel is masked.

    Raises:
        ValueError: The kept sign or the mask rule is unknown.

    >>> maps = torch.tensor([[[3., 2., 1., -1.]], [[1., -1., -2., -3.]]])
    >>> masked_pixels(maps, "positive", "equal_as_described")
    tensor([[[False, False, False,  True]],
    <BLANKLINE>
            [[False, False, False,  True]]])
    """
    rules = (*MASK_RULES, *KEPT_SHARES)
    if kept_sign not in KEPT_SIGNS or mask_rule not in rules:
        raise ValueError(
            f"kept_sign must be one of {KEPT_SIGNS} and mask_rule one of {rules}, "
            f"got {kept_sign!r} and {mask_rule!r}"
        )
    against = maps if kept_sign == "negative" else -maps  # positive where the pixel may be masked
    if mask_rule == "by_sign":
        return against > 0
    flat = against.flatten(1)
    if mask_rule in KEPT_SHARES:
        return _highest(flat, flat.shape[1] - round(KEPT_SHARES[mask_rule] * flat.shape[1])).view_as(maps)
    kept_count, other_count = (flat < 0).sum(dim=1), (flat > 0).sum(dim=1)
    if mask_rule == "equal_as_described":
        count = int(other_count.min())
    else:
        count = int(kept_count.min() if kept_sign == "positive" else kept_count.max() - 1)
    return _highest(flat, count).view_as(maps)


def _highest(values: Tensor, count: int) -> Tensor:
    """True at the ``count`` highest values of each row. Among equal values, the first ones count."""
    if count <= 0:
        return torch.zeros_like(values, dtype=torch.bool)
    last = values.kthvalue(
        values.shape[1] - count + 1, dim=1, keepdim=True
    ).values  # much faster than sorting
    above, level = values > last, values == last
    return above | (level & (level.cumsum(dim=1) <= count - above.sum(dim=1, keepdim=True)))


def relative_after(
    model: nn.Module, image: Tensor, masks: Tensor, classes: Sequence[int], filling: str = "blur"
) -> Tensor:
    """Relative probabilities of classes for an image and masked versions of it.

    The relative probability of a class is its softmax among the given classes only.

    Args:
        model: A network with logits (B, C) of images in [0, 1].
        image: Image (1, K, H, W).
        masks: Boolean masks (N, H, W), True where a pixel is replaced by the baseline.
        classes: Indices of the classes.
        filling: Name of a :func:`baseline`.

    Returns:
        Relative probabilities (1 + N, classes). The first row is that of the unmasked image.

    >>> net = nn.Sequential(nn.Flatten(), nn.Linear(12, 3))
    >>> masks = torch.zeros(2, 2, 2, dtype=torch.bool)
    >>> relative = relative_after(net, torch.rand(1, 3, 2, 2), masks, [0, 2], filling="black")
    >>> relative.sum(dim=1).round(decimals=6)
    tensor([1., 1., 1.], dtype=torch.float64)
    """
    filled = torch.where(masks[:, None], baseline(filling, model, image), image)
    return predict(model, torch.cat([image, filled]))[:, list(classes)].double().softmax(dim=1)


def baseline(name: str, model: nn.Module, images: Tensor) -> Tensor:
    """Values (B, K, H, W) that replace masked pixels.

    Args:
        name: One of these names:

            - "blur" is a Gaussian blur. At a width of 224 pixels, sigma is 15 and the kernel 101 pixels. At
              other widths both are in proportion (Eriksson et al. 2025).
            - "zeros" is 0 after normalisation, that is, the mean colour that the network subtracts.
            - "black" is 0 before normalisation.
            - "mean" is the mean of each channel of the image.
        model: The network. Its ``normalise`` gives the mean colour of "zeros".
        images: Images (B, K, H, W) in [0, 1].

    Returns:
        The values (B, K, H, W).

    Raises:
        ValueError: The name is unknown.

    >>> baseline("mean", nn.Identity(), torch.tensor([[[[0.0, 1.0]]]]))
    tensor([[[[0.5000, 0.5000]]]])
    """
    if name == "blur":
        return papers_blur(images)
    if name == "zeros":
        normalise = getattr(model, "normalise", None)
        colour = normalise.mean if normalise is not None else torch.zeros(1, 1, 1, device=images.device)
        return colour.to(images).expand_as(images)
    if name == "black":
        return torch.zeros_like(images)
    if name == "mean":
        return images.mean(dim=(-2, -1), keepdim=True).expand_as(images)
    raise ValueError(f"unknown baseline {name!r}; choose one of {', '.join(BASELINES)}")


def papers_blur(images: Tensor, sigma: float = 15, kernel: float = 101) -> Tensor:
    """Gaussian blur whose size is in proportion to the width of the images (Eriksson et al. 2025).

    Args:
        images: Images (B, K, H, W).
        sigma: Standard deviation in pixels, at a width of 224 pixels.
        kernel: Size of the kernel in pixels, at that width. It is rounded to an odd number.

    Returns:
        Blurred images (B, K, H, W).

    >>> papers_blur(torch.ones(1, 3, 32, 32)).allclose(torch.ones(1, 3, 32, 32))
    True
    """
    width = images.shape[-1]
    return blur(images, sigma * width / 224, 2 * (int(kernel * width) // 448) + 1)


def blur(images: Tensor, sigma: float, kernel: int) -> Tensor:
    """Gaussian blur of images (B, K, H, W), along one axis after the other.

    It is 50 times as fast as a convolution with a kernel of 101 x 101 pixels.

    Args:
        images: Images (B, K, H, W).
        sigma: Standard deviation in pixels.
        kernel: Odd size of the kernel in pixels.

    Returns:
        Blurred images (B, K, H, W).

    >>> blur(torch.ones(1, 3, 9, 9), sigma=2.0, kernel=5).allclose(torch.ones(1, 3, 9, 9))
    True
    """
    return gaussian_blur(gaussian_blur(images, [kernel, 1], [sigma, sigma]), [1, kernel], [sigma, sigma])


def _masks(
    maps: Tensor, methods: Sequence[str], contrasts: Sequence[str], mask_rules: Sequence[str]
) -> tuple[pd.DataFrame, Tensor]:
    """All masks (N, H, W) of an image from its maps (methods, contrasts, ranks, H, W).

    The table has a row for each mask.
    """
    rows, masks = [], []
    ranks = range(maps.shape[2])
    for (m, method), rank, mask_rule, kept_sign in product(enumerate(methods), ranks, mask_rules, KEPT_SIGNS):
        for contrast, mask in zip(contrasts, masked_pixels(maps[m, :, rank], kept_sign, mask_rule)):
            rows.append(
                {
                    "method": method,
                    "contrast": contrast,
                    "rank": rank + 1,
                    "mask_rule": mask_rule,
                    "kept_sign": kept_sign,
                }
            )
            masks.append(mask)
    for rank in ranks:
        rows.append(
            {
                "method": "blank",
                "contrast": "none",
                "rank": rank + 1,
                "mask_rule": "none",
                "kept_sign": "none",
            }
        )
        masks.append(torch.ones_like(masks[0]))
    stacked = torch.stack(masks)
    return pd.DataFrame(rows).assign(masked=stacked.double().mean(dim=(-2, -1)).numpy(force=True)), stacked


def _masked_predictions(
    model: nn.Module, image: Tensor, fill: Tensor, masks: Tensor, classes: Tensor, batch: int
) -> Tensor:
    """Relative probabilities (N, 2) of the two classes for N masked versions of an image.

    The masks are (N, K, H, W).
    """
    masked = torch.empty_like(masks[:batch], dtype=image.dtype)  # one for all batches: allocation is slow
    parts = [
        logits_of(model, torch.where(part, fill, image, out=masked[: len(part)]))
        for part in masks.split(batch)
    ]
    return _relative(torch.cat(parts), classes)


def _layout(image: Tensor) -> torch.memory_format:
    return torch.channels_last if image.stride(0) == 1 else torch.contiguous_format


def _second_logits(scoring_model: nn.Module, images: Tensor, shape: torch.Size) -> Tensor:
    """Logits of the scoring model, which must have as many classes as the model."""
    logits = predict(scoring_model, images)
    if logits.shape != shape:
        raise ValueError(
            f"the scoring model gives {logits.shape[1]} logits, the model {shape[1]}: "
            "they must have the same classes"
        )
    return logits


def _relative(logits: Tensor, classes: Tensor) -> Tensor:
    return logits[:, classes].double().softmax(dim=1).cpu()
