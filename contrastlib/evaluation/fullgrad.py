"""FullGrad maps of the two most probable classes in numbers: their sign, their sum, and how alike they are.

Eriksson et al. 2025 (later version), Fig. 3; erratum 19: why that review saw nothing but negative maps.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import torch
from torch import Tensor, nn

from contrastlib import contrasts as schemes
from contrastlib.explainers.fullgrad import combine, terms

VARIANTS = ("identity", "input only", "positive", "rescaled", "absolute")


def describe(
    model: nn.Module, images: Tensor, labels: Tensor | None = None, contrasts: Sequence[str] = ("original", "weighted")
) -> pd.DataFrame:
    """FullGrad maps under each post-processing, of the classes t_1 and t_2 of each image.

    Args:
        model, images: as in :func:`contrastlib.explainers.fullgrad_terms.terms`.
        labels: not used; the classes are the predicted ones.
        contrasts: the schemes compared.

    Returns:
        One row for each image, variant and contrast, of the map of t_1: variant ("input only" leaves
        all bias terms out), contrast, negative (share of the map below 0), sum (map and constants
        together), score (<w, y>, which a complete map adds up to), similarity (cosine of the maps of
        t_1 and t_2) and p_2.
    """
    seen = {}

    def both_classes(logits: Tensor) -> Tensor:
        seen["logits"] = logits
        classes = logits.topk(2, dim=1).indices
        seen["cotangents"] = torch.stack([schemes.cotangent(c, logits, t) for c in contrasts for t in classes.T])
        return seen["cotangents"]

    parts = terms(model, images, both_classes)
    source = next(iter(parts))
    logits, scores = seen["logits"], (seen["cotangents"] * seen["logits"]).sum(dim=-1)
    second = logits.softmax(dim=1).topk(2, dim=1).values[:, 1]
    tables = []
    for variant in VARIANTS:
        chosen, psi = ({source: parts[source]}, "identity") if variant == "input only" else (parts, variant)
        phi = combine(chosen, images.shape[-2:], psi)
        flat = phi.map.flatten(2).unflatten(0, (len(contrasts), 2)).double()
        whole = (phi.map.sum(dim=(-2, -1)) + phi.constants).unflatten(0, (len(contrasts), 2))
        similarity = torch.cosine_similarity(flat[:, 0], flat[:, 1], dim=-1)
        for c, contrast in enumerate(contrasts):
            tables.append(pd.DataFrame({
                "image": range(len(images)), "variant": variant, "contrast": contrast,
                "negative": (flat[c, 0] < 0).double().mean(dim=-1).numpy(force=True),
                "sum": whole[c, 0].double().numpy(force=True),
                "score": scores[2 * c].double().numpy(force=True),
                "similarity": similarity[c].numpy(force=True),
                "p_2": second.double().numpy(force=True),
            }))
    return pd.concat(tables, ignore_index=True)
