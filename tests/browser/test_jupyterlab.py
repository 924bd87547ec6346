"""The same explorer live, in a JupyterLab that a browser drives: data and choices go both ways."""

import sys

import explorer_page as static
import nbformat
import pytest
from lab_server import served
from PIL import Image

from contrastlib import datasets
from contrastlib.explorer import Explorer, bird, bird_scene, photograph

LIVE = [
    """from contrastlib.explorer import Explorer, bird, bird_scene
explorer = Explorer([bird(31), bird(4)], ["birds_vgg"], methods=["gradcam", "lrp"], classes=5, name="live")
explorer""",
    "print('chosen:', explorer.state['panes'][0]['contrast'], explorer.map(0).shape)",
    "explorer.state = {**explorer.state, 'picture': 1}",
    "explorer.add(bird_scene(7))",
]
OWN = [
    "from contrastlib.explorer import OwnPicture; form = OwnPicture('birds_resnet', classes=3); form",
    "print(form.message, form.explorer.map(0).shape)",
]


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """Address of a JupyterLab with notebooks of LIVE and OWN."""
    folder = tmp_path_factory.mktemp("lab")
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    for name, sources in (("live", LIVE), ("own", OWN)):
        cells = [nbformat.v4.new_code_cell(source) for source in sources]
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), folder / f"{name}.ipynb")
    command = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={folder}", "--allow-root"]
    with served(command, folder) as address:
        yield address


@pytest.fixture
def opened(lab, browser):
    """Opens a notebook by its name; returns the page and a function that runs the cell of a number."""
    page = browser.new_page(viewport={"width": 1300, "height": 1000})
    page.set_default_timeout(60_000)
    page.route(
        "**/*",
        lambda route: (
            route.continue_() if route.request.url.startswith((lab, "blob:", "data:")) else route.abort()
        ),
    )  # what the widget needs is here; JupyterLab itself may ask for its news

    def run(index):
        cell = page.locator(".jp-Cell").nth(index)
        cell.locator(".cm-content").click()
        page.keyboard.press("Shift+Enter")
        page.wait_for_function(
            """index => {
              const cell = document.querySelectorAll('.jp-Cell')[index];
              return /\\d/.test(cell.querySelector('.jp-InputPrompt').textContent);
            }""",
            arg=index,
        )

    def open_notebook(name):
        page.goto(f"{lab}lab/tree/{name}.ipynb?reset")  # without the tabs of last time
        page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]")
        page.wait_for_timeout(
            1000
        )  # until the widgets' extension has met the kernel; nothing on the page says so
        return page, run

    yield open_notebook
    page.close()


def test_live(opened):
    page, run = opened("live")
    run(0)
    page.wait_for_selector(".cx-pane canvas")
    page.wait_for_function("() => document.querySelector('.cx-pane canvas').width === 256")
    twin = Explorer([bird(31), bird(4)], ["birds_vgg"], methods=["gradcam", "lrp"], classes=5, name="live")
    page.wait_for_timeout(500)
    agrees(page, twin, twin.state)

    page.locator(".cx-pane").first.get_by_label("Contrast").select_option("maximum")
    chosen = twin.state | {
        "panes": [{**twin.state["panes"][0], "contrast": "maximum"}, twin.state["panes"][1]]
    }
    agrees(page, twin, chosen)
    run(1)
    page.wait_for_selector("text=chosen: maximum (16, 16)")

    run(2)
    page.wait_for_function("() => document.querySelectorAll('.cx-pictures input')[1].checked")
    agrees(page, twin, chosen | {"picture": 1})

    run(3)
    page.wait_for_function("() => document.querySelectorAll('.cx-pictures input').length === 3")
    page.wait_for_function("() => document.querySelectorAll('.cx-pictures input')[2].checked")
    twin.add(bird_scene(7))
    agrees(page, twin, chosen | {"picture": 2})


def test_a_picture_of_ones_own(opened, tmp_path):
    photo = tmp_path / "bird.png"
    Image.fromarray(datasets.load("birds", split="test", size=200).picture(5)).save(photo)
    page, run = opened("own")
    run(0)
    explain = page.get_by_role("button", name="Explain")
    assert explain.is_disabled()
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Picture").click()
    chooser.value.set_files(photo)
    page.wait_for_selector("text=bird.png is uploaded")
    explain.click()
    page.wait_for_selector("text=bird.png is explained")
    panes = [{"contrast": "original"}, {"contrast": "weighted"}]
    twin = Explorer([photograph(photo)], ["birds_resnet"], classes=3, panes=panes)
    width = static.expected(twin, twin.state)[0].shape[1]
    page.wait_for_function("width => document.querySelector('.cx-pane canvas')?.width === width", arg=width)
    page.wait_for_timeout(500)
    agrees(page, twin, twin.state)
    run(1)
    page.wait_for_selector(
        "text=Upload another picture, or choose another network and press Explain. (16, 16)"
    )


def agrees(page, twin, state):
    drawn, wanted = static.canvases(page), static.expected(twin, state)
    for one, other in zip(drawn, wanted[:2]):
        assert abs(one - other).max(axis=2).mean() < 1
