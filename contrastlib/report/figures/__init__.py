"""Figures and tables of the report's pages: one module for each page, and what several pages share.

- :mod:`~contrastlib.report.figures.shared`: used by several pages
- :mod:`~contrastlib.report.figures.explore`: of 11_explore
- :mod:`~contrastlib.report.figures.maps`, :mod:`~contrastlib.report.figures.map_images`: of 03_maps
- :mod:`~contrastlib.report.figures.masking`: of 04_masking
"""

from contrastlib.report.figures import explore, map_images, maps, masking
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
    three_classes,
)

__all__ = [
    "CONTRAST_ORDER", "SHORT", "answer", "compact", "credits", "explore", "intervals", "left_out", "maker", "map_blocks", "map_images", "maps", "masking",
    "masking_table", "perturbation_bars", "published", "three_classes",
]  # fmt: skip
