"""Figures and tables of the report's pages: one module for each page, and what several pages share.

- :mod:`~contrastlib.report.figures.shared`: used by several pages
- :mod:`~contrastlib.report.figures.masking`: of 04_masking
- :mod:`~contrastlib.report.figures.lrp`, :mod:`~contrastlib.report.figures.lrp_conservation`,
  :mod:`~contrastlib.report.figures.lrp_maps`: of 10_lrp
"""

from contrastlib.report.figures import lrp, lrp_conservation, lrp_maps, masking
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
    "CONTRAST_ORDER", "SHORT", "answer", "credits", "intervals", "left_out", "lrp", "lrp_conservation", "lrp_maps", "maker", "map_blocks", "masking",
    "masking_table", "perturbation_bars", "published", "three_classes",
]  # fmt: skip
