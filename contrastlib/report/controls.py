"""Figures with controls: drawn again by the kernel where the notebook runs, a still on a page."""

import asyncio
import base64
import io
from collections.abc import Callable
from html import escape

import ipywidgets
import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from contrastlib.explorer.display import with_html

PAUSE = 0.15  # seconds without a change before the figure is drawn again


class Controls(ipywidgets.interactive):
    """A figure and the controls of the function that draws it.

    Live, a change draws the figure again: once for several changes in quick succession, and for those made while
    it is being drawn. An error is shown in place of the note "computing". A page shows the figure as it is
    displayed first, and says what the controls are.

    Args:
        draw: returns a figure; its parameters' defaults are the first values.
        alt: alternative text of the figure; ``{name}`` stands for the value of a control.
        choices: for each parameter a widget of ipywidgets, or what stands for one: a list of values, a
            dictionary (label -> value), a tuple (lowest, highest, step), a truth value.

    Raises:
        ValueError: a parameter of ``draw`` has neither a choice nor a default.

    >>> def line(slope=1, style="dotted"):
    ...     figure, ax = plt.subplots()
    ...     ax.axline((0, 0), slope=slope, linestyle=style)
    ...     return figure
    >>> figure = Controls(line, "A {style} line of slope {slope}.", slope=(0, 4), style=["solid", "dotted"])
    >>> figure.alternative
    'A dotted line of slope 1.'
    >>> print(figure)
    A still. The controls (slope: 1, style: dotted) redraw it where the notebook runs: make lab.
    """

    def __init__(self, draw: Callable[..., Figure], alt: str, /, **choices):
        self._alt, self._waiting = alt, None
        self._picture = ipywidgets.HTML()
        self._note = ipywidgets.HTML(layout=ipywidgets.Layout(min_height="2em"))
        super().__init__(draw, **choices)  # makes the widgets, observes them, and calls `update`
        for widget in self.kwargs_widgets:
            widget.style.description_width = "initial"
            if widget.has_trait("continuous_update"):
                widget.continuous_update = False
        row = ipywidgets.HBox(self.kwargs_widgets, layout=ipywidgets.Layout(flex_flow="row wrap"))
        self.children = [row, self._note, self._picture]

    @property
    def alternative(self) -> str:
        """The alternative text of the figure as it is now."""
        return self._alt.format(**{widget._kwarg: _label(widget) for widget in self.kwargs_widgets})

    def update(self, *changes) -> None:
        """Draw the figure; after a change, when no other one follows, and with errors as a note."""
        if not changes:
            self._draw()
            return
        self._note.value = "computing …"
        if self._waiting:
            self._waiting.cancel()
        try:
            self._waiting = asyncio.get_running_loop().call_later(PAUSE, self._draw_again)
        except RuntimeError:  # no kernel, so that nothing can follow
            self._draw_again()

    def _draw(self):
        figure = self.f(**{widget._kwarg: widget.get_interact_value() for widget in self.kwargs_widgets})
        self._picture.value = f'<img src="data:image/png;base64,{_png(figure)}" alt="{escape(self.alternative)}">'

    def _draw_again(self):
        try:
            self._draw()
            self._note.value = ""
        except BaseException as error:  # noqa: BLE001  # also when the reader interrupts the kernel
            self._note.value = f'<b role="alert">{escape(f"{type(error).__name__}: {error}")}</b>'

    def __str__(self):
        values = ", ".join(f"{widget.description}: {_label(widget)}" for widget in self.kwargs_widgets)
        return f"A still. The controls ({values}) redraw it where the notebook runs: make lab."

    def _repr_mimebundle_(self, **kwargs):
        caption = escape(str(self)).replace("make lab", "<code>make lab</code>")
        still = f'<figure class="controls">{self._picture.value}<figcaption>{caption}</figcaption></figure>'
        return with_html(super()._repr_mimebundle_(**kwargs) | {"text/plain": str(self)}, still)


def _label(widget: ipywidgets.Widget) -> str:
    """The value of a control as its reader sees it."""
    if isinstance(widget, ipywidgets.Checkbox):
        return "yes" if widget.value else "no"
    return str(widget.label if widget.has_trait("label") else widget.value)


def _png(figure: Figure) -> str:
    """A figure in base64, the same each time; it is closed."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", bbox_inches="tight", metadata={"Software": None})
    plt.close(figure)
    return base64.b64encode(buffer.getvalue()).decode()
