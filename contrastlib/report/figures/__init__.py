"""Figures and tables of the report's pages.

- :mod:`~contrastlib.report.figures.shared`: what several pages use
- the other modules: what one page uses
"""

from contrastlib.report.figures import (
    correction_results,
    corrections,
    cost,
    dominance,
    explore,
    fullgrad,
    input_space,
    lrp,
    lrp_conservation,
    lrp_maps,
    lrp_shared,
    map_images,
    maps,
    masking,
    theory,
    three_classes,
    transformers,
)
from contrastlib.report.figures.shared import (
    credits,
    finished,
)

__all__ = [
    "correction_results",
    "corrections",
    "cost",
    "credits",
    "dominance",
    "explore",
    "finished",
    "fullgrad",
    "input_space",
    "lrp",
    "lrp_conservation",
    "lrp_maps",
    "lrp_shared",
    "map_images",
    "maps",
    "masking",
    "theory",
    "three_classes",
    "transformers",
]  # fmt: skip
