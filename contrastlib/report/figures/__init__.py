"""Figures and tables of the report's pages: one module for each page, and what several pages share.

- :mod:`~contrastlib.report.figures.shared`: used by several pages
- :mod:`~contrastlib.report.figures.theory`: of 01_theory
- :mod:`~contrastlib.report.figures.input_space`: of 02_input_space
- :mod:`~contrastlib.report.figures.masking`: of 04_masking
"""

from contrastlib.report.figures import input_space, masking, theory
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
    with_palette,
)

__all__ = [
    "CONTRAST_ORDER", "SHORT", "answer", "credits", "input_space", "intervals", "left_out", "maker",
    "map_blocks", "masking", "masking_table", "perturbation_bars", "published", "theory", "three_classes",
    "with_palette",
]  # fmt: skip
