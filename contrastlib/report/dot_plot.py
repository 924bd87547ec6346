"""A small plot of effects by network, as SVG that follows the theme of the page."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

LABELS, PLOT, ROW, MARGIN = 140, 160, 21, 8
"""Widths of labels and plot, height of a row, and margin, in pixels."""


def dot_plot(
    effects: Mapping[str, float], spans: Mapping[str, tuple[float, float]], form: str, measure: str
) -> str:
    """Dots for effects and lines for their intervals, one row for each network, with a line at 0.

    Args:
        effects: Name of a network -> its mean effect.
        spans: Name of a network -> lowest and highest end of the intervals of its cells. Empty if there are
            none.
        form: Format of an effect.
        measure: What the effects measure, for the alternative text.

    Returns:
        The SVG. Its text is 12 pixels high.

    >>> picture = dot_plot({"small VGG": 0.25}, {"small VGG": (0.125, 0.5)}, "+.2f", "gain")
    >>> picture.count("<circle"), 'aria-label="gain: small VGG +0.25"' in picture
    (1, True)
    """
    values = [0.0, *effects.values(), *(end for ends in spans.values() for end in ends)]
    low, high = min(values), max(values)

    def x(value: float) -> float:
        return round(LABELS + MARGIN + (value - low) / ((high - low) or 1) * (PLOT - 2 * MARGIN), 1)

    width, height = LABELS + PLOT, ROW * (len(effects) + 1) + 6
    said = escape(f"{measure}: " + ", ".join(f"{name} {value:{form}}" for name, value in effects.items()))
    bottom = ROW * len(effects) + 4
    size = f'viewBox="0 0 {width} {height}" width="{width}"'
    parts = [
        f'<svg class="dot-plot" role="img" aria-label="{said}" {size}>',
        f'<line class="zero" x1="{x(0)}" x2="{x(0)}" y1="0" y2="{bottom}"/>',
    ]
    for row, (name, value) in enumerate(effects.items()):
        y = ROW * row + ROW / 2
        parts.append(f'<text x="0" y="{y + 4}">{escape(name)}</text>')
        if name in spans:
            parts.append(f'<line x1="{x(spans[name][0])}" x2="{x(spans[name][1])}" y1="{y}" y2="{y}"/>')
        parts.append(f'<circle cx="{x(value)}" cy="{y}" r="4"><title>{value:{form}}</title></circle>')
    ends = dict.fromkeys([low, 0.0, high]) if 0.25 < -low / ((high - low) or 1) < 0.75 else [low, high]
    for end in ends:
        anchor = "start" if end == low else "end" if end == high else "middle"
        parts.append(f'<text x="{x(end)}" y="{height - 5}" text-anchor="{anchor}">{_tick(end, form)}</text>')
    return "".join([*parts, "</svg>"])


def _tick(value: float, form: str) -> str:
    return "0" if value == 0 else f"{value:{form}}"
