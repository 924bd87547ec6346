"""How a figure is stored in a notebook: as SVG, or with twice the resolution if it shows pictures."""

from __future__ import annotations

import re

from IPython import get_ipython
from IPython.core.pylabtools import print_figure
from matplotlib.figure import Figure

from contrastlib.report.notebooks.compression import SHOWN

DENSITY = 2
"""Pixels of a picture for each pixel of a page."""
MOST = 2000
"""Number of points up to which a figure is stored as SVG."""
LARGEST = 50_000
"""Length up to which an SVG is stored."""
SIZE = re.compile(r'width="([\d.]+)pt" height="([\d.]+)pt"')
NEEDLESS = re.compile(r"(?s)<metadata>.*?</metadata>|<!--.*?-->|(?<=\n)\s+")
LONG = re.compile(r"(\d\.\d\d)\d+")
"""A number with more than two decimals, as coordinates have."""
PLACES = re.compile(r' (?:d|x|y|points)="[^"]*"|translate\([^)]*\)')


def is_drawing(figure: Figure) -> bool:
    """Whether a figure consists of lines, areas, text, and not too many points.

    >>> figure = Figure()
    >>> _ = figure.subplots().plot([0, 1])
    >>> is_drawing(figure)
    True
    >>> _ = figure.axes[0].imshow([[0, 1]])
    >>> is_drawing(figure)
    False
    """
    points = sum(len(group.get_offsets()) for ax in figure.axes for group in ax.collections)
    return points <= MOST and not any(ax.images for ax in figure.axes)


def svg(figure: Figure) -> str | None:
    """SVG of a drawing, in the size of its PNG; None for a figure with pictures, or if the SVG is large."""
    if not is_drawing(figure):
        return None
    drawn = NEEDLESS.sub("", print_figure(figure, "svg", metadata={"Date": None}))
    drawn = PLACES.sub(lambda match: LONG.sub(r"\1", match[0]), drawn)
    drawn = SIZE.sub(lambda size: _in_pixels(size, figure.dpi), drawn, count=1)
    return drawn if len(drawn) <= LARGEST else None


def png(figure: Figure) -> tuple[bytes, dict[str, int]] | None:
    """PNG of a figure that is not stored as SVG, and the size at which it is shown."""
    return dense(figure) if svg(figure) is None else None


def dense(figure: Figure) -> tuple[bytes, dict[str, int]]:
    """PNG with ``DENSITY`` pixels for each pixel of a page, and the size at which it is shown.

    Args:
        figure: The figure.

    Returns:
        The PNG; its width and height in pixels of a page. A figure wider than a page has fewer pixels.

    >>> figure = Figure(figsize=(4, 3), dpi=100)
    >>> _ = figure.subplots().imshow([[0, 1]])
    >>> data, shown = dense(figure)
    >>> abs(int.from_bytes(data[16:20], "big") - 2 * shown["width"]) <= 1
    True
    """
    width = figure.get_size_inches()[0] * figure.dpi
    density = DENSITY * min(1, SHOWN / width)
    data = print_figure(figure, "png", dpi=density * figure.dpi)
    pixels = (int.from_bytes(data[start : start + 4], "big") for start in (16, 20))  # in the header of a PNG
    return data, {name: round(n / density) for name, n in zip(("width", "height"), pixels)}


def use() -> None:
    """Store figures like this in the notebook that runs this code, if one does."""
    shell = get_ipython()
    if shell is None:
        return
    import matplotlib_inline.backend_inline  # noqa: F401  # sets formats of its own when it is imported

    formatters = shell.display_formatter.formatters
    formatters["image/svg+xml"].for_type(Figure, svg)
    formatters["image/png"].for_type(Figure, png)


def _in_pixels(size: re.Match, dpi: float) -> str:
    width, height = (float(points) / 72 * dpi for points in size.groups())
    return f'width="{width:.0f}" height="{height:.0f}"'
