r"""Captions of the figures in notebooks.

A figure has its number and its caption in the last paragraph of the text before it, such as
``<a id="figure-3-1"></a>**Figure 3.1.** Drawn birds.`` A reader of the notebook sees them, and links to
``#figure-3-1`` lead there. In the book the figure itself has caption and target. Figures are numbered within
each notebook. The caption of a figure with controls stands before what that figure says of itself, and is
plain text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import escape

FURTHER = {"source": "# a further output of the cell above", "metadata": {"tags": ["remove-input"]}}
"""What makes a cell one of which the book shows the outputs only. MyST-NB leaves out cells without source."""
CONTROLS = '<figure class="controls">'
"""The beginning of a figure with controls, see :class:`contrastlib.report.figures.controls.Controls`."""
MARK = re.compile(
    r'(?:\A|\n\n)<a id="(?P<name>figure-[\d-]+)"></a>\*\*Figure (?P<number>[\d.]+)\.\*\* (?P<text>[^\n]+)\Z'
)


@dataclass(frozen=True)
class Caption:
    """The caption of a figure.

    Attributes:
        name: Target of links to the figure, such as "figure-3-1".
        number: Its number, such as "3.1".
        text: What stands below the figure.
    """

    name: str
    number: str
    text: str

    def before(self, html: str) -> str:
        """HTML of a figure with controls, which gets this caption before its own.

        >>> Caption("figure-3-1", "3.1", "Zebras.").before("<figcaption>All.")
        '<figcaption><span class="caption-number">Figure 3.1.</span> Zebras. All.'
        """
        says = f'<figcaption><span class="caption-number">Figure {self.number}.</span> {escape(self.text)} '
        return html.replace("<figcaption>", says, 1)

    def at(self, n: int) -> dict:
        """Options of MyST-NB for the n-th image of a cell, counted from 0. Links lead to the first."""
        says = f"[Figure {self.number}.]{{.caption-number}} {self.text}"
        return {"caption": says} | ({} if n else {"name": self.name})


def captions(cells: Iterable[dict]) -> dict[str, Caption]:
    """Identifier of a cell with a figure -> its caption, in the order of a notebook.

    >>> text = {"cell_type": "markdown", "source": '<a id="figure-3-1"></a>**Figure 3.1.** Growth.'}
    >>> captions([text, {"cell_type": "code", "id": "curves"}])
    {'curves': Caption(name='figure-3-1', number='3.1', text='Growth.')}
    """
    found, waiting = {}, None
    for cell in cells:
        if cell["cell_type"] == "code" and waiting:
            found[cell["id"]], waiting = waiting, None
        elif mark := _mark(cell):
            waiting = Caption(**mark.groupdict())
    return found


def with_captions(cells: Iterable[dict]) -> Iterator[dict]:
    r"""Cells of an executed notebook, in which captions have moved from the text to the figures.

    MyST-NB captions every output of a cell. What a cell shows beside a figure, such as who took a photograph,
    therefore moves to a cell without code. A figure that was left out, or has controls, has its target in the
    text.

    Args:
        cells: The cells.

    Yields:
        The cells.

    >>> figure, credit = {"data": {"image/png": ""}}, {"data": {"text/html": "By Ann."}}
    >>> text = {"cell_type": "markdown", "source": 'Up.\n\n<a id="figure-3-1"></a>**Figure 3.1.** Growth.'}
    >>> cell = {"cell_type": "code", "id": "a", "metadata": {}, "outputs": [figure, credit]}
    >>> before, first, second = with_captions([text, cell])
    >>> before["source"], first["metadata"]["mystnb"]["figure"]["name"], first["outputs"] == [figure]
    ('Up.', 'figure-3-1', True)
    >>> second["metadata"], second["source"], second["outputs"] == [credit]
    ({'tags': ['remove-input']}, '# a further output of the cell above', True)
    """
    cells = list(cells)
    own = captions(cells)
    drawn = {cell["id"] for cell in cells if any(map(_is_image, cell.get("outputs", [])))}
    controlled = {cell["id"] for cell in cells if any(map(_has_controls, cell.get("outputs", [])))}
    without_target = {caption.name for name, caption in own.items() if name not in drawn}
    for cell in cells:
        if mark := _mark(cell):
            target = f"\n\n[]{{#{mark['name']}}}" if mark["name"] in without_target else ""
            yield cell | {"source": "".join(cell["source"])[: mark.start()] + target}
        elif cell.get("id") in own and cell["id"] in drawn:
            yield from _captioned(cell, own[cell["id"]])
        elif cell.get("id") in own and cell["id"] in controlled:
            yield cell | {"outputs": [_named(output, own[cell["id"]]) for output in cell["outputs"]]}
        else:
            yield cell


def _captioned(cell: dict, caption: Caption) -> Iterator[dict]:
    """A cell in parts, one for each output. The first has the code, and images have the caption."""
    images = 0
    for n, output in enumerate(cell["outputs"]):
        part = cell if n == 0 else cell | FURTHER | {"id": f"{cell['id']}-{n}"}
        if _is_image(output):
            shown = cell["metadata"].get("mystnb", {}) | {"figure": caption.at(images)}
            part = part | {"metadata": part["metadata"] | {"mystnb": shown}}
            images += 1
        yield part | {"outputs": [output]}


def _named(output: dict, caption: Caption) -> dict:
    """An output, with the caption if it is a figure with controls."""
    if not _has_controls(output):
        return output
    html = caption.before("".join(output["data"]["text/html"]))
    return output | {"data": output["data"] | {"text/html": html}}


def _mark(cell: dict) -> re.Match | None:
    return MARK.search("".join(cell["source"])) if cell["cell_type"] == "markdown" else None


def _is_image(output: dict) -> bool:
    """Whether an output of a cell is an image."""
    return any(form.startswith("image/") for form in output.get("data", {}))


def _has_controls(output: dict) -> bool:
    """Whether an output of a cell is a figure with controls."""
    return CONTROLS in "".join(output.get("data", {}).get("text/html", ""))
