"""Maps (B, H, W) of one target by any method, and the baselines that know nothing of the network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from contrastlib import explain
from contrastlib.evaluation.seeding import image_seed
from contrastlib.explainers.lrp import METHODS as RELEVANCE
from contrastlib.explainers.lrp import relevance_maps

BASELINES = ("centre", "random")
PAPERS_OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "gradient": {"channels": "abs_max"},
    "guided_backpropagation": {"channels": "abs_max"},
    "lrp": {"score": "absolute"},
}
"""method -> options, as Gu et al. 2018 read it: of the gradient and of guided back-propagation the greatest absolute
value over the channels (Simonyan et al. 2013), and LRP from abs(y_t), as in their code"""


def saliency(
    model: nn.Module, images: Tensor, target: Tensor, methods: Sequence[str], seed: int = 0,
    options: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict[str, Tensor]:
    """Maps (B, H, W) of the target by each method, in the order asked for.

    Args:
        target: (B,) class indices, or K of each image (K, B), which puts K in front of the maps.
        methods: "lrp", "clrp1", "clrp1_coded", "clrp2", "sglrp" and "weighted_lrp" (one forward pass for
            all of them, channels summed); any other of :func:`contrastlib.explain`; the baselines "centre"
            (1 there, 0 elsewhere) and "random" (uniform in [0, 1]). The contrast is the original one unless
            named, as in "gradcam/weighted".
        seed: of "random", which depends on the image too and not on its batch.
        options: method, without its contrast -> options of :func:`contrastlib.explain`, such as ``PAPERS_OPTIONS``;
            of the relevance methods only "lrp" has one, ``score``.

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> maps = saliency(net, torch.rand(2, 3, 8, 8), torch.tensor([0, 3]), ["centre", "clrp2", "gradient/weighted"])
    >>> [(name, tuple(m.shape)) for name, m in maps.items()]
    [('centre', (2, 8, 8)), ('clrp2', (2, 8, 8)), ('gradient/weighted', (2, 8, 8))]
    """
    options = options or {}
    family = [name for name in methods if name in RELEVANCE]
    maps = relevance_maps(model, images, target, family, **options.get("lrp", {})) if family else {}

    def of(name: str) -> Tensor:
        if name in maps:
            return maps[name].sum(dim=-3)
        each = [_map(model, images, one, name, seed, options) for one in target.view(-1, len(images))]
        return torch.stack(each).view(*target.shape, *each[0].shape[1:])

    return {name: of(name) for name in methods}


def _map(model: nn.Module, images: Tensor, target: Tensor, method: str, seed: int, options: Mapping[str, Mapping]) -> Tensor:
    if method == "centre":
        height, width = images.shape[-2:]
        centre = images.new_zeros(len(images), height, width)
        centre[:, height // 2, width // 2] = 1
        return centre
    if method == "random":
        return torch.stack([_noise(image, seed) for image in images])
    name, _, contrast = method.partition("/")
    return explain(model, images, target, name, contrast or "original", **options.get(name, {}))


def _noise(image: Tensor, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(image_seed(image, seed))
    return torch.rand(image.shape[-2:], generator=generator, dtype=image.dtype).to(image.device)
