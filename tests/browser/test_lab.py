"""The working copy of the notebooks in a JupyterLab that a browser drives: each reads as its page, and reruns."""

import hashlib
import re
import subprocess

import nbformat
import pytest
from lab_server import served
from nbconvert import HTMLExporter
from test_nbconvert import count_of_widgets

from contrastlib.cli.lab import command
from contrastlib.report import lab, notebooks
from contrastlib.report.verdict_tables import KEY

STORED = notebooks.find([])
RAW = re.compile(r"\{(glue|cite|eq|ref|numref|doc|term)\b|:::|^\([\w-]+\)=", re.MULTILINE)
PANEL = ".jp-NotebookPanel:not(.lm-mod-hidden)"
# text of cells that are Markdown and of outputs; formulas are drawn, and may hold anything
TEXT = f"""() => [...document.querySelectorAll('{PANEL} :is(.jp-MarkdownOutput, .jp-OutputArea-output)')].map(each => {{
    const formulas = [...each.querySelectorAll('mjx-container')];
    return formulas.reduce((text, formula) => text.replace(formula.innerText, ''), each.innerText);
}}).join('\\n')"""
# the verdicts of each claim, without sign, effects and variants
VERDICTS = f"""index => [...document.querySelectorAll('{PANEL} .jp-Cell')[index].querySelectorAll('tbody tr')]
    .map(row => [...row.cells].slice(2).map(cell => cell.innerText.split('\\n')[0].replace(/^[^a-z]+ /, '')))"""
READY = f"""count => {{
    const cells = document.querySelectorAll('{PANEL} .jp-Cell'), texts = [...document.querySelectorAll('{PANEL} .jp-MarkdownCell')];
    return cells.length === count && texts.every(each => each.querySelector('.jp-MarkdownOutput')?.innerText);
}}"""
CONNECTED = """async () => {
    const context = window.jupyterapp.shell.currentWidget.context.sessionContext;
    await context.ready;
    await context.session.kernel.info;
}"""
RAN = """() => window.jupyterapp.shell.currentWidget.content.widgets.every(
    cell => cell.model.type !== 'code' || cell.model.executionCount)"""


def state():
    """The repository's notebooks: what git says of them, and their bytes."""
    said = subprocess.run(["git", "status", "--short", "notebooks"], cwd=notebooks.CODE, capture_output=True, text=True, check=False)
    return said.stdout, {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in STORED}


@pytest.fixture(scope="module")
def page(browser, tmp_path_factory):
    """JupyterLab as `make lab` opens it, on a working copy; the repository stays as it is."""
    before, folder, server = state(), tmp_path_factory.mktemp("lab"), tmp_path_factory.mktemp("server")
    lab.prepare(folder)
    with served(command(folder, ["--expose-app-in-browser"]), server, lab.environment(folder)) as address:
        page = browser.new_page(viewport={"width": 1300, "height": 1000})
        page.set_default_timeout(60_000)
        page.asked = []
        page.on("request", lambda request: page.asked.append(request.url))
        page.goto(address)
        page.folder = folder
        yield page
        page.close()
    assert state() == before


def command_of_lab(page, name, **options):
    """Run a command of JupyterLab and wait for its end."""
    page.evaluate("([name, options]) => window.jupyterapp.commands.execute(name, options).then(() => null)", [name, options])


def opened(page, path):
    """Open a notebook of the working copy in front of the others, and wait until all its cells are there."""
    page.evaluate("path => window.jupyterapp.commands.execute('docmanager:open', {path})"
                  ".then(opened => window.jupyterapp.shell.activateById(opened.id))", path)
    page.wait_for_function("path => window.jupyterapp.shell.currentWidget?.context?.path === path", arg=path)
    page.wait_for_function(READY, arg=len(nbformat.read(page.folder / path, as_version=4).cells))


def verdicts(cells):
    """Index of the cell with the verdict table, and scale by scale what its metadata says of each claim."""
    for index, cell in enumerate(cells):
        for output in cell.get("outputs", []):
            if claims := output.get("metadata", {}).get(KEY):
                return index, [{scale: finding["counted"] for scale, finding in claim["findings"].items()} for claim in claims.values()]
    return None, []


