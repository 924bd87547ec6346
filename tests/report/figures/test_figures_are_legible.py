"""Texts in figures are large enough as a page shows them."""

import ast
import re
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
from matplotlib.text import Text

from contrastlib.report.figures import controls, legible, shared
from contrastlib.report.notebooks import execution
from contrastlib.report.pages import captions

FOLDER = legible.__file__.rpartition("/")[0]
MODULES = sorted(Path(FOLDER).glob("*.py"))
CLOSES = {"finished", "specification_curve", "_page_figure", "_panels", "figure_5"}


def texts(figure):
    figure.canvas.draw()
    return [text for text in figure.findobj(Text) if text.get_text().strip() and text.get_visible()]


@pytest.mark.parametrize("width", [4.0, 8.0, 14.0])
def test_no_text_is_smaller_than_eleven_pixels(width):
    figure, (ax, other) = plt.subplots(1, 2, figsize=(width, 3), dpi=110, layout="constrained")
    ax.plot([0, 1], label="a line")
    ax.tick_params(labelsize=4)
    ax.set_xlabel("small", fontsize=3)
    ax.legend(fontsize=5)
    other.annotate("a note", (0, 0), fontsize=2)
    shown = min(1.0, legible.SHOWN / (width * 110))
    pixels = [text.get_fontsize() / 72 * 110 * shown for text in texts(shared.finished(figure))]
    assert len(pixels) > 10 and min(pixels) >= legible.SMALLEST - 1e-6


def test_figures_with_controls_too(monkeypatch):
    seen = []
    monkeypatch.setattr(controls, "legible", lambda figure: seen.append(figure) or figure)
    controls.Controls(lambda size=1: plt.figure(figsize=(size, 1)), "A figure.", size=(1, 2))
    assert len(seen) == 1


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_every_figure_of_a_page_is_finished(path):
    """A public function that returns a figure passes it through `finished`, or a notebook's cell does."""
    for function in ast.parse(path.read_text()).body:
        public = (
            isinstance(function, ast.FunctionDef) and not function.name.startswith("_") and function.returns
        )
        if (
            public
            and ast.unparse(function.returns).split(" | ")[0] == "Figure"
            and path.stem not in ("shared", "legible")
        ):
            called = {
                node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
                for node in ast.walk(function)
                if isinstance(node, ast.Call)
            }
            assert called & CLOSES or function.name in ("answer", "figure_5", "of_two_objects", "top_two"), (
                function.name
            )


every_notebook = pytest.mark.parametrize("path", execution.find([]), ids=lambda path: path.stem)


@every_notebook
def test_every_figure_of_a_page_has_a_caption(path):
    """One or two sentences beside the alternative text, and no caption without a figure."""
    cells = {cell.id: cell for cell in execution.read(path).cells}
    drawn = {
        name
        for name, cell in cells.items()
        for output in cell.get("outputs", [])
        if any(kind.startswith("image/") for kind in output.get("data", {}))
    }
    drawn |= {
        name for name, cell in cells.items() if "image" in cell.metadata.get("mystnb", {})
    }  # of others' photographs
    with_controls = {name for name, cell in cells.items() if "figures.Controls(" in cell.source}
    own = captions.captions(cells.values())
    assert set(own) == drawn | with_controls and not drawn & with_controls
    for name, caption in own.items():
        if name in with_controls:  # they have an alternative text of their own, and their captions no markup
            assert not re.search(r"[$*`\[]", caption.text), caption
        else:
            assert cells[name].metadata.get("mystnb", {}).get("image", {}).get("alt"), name
        assert 1 <= len(re.findall(r"\.(\s|$)", caption.text)) <= 2 and len(caption.text) < 160, caption


@every_notebook
def test_figures_are_numbered_and_referred_to(path):
    """In the order of the notebook, and each by a link with its number in the text or in a claim."""
    cells = execution.read(path).cells
    found = list(captions.captions(cells).values())
    chapter = int(path.stem[:2])
    assert [caption.number for caption in found] == [f"{chapter}.{n + 1}" for n in range(len(found))]
    links = re.findall(
        r"\[Figure ([\d.]+)\]\(#(figure-[\d-]+)\)",
        "".join(cell.source for cell in cells if cell.cell_type == "markdown"),
    )
    assert set(links) == {(caption.number, caption.name) for caption in found}
    assert all(name == f"figure-{number.replace('.', '-')}" for number, name in links)


def test_a_figure_that_is_left_out_keeps_its_target():
    text = {
        "cell_type": "markdown",
        "source": '[Figure 3.1](#figure-3-1)\n\n<a id="figure-3-1"></a>**Figure 3.1.** Zebras.',
    }
    note = {"cell_type": "code", "id": "a", "metadata": {}, "outputs": [{"data": {"text/html": "left out"}}]}
    before, after = captions.with_captions([text, note])
    assert before["source"] == "[Figure 3.1](#figure-3-1)\n\n[]{#figure-3-1}" and after == note


def test_a_figure_with_controls_has_its_number_before_what_it_says_of_itself():
    text = {"cell_type": "markdown", "source": 'Up.\n\n<a id="figure-3-1"></a>**Figure 3.1.** Less < more.'}
    html = ["<style></style>", '<figure class="controls"><img><figcaption>A bird.</figcaption></figure>']
    outputs = [{"data": {"text/html": html, "text/plain": "A bird."}}, {"data": {"text/html": "By Ann."}}]
    cell = {"cell_type": "code", "id": "a", "source": "draw()", "metadata": {}, "outputs": outputs}
    before, after = captions.with_captions([text, cell])
    assert before["source"] == "Up.\n\n[]{#figure-3-1}" and after["outputs"][1] == outputs[1]
    assert after["outputs"][0]["data"]["text/html"] == (
        '<style></style><figure class="controls"><img><figcaption>'
        '<span class="caption-number">Figure 3.1.</span> Less &lt; more. A bird.</figcaption></figure>'
    )
    assert cell["outputs"][0]["data"]["text/html"] == html


def test_two_images_of_one_figure_have_one_target():
    text = {"cell_type": "markdown", "source": '<a id="figure-3-1"></a>**Figure 3.1.** Bars.'}
    image = {"data": {"image/svg+xml": "<svg/>"}}
    cell = {"cell_type": "code", "id": "a", "source": "draw()", "metadata": {}, "outputs": [image, image]}
    _, first, second = captions.with_captions([text, cell])
    figures = [part["metadata"]["mystnb"]["figure"] for part in (first, second)]
    assert [figure.pop("name", None) for figure in figures] == ["figure-3-1", None]
    assert figures[0] == figures[1] and first["source"] == "draw()"
    assert second["source"].startswith("#") and second["metadata"]["tags"] == ["remove-input"]
