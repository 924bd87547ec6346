"""Figures and tables of the report's pages: one module for each page, and what several pages share.

- :mod:`~contrastlib.report.figures.shared`: used by several pages
- the others: of the notebook whose name they have
"""

from contrastlib.report.figures import fullgrad, masking, transformers
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
    "CONTRAST_ORDER", "SHORT", "answer", "credits", "fullgrad", "intervals", "left_out", "maker", "map_blocks", "masking", "masking_table",
    "perturbation_bars", "published", "three_classes", "transformers",
]  # fmt: skip