def expect_verdicts(page, cells):
    """The table shows what the metadata say."""
    index, found = verdicts(cells)
    if index is None:
        return
    scales = list(dict.fromkeys(scale for claim in found for scale in claim))
    rows = page.evaluate(VERDICTS, index)
    assert sorted(rows) == sorted([claim.get(scale, "not run") for scale in scales] for claim in found)


def test_it_opens_on_the_start_notebook(page):
    page.wait_for_selector(f"{PANEL} h1:has-text('Start here')")
    links = page.eval_on_selector_all(".jp-MarkdownOutput tbody a", "all => all.map(each => each.textContent)")
    assert links == [path.stem for path in STORED]
    page.wait_for_timeout(1000)  # for a pop-up
    assert not page.locator(".jp-Dialog, .jp-toast, .Toastify__toast").count()
    assert not [url for url in page.asked if "/api/news" in url]


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_it_reads_as_stored(page, path):
    opened(page, f"notebooks/{path.name}")
    text = page.evaluate(TEXT)
    assert not RAW.search(text), RAW.search(text)
    stored = nbformat.read(path, as_version=4)
    expect_verdicts(page, stored.cells)
    widths = page.eval_on_selector_all(f"{PANEL} :is(.contrast-explorer, figure.controls) img", "all => all.map(each => each.naturalWidth)")
    assert len(widths) == count_of_widgets(stored) and all(widths)


def run_all(page, path):
    """Run all cells of the open notebook; its cells as they are saved then."""
    command_of_lab(page, "notebook:clear-all-cell-outputs")
    command_of_lab(page, "notebook:run-all-cells")
    page.wait_for_function(RAN)
    assert not page.locator("[data-mime-type='application/vnd.jupyter.error']").count()
    command_of_lab(page, "docmanager:save")
    return nbformat.read(page.folder / path, as_version=4).cells


def counted(text):
    """The threshold, and how many drawn birds exceed it, in the sentence below Table 1."""
    return re.search(r"> ([\d.]+)\$ count: quick: (\d+) of 90", text).groups()


def sentence(cells):
    texts = [output.get("data", {}).get("text/markdown", "") for cell in cells for output in cell.get("outputs", [])]
    return next(text for text in texts if text.startswith("Images with"))


def reacts(page, cell, choose, drawn):
    """What is drawn in the output of a cell changes with a choice."""
    output = page.locator(f"{PANEL} .jp-Cell").nth(cell).locator(".jp-OutputArea")
    of = f"output => {drawn}"
    before = output.evaluate(of)
    choose(output)
    page.wait_for_function("([output, before]) => (" + of + ")(output) !== before", arg=[output.element_handle(), before])


def test_it_reruns(page):
    """With its own parameters first, then with another threshold: sentence, table, explorer and control follow."""
    path = "notebooks/04_masking.ipynb"
    opened(page, path)
    page.evaluate(CONNECTED)
    stored = nbformat.read(notebooks.CODE / path, as_version=4).cells
    cells = run_all(page, path)
    assert verdicts(cells) == verdicts(stored)
    expect_verdicts(page, cells)

    page.locator(f"{PANEL} .jp-Cell").nth(1).locator(".cm-content").click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(stored[1].source.replace("threshold = 0.1", "threshold = 0.3"))
    changed = run_all(page, path)
    assert verdicts(changed) != verdicts(stored)
    expect_verdicts(page, changed)
    limit, images = counted(sentence(changed))
    assert limit == "0.3" and int(images) < int(counted(sentence(stored))[1])
    assert f"quick: {images} of 90" in page.evaluate(TEXT)

    explorer, control = (next(i for i, cell in enumerate(changed) if f"{name}(\n" in cell.source) for name in ("Explorer", "Controls"))
    reacts(page, explorer, lambda output: output.locator(".cx-pane").first.get_by_label("Contrast").select_option("mean"),
           "output.querySelector('.cx-pane canvas').toDataURL()")
    reacts(page, control, lambda output: output.locator("select").nth(1).select_option("zeros"),
           "output.querySelector('.widget-html img').src")

    assert notebooks.VIEW in (page.folder / path).read_text()  # saved are the live widgets and their stills
    html = HTMLExporter().from_filename(page.folder / path)[0]
    assert "jupyter-widgets" not in html
    assert html.count('<figure class="controls">') == 1 and html.count('<div class="contrast-explorer"') == 1
