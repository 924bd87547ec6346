"""Maps (B, H, W) of a target class by any method, and baselines that do not depend on the network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from contrastlib import explain
from contrastlib.evaluation.seeding import image_seed
from contrastlib.explainers.lrp import METHODS as RELEVANCE
from contrastlib.explainers.lrp import relevance_maps

PAPERS_OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "gradient": {"channels": "abs_max"},
    "guided_backpropagation": {"channels": "abs_max"},
    "lrp": {"score": "absolute"},
}
"""Method -> options of Gu et al. 2018.

Maps of the gradient and of guided back-propagation are the largest absolute value over the channels
(Simonyan et al. 2013), and LRP starts from abs(y_t), as in their code.
"""


def saliency(
    model: nn.Module,
    images: Tensor,
    target: Tensor,
    methods: Sequence[str],
    seed: int = 0,
    options: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict[str, Tensor]:
    """Maps of the target class by each method, in the order of ``methods``.

    Args:
        model: As in :func:`contrastlib.explain`.
        images: Images (B, K, H, W).
        target: Classes (B,), or N classes of each image (N, B).
        methods: Names of methods:

            - "lrp", "clrp1", "clrp1_coded", "clrp2", "sglrp" and "weighted_lrp" share one forward pass. Their
              maps are summed over channels.
            - Any other method of :func:`contrastlib.explain` is possible. The contrast is the original one
              unless it is named, as in "gradcam/weighted".
            - "centre" is a baseline that is 1 at the centre and 0 elsewhere.
            - "random" is a baseline of uniform numbers in [0, 1].
        seed: Seed of "random", which also depends on the image, but not on its batch.
        options: Name of a method without its contrast -> options of :func:`contrastlib.explain`, such as
            ``PAPERS_OPTIONS``. Of the relevance methods, only "lrp" has an option, ``score``.

    Returns:
        Method -> maps (B, H, W) or (N, B, H, W).

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    >>> methods = ["centre", "clrp2", "gradient/weighted"]
    >>> maps = saliency(net, torch.rand(2, 3, 8, 8), torch.tensor([0, 3]), methods)
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


def _map(
    model: nn.Module, images: Tensor, target: Tensor, method: str, seed: int, options: Mapping[str, Mapping]
) -> Tensor:
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
