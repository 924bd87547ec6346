"""A forest plot of the effects of a claim by network, as SVG that follows the theme of the page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape

LABELS, PLOT, ROW, MARGIN = 160, 160, 21, 8
"""Widths of labels and plot, height of a row, and margin, in pixels."""
OVERALL = "mean of families"


def forest(
    effects: Mapping[str, float],
    intervals: Mapping[str, Sequence[float]],
    form: str,
    measure: str,
    overall: Sequence[float] = (),
    bound: float = 0.0,
    smallest: float | None = None,
) -> str:
    """Dots for effects and lines for their 95 % intervals, one row for each network, and their summary.

    A dashed line marks the bound, and a grey band the effects that do not matter.

    Args:
        effects: Title of a network -> its mean effect.
        intervals: Title of a network -> ends of its interval. Empty if there are none.
        form: Format of an effect.
        measure: What the effects measure, for the alternative text.
        overall: Mean over families and the ends of its interval, drawn as a diamond below several networks.
        bound: Bound of the criterion.
        smallest: Smallest effect of interest, whose band is around 0. None if it is the bound.

    Returns:
        The SVG. Its text is 12 pixels high.

    >>> picture = forest({"small VGG": 0.25}, {"small VGG": (0.125, 0.5)}, "+.2f", "gain", smallest=0.05)
    >>> picture.count("<circle"), picture.count("<rect"), 'aria-label="gain: small VGG +0.25"' in picture
    (1, 1, True)
    """
    summed = list(overall) if len(effects) > 1 else []
    band = [-smallest, smallest] if smallest else []
    spans = [end for ends in intervals.values() for end in ends]
    values = [bound, *band, *effects.values(), *spans, *summed]
    low, high = min(values), max(values)

    def x(value: float) -> float:
        return round(LABELS + MARGIN + (value - low) / ((high - low) or 1) * (PLOT - 2 * MARGIN), 1)

    rows = [*effects.items(), *([(OVERALL, summed[0])] if summed else [])]
    bottom = ROW * len(rows) + 4
    description = escape(f"{measure}: " + ", ".join(f"{name} {value:{form}}" for name, value in rows))
    size = f'viewBox="0 0 {LABELS + PLOT} {bottom + ROW + 2}" width="{LABELS + PLOT}"'
    parts = [f'<svg class="forest-plot" role="img" aria-label="{description}" {size}>']
    if band:
        width = round(x(band[1]) - x(band[0]), 1)
        parts.append(f'<rect x="{x(band[0])}" width="{width}" y="0" height="{bottom}"/>')
    parts.append(f'<line class="bound" x1="{x(bound)}" x2="{x(bound)}" y1="0" y2="{bottom}"/>')
    for row, (name, value) in enumerate(rows):
        y = ROW * row + ROW / 2
        shown = f"<title>{value:{form}}</title>"
        parts.append(f'<text x="0" y="{y + 4}">{escape(name)}</text>')
        if name == OVERALL:
            corners = f"{x(summed[1])},{y} {x(value)},{y - 6} {x(summed[2])},{y} {x(value)},{y + 6}"
            parts.append(f'<polygon points="{corners}">{shown}</polygon>')
            continue
        if name in intervals:
            ends = intervals[name]
            parts.append(f'<line x1="{x(ends[0])}" x2="{x(ends[1])}" y1="{y}" y2="{y}"/>')
        parts.append(f'<circle cx="{x(value)}" cy="{y}" r="4">{shown}</circle>')
    return "".join([*parts, *_ticks(low, bound, high, x, bottom + ROW - 3, form), "</svg>"])


def _ticks(
    low: float, bound: float, high: float, x: Callable[[float], float], y: float, form: str
) -> list[str]:
    """Labels of both ends, and of the bound if it is far from both."""
    position = (bound - low) / ((high - low) or 1)
    ends = dict.fromkeys([low, bound, high] if 0.35 < position < 0.65 else [low, high])
    anchors = {low: "start", high: "end"}
    return [
        f'<text x="{x(end)}" y="{y}" text-anchor="{anchors.get(end, "middle")}">{_tick(end, form)}</text>'
        for end in ends
    ]


def _tick(value: float, form: str) -> str:
    return "0" if value == 0 else f"{value:{form}}"
