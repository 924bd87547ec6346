"""Figures and tables of the pages of the report.

The module :mod:`~contrastlib.report.figures.shared` is used by several pages, and each other module by one
page.
"""

from contrastlib.report.figures import (
    correction_effects,
    correction_results,
    corrections,
    cost,
    dominance,
    explore,
    fullgrad,
    input_space,
    interventions,
    lrp,
    lrp_conservation,
    lrp_effects,
    lrp_entering,
    lrp_maps,
    lrp_shared,
    map_images,
    maps,
    masking,
    masking_shares,
    one_family,
    one_intervention,
    overwritten,
    theory,
    three_classes,
    transformers,
)
from contrastlib.report.figures.shared import (
    counts,
    credits,
    finished,
)

__all__ = [
    "correction_effects",
    "correction_results",
    "corrections",
    "cost",
    "counts",
    "credits",
    "dominance",
    "explore",
    "finished",
    "fullgrad",
    "input_space",
    "interventions",
    "lrp",
    "lrp_conservation",
    "lrp_effects",
    "lrp_entering",
    "lrp_maps",
    "lrp_shared",
    "map_images",
    "maps",
    "masking",
    "masking_shares",
    "one_family",
    "one_intervention",
    "overwritten",
    "theory",
    "three_classes",
    "transformers",
]  # fmt: skip
