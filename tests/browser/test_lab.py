"""The working copy of the notebooks in a JupyterLab that a browser drives: each reads as its page, and reruns."""

import hashlib
import re
import subprocess

import nbformat
import pytest
from lab_server import served

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
RAN = f"""() => [...document.querySelectorAll('{PANEL} .jp-CodeCell .jp-InputPrompt')].every(each => /\\d/.test(each.textContent))"""


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
    """Open a notebook of the working copy, close the others, and wait until all cells are there."""
    command_of_lab(page, "application:close-all")
    command_of_lab(page, "docmanager:open", path=path)
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
    page.wait_for_selector(".jp-NotebookPanel:not(.lm-mod-hidden) h1:has-text('Start here')")
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
    expect_verdicts(page, nbformat.read(path, as_version=4).cells)


def run_all(page, path):
    """Run all cells of the open notebook; its cells as they are saved then."""
    command_of_lab(page, "notebook:clear-all-cell-outputs")
    command_of_lab(page, "notebook:run-all-cells")
    page.wait_for_function(RAN)
    assert not page.locator("[data-mime-type='application/vnd.jupyter.error']").count()
    command_of_lab(page, "docmanager:save")
    return nbformat.read(page.folder / path, as_version=4).cells


def test_it_reruns(page):
    """With its own parameters first, then with another threshold: sentence, table and figure follow."""
    path = "notebooks/04_masking.ipynb"
    opened(page, path)
    page.wait_for_selector(f"{PANEL} .jp-Notebook-ExecutionIndicator[data-status=idle]")
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
    print(page.evaluate(TEXT))
