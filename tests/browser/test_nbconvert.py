"""Notebooks as nbconvert's HTML: every output is seen, without any other host."""

import os
import subprocess
import sys

import nbformat
import pytest
from lab_notebook import count_of_widgets
from nbconvert import HTMLExporter

from contrastlib.report.notebooks import execution as notebooks

WIDGETS = [
    """from contrastlib.explorer import Explorer, bird
Explorer([bird(31)], ["birds_vgg"], methods=["gradcam"], classes=3)""",
    """import matplotlib.pyplot as plt
from contrastlib.report.figures.controls import Controls
Controls(lambda width=1: plt.figure(figsize=(width, 1)), "A box.", width=(1, 9))""",
    """from contrastlib import assets
from contrastlib.explorer import OwnPicture
form = OwnPicture("birds_vgg", classes=3)
form.explain(assets.path("chelsea.png")).join()
form""",
]
# what there is to see in each output: a picture that is loaded, a map that is drawn, or text
SEEN = """outputs => outputs.map(output => {
    const box = output.getBoundingClientRect();
    const drawn = [...output.querySelectorAll('img, canvas, svg')]
        .filter(each => each.getBoundingClientRect().height > 9);
    return {width: box.width, height: box.height, text: output.innerText.trim(),
            drawn: drawn.map(each => each.tagName === 'IMG' ? each.naturalWidth
                                                            : each.getBoundingClientRect().width)};
})"""


@pytest.fixture
def shown(browser, tmp_path):
    """``shown(html)``: what can be seen of each output of such a page, and the page; no host answers."""
    pages = []

    def show(html):
        file = tmp_path / "page.html"
        file.write_text(html, encoding="utf-8")
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(120_000)
        pages.append(page)
        page.route(
            "**/*",
            lambda route: (
                route.continue_()
                if route.request.url.startswith(("file:", "data:", "blob:"))
                else route.abort()
            ),
        )
        page.goto(file.as_uri())
        return page.eval_on_selector_all(".jp-OutputArea-output", SEEN), page

    yield show
    for page in pages:
        page.close()


def expect_no_gap(outputs, of):
    assert len(outputs) == sum(len(cell.get("outputs", [])) for cell in of.cells)
    for output in outputs:
        assert output["width"] > 50 and output["height"] > 9, output
        assert output["drawn"] or output["text"], output
        assert all(output["drawn"]), output


@pytest.mark.parametrize("path", notebooks.find([]), ids=lambda path: path.stem)
def test_stored(path, shown):
    notebook = nbformat.read(path, as_version=4)
    outputs, page = shown(HTMLExporter().from_notebook_node(notebook)[0])
    expect_no_gap(outputs, notebook)
    stills = page.eval_on_selector_all(
        ".contrast-explorer img, figure.controls img", "all => all.map(each => each.naturalWidth)"
    )
    assert len(stills) == count_of_widgets(notebook) and all(width > 300 for width in stills)


def test_executed(shown, tmp_path):
    """Explorers are interactive; controls are a static image, as widgets ask another host for scripts."""
    cells = [nbformat.v4.new_code_cell(source) for source in WIDGETS]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=kernel)
    nbformat.write(notebook, tmp_path / "widgets.ipynb")
    environment = os.environ | {"PYTHONPATH": str(notebooks.CODE), "OMP_NUM_THREADS": "1"}
    subprocess.run(
        [sys.executable, "-m", "nbconvert", "--to", "html", "--execute", tmp_path / "widgets.ipynb"],
        env=environment,
        check=True,
        capture_output=True,
    )
    html = (tmp_path / "widgets.html").read_text(encoding="utf-8")
    outputs, page = shown(html)
    assert len(outputs) == len(WIDGETS) and all(output["drawn"] for output in outputs)
    assert page.locator(".jupyter-widgets").count() == 0
    assert page.locator("figure.controls img").count() == 1
    page.wait_for_function(
        "() => [...document.querySelectorAll('.contrast-explorer')].every(each => 'ready' in each.dataset)"
    )
    assert page.locator(".contrast-explorer").count() == 2
    assert all(
        page.eval_on_selector_all(".contrast-explorer .cx-pane canvas", "all => all.map(each => each.width)")
    )
