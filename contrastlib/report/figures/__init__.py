"""Figures and tables of the report's pages.

- :mod:`~contrastlib.report.figures.shared`: what several pages use
- the other modules: what one page uses
"""

from contrastlib.report.figures import (
    correction_results,
    corrections,
    cost,
    dominance,
    fullgrad,
    input_space,
    lrp,
    lrp_maps,
    masking,
    theory,
    three_classes,
)
from contrastlib.report.figures.shared import (
    CONTRAST_ORDER,
    SHORT,
    answer,
    credits,
    finished,
    intervals,
    left_out,
    maker,
    map_blocks,
)

__all__ = [
    "CONTRAST_ORDER",
    "SHORT",
    "answer",
    "correction_results",
    "corrections",
    "cost",
    "credits",
    "dominance",
    "finished",
    "fullgrad",
    "input_space",
    "intervals",
    "left_out",
    "lrp",
    "lrp_maps",
    "maker",
    "map_blocks",
    "masking",
    "theory",
    "three_classes",
]  # fmt: skip
