"""Figures with controls, which a running kernel redraws and a page shows as an image."""

import asyncio
import base64
import io
from collections.abc import Callable
from html import escape
from typing import Any

import ipywidgets
import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from contrastlib.explorer.display import with_html
from contrastlib.report.figures.legible import legible
from contrastlib.report.figures.words import words

PAUSE = 0.15
"""Seconds without a change before the figure is redrawn."""


class Controls(ipywidgets.interactive):
    """A figure and the controls of the function that draws it.

    In a running notebook, a change of a control redraws the figure. Several changes in quick succession, or
    while the figure is drawn, cause one redrawing. An error is shown as a note. A page shows the figure with
    the first values, and a caption that names the controls.

    Args:
        draw: Function that returns a figure. The defaults of its parameters are the first values.
        alt: Alternative text of the figure. ``{name}`` is replaced by the value of a control.
        **choices: For each parameter a widget of ipywidgets, or an abbreviation of one: a list of values, a
            dictionary (label -> value), a tuple (lowest, highest, step), or a Boolean.

    Raises:
        ValueError: A parameter of ``draw`` has neither a choice nor a default.

    >>> def line(slope=1, style="dotted"):
    ...     figure, ax = plt.subplots()
    ...     ax.axline((0, 0), slope=slope, linestyle=style)
    ...     return figure
    >>> figure = Controls(line, "A {style} line of slope {slope}.", slope=(0, 4), style=["solid", "dotted"])
    >>> figure.alternative
    'A dotted line of slope 1.'
    >>> print(figure)
    A dotted line of slope 1. The controls (slope, style) redraw it where the notebook runs: make lab.
    """

    def __init__(self, draw: Callable[..., Figure], alt: str, /, **choices: Any) -> None:
        self._alt, self._waiting = alt, None
        self._picture = ipywidgets.HTML()
        self._note = ipywidgets.HTML(layout=ipywidgets.Layout(min_height="2em"))
        choices = {name: _in_words(choice) for name, choice in choices.items()}
        super().__init__(draw, **choices)  # creates and observes the widgets, and calls `update`
        for widget in self.kwargs_widgets:
            widget.style.description_width = "initial"
            widget.description = words(widget.description)
            if widget.has_trait("continuous_update"):
                widget.continuous_update = False
        row = ipywidgets.HBox(self.kwargs_widgets, layout=ipywidgets.Layout(flex_flow="row wrap"))
        self.children = [row, self._note, self._picture]

    @property
    def alternative(self) -> str:
        """Alternative text of the figure for the present values."""
        return self._alt.format(**{widget._kwarg: _label(widget) for widget in self.kwargs_widgets})

    def update(self, *changes: Any) -> None:
        """Draw the figure.

        After a change, the figure is drawn when no other change follows, and errors are shown as a note.
        """
        if not changes:
            self._draw()
            return
        self._note.value = "computing …"
        if self._waiting:
            self._waiting.cancel()
        try:
            self._waiting = asyncio.get_running_loop().call_later(PAUSE, self._draw_again)
        except RuntimeError:  # no kernel, so no other change can follow
            self._draw_again()

    def _draw(self) -> None:
        figure = self.f(**{widget._kwarg: widget.get_interact_value() for widget in self.kwargs_widgets})
        self._picture.value = (
            f'<img src="data:image/png;base64,{_png(figure)}" alt="{escape(self.alternative)}">'
        )

    def _draw_again(self) -> None:
        try:
            self._draw()
            self._note.value = ""
        except BaseException as error:  # noqa: BLE001  # includes an interrupt of the kernel
            self._note.value = f'<b role="alert">{escape(f"{type(error).__name__}: {error}")}</b>'

    def __str__(self) -> str:
        names = ", ".join(widget.description for widget in self.kwargs_widgets)
        return f"{self.alternative} The controls ({names}) redraw it where the notebook runs: make lab."

    def _repr_mimebundle_(self, **kwargs: Any) -> dict:
        caption = escape(str(self)).replace("make lab", "<code>make lab</code>")
        image = f'<figure class="controls">{self._picture.value}<figcaption>{caption}</figcaption></figure>'
        return with_html(super()._repr_mimebundle_(**kwargs) | {"text/plain": str(self)}, image)


def _in_words(choice: Any) -> Any:
    """A list of names as a dictionary from what a reader is shown to the name."""
    named = isinstance(choice, list) and all(isinstance(each, str) for each in choice)
    return {words(each): each for each in choice} if named else choice


def _label(widget: ipywidgets.Widget) -> str:
    """Displayed value of a control."""
    if isinstance(widget, ipywidgets.Checkbox):
        return "yes" if widget.value else "no"
    return str(widget.label if widget.has_trait("label") else widget.value)


def _png(figure: Figure) -> str:
    """PNG of a figure in base64, the same each time. The figure is closed."""
    buffer = io.BytesIO()
    legible(figure).savefig(buffer, format="png", bbox_inches="tight", metadata={"Software": None})
    plt.close(figure)
    return base64.b64encode(buffer.getvalue()).decode()
