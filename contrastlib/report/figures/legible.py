"""Sizes of the texts in a figure, so that they can be read on a page."""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.text import Text

from contrastlib.report.notebooks.compression import SHOWN

SMALLEST = 11
"""Height in pixels of the smallest text, as shown."""


def smallest_size(figure: Figure) -> float:
    """Smallest size of text, in points, with which it is ``SMALLEST`` pixels high as a page shows it.

    >>> round(smallest_size(Figure(figsize=(4, 3), dpi=72)), 1)
    11.0
    >>> round(smallest_size(Figure(figsize=(25.6, 3), dpi=72)), 1)  # shown at half its width
    22.0
    """
    width = float(figure.get_size_inches()[0] * figure.dpi)
    return SMALLEST * 72 / figure.dpi * max(1.0, width / SHOWN)


def legible(figure: Figure) -> Figure:
    """Enlarge the texts of a figure that would be too small on a page.

    Args:
        figure: The figure. It is changed.

    Returns:
        The same figure.

    >>> figure = Figure(figsize=(4, 3), dpi=72)
    >>> title = figure.subplots().set_title("small", fontsize=5)
    >>> legible(figure) is figure, title.get_fontsize()
    (True, 11.0)
    """
    smallest = smallest_size(figure)
    for ax in figure.axes:
        for axis in (ax.xaxis, ax.yaxis):
            sizes = [label.get_fontsize() for label in axis.get_ticklabels(which="both")]
            if sizes and min(sizes) < smallest:
                axis.set_tick_params(which="both", labelsize=smallest)
    for text in figure.findobj(Text):
        if text.get_text() and text.get_fontsize() < smallest:
            text.set_fontsize(smallest)
    return figure
