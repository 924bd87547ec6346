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
    lrp_maps,
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
    intervals,
    map_blocks,
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
    "intervals",
    "lrp",
    "lrp_maps",
    "map_blocks",
    "map_images",
    "maps",
    "masking",
    "theory",
    "three_classes",
    "transformers",
]  # fmt: skip
