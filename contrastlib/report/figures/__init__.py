"""Figures and tables of the report's pages: one module for each page, and what several pages share.

- :mod:`~contrastlib.report.figures.shared`: used by several pages
- :mod:`~contrastlib.report.figures.masking`: of 04_masking
- :mod:`~contrastlib.report.figures.corrections`, :mod:`~contrastlib.report.figures.correction_results`: of 05_corrections
- :mod:`~contrastlib.report.figures.cost`: of 13_cost
"""

from contrastlib.report.figures import correction_results, corrections, cost, masking
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
    "CONTRAST_ORDER", "SHORT", "answer", "correction_results", "corrections", "cost", "credits", "intervals", "left_out",
    "maker", "map_blocks", "masking", "masking_table", "perturbation_bars", "published", "three_classes",
]  # fmt: skip
