"""Figures and tables of the report's pages: one module for each page, and what several pages share.

- :mod:`~contrastlib.report.figures.shared`: used by several pages
- :mod:`~contrastlib.report.figures.masking`: of 04_masking
- :mod:`~contrastlib.report.figures.three_classes`: of 06_three_classes
- :mod:`~contrastlib.report.figures.dominance`: of 07_dominance
"""

from contrastlib.report.figures import dominance, masking, three_classes
from contrastlib.report.figures.shared import (
    CONTRAST_ORDER,
    SHORT,
    answer,
    compact,
    credits,
    intervals,
    left_out,
    maker,
    map_blocks,
    masking_table,
    perturbation_bars,
    published,
)

__all__ = [
    "CONTRAST_ORDER", "SHORT", "answer", "compact", "credits", "dominance", "intervals", "left_out", "maker", "map_blocks", "masking", "masking_table",
    "perturbation_bars", "published", "three_classes",
]  # fmt: skip
