"""Figures and tables of the report's pages: one module for each page, and what several pages share.

- :mod:`~contrastlib.report.figures.shared`: used by several pages
- :mod:`~contrastlib.report.figures.masking`: of 04_masking
- :mod:`~contrastlib.report.figures.cost`: of 13_cost
"""

from contrastlib.report.figures import cost, masking
from contrastlib.report.figures.shared import (
    CONTRAST_ORDER,
    SHORT,
    answer,
    credits,
    intervals,
    left_out,
    maker,
    map_blocks,
    masking_table,
    perturbation_bars,
    published,
    three_classes,
)

__all__ = [
    "CONTRAST_ORDER", "SHORT", "answer", "cost", "credits", "intervals", "left_out", "maker", "map_blocks", "masking", "masking_table",
    "perturbation_bars", "published", "three_classes",
]  # fmt: skip
