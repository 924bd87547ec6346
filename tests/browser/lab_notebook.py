"""The working copy of the notebooks in a JupyterLab that a browser drives: opened, run, and looked at."""

import re

import nbformat

from contrastlib.report.claims.verdict_tables import KEY
from contrastlib.report.notebooks import execution as notebooks

RAW = re.compile(r"\{(glue|cite|eq|ref|numref|doc|term|value|verdict)\b|:::|^\([\w-]+\)=", re.MULTILINE)
PANEL = ".jp-NotebookPanel:not(.lm-mod-hidden)"
# text of cells that are Markdown and of outputs; formulas are drawn, and may hold anything
TEXT = f"""() => [
    ...document.querySelectorAll('{PANEL} :is(.jp-MarkdownOutput, .jp-OutputArea-output)')
].map(each => {{
    const formulas = [...each.querySelectorAll('mjx-container')];
    return formulas.reduce((text, formula) => text.replace(formula.innerText, ''), each.innerText);
}}).join('\\n')"""
# the scales, and the verdicts of each claim without sign, effects and variants
VERDICTS = f"""index => [...document.querySelectorAll('{PANEL} .jp-Cell')[index].querySelectorAll('tr')]
    .map(row => [...row.cells].slice(2)
        .map(cell => cell.innerText.split('\\n')[0].replace(/^[^a-z]+ /, '')))"""
READY = f"""count => {{
    const cells = document.querySelectorAll('{PANEL} .jp-Cell');
    const texts = [...document.querySelectorAll('{PANEL} .jp-MarkdownCell')];
    return cells.length === count &&
        texts.every(each => each.querySelector('.jp-MarkdownOutput')?.innerText);
}}"""
# outputs in Markdown are drawn some time after the cell has run
DRAWN = f"""count => [...document.querySelectorAll('{PANEL} .jp-OutputArea-output.jp-RenderedMarkdown')]
    .filter(each => each.innerText.trim()).length === count"""
CONNECTED = """async () => {
    const context = window.jupyterapp.shell.currentWidget.context.sessionContext;
    await context.ready;
    await context.session.kernel.info;
}"""


def execute(page, name, **options):
    """Run a command of JupyterLab and wait for its end."""
    page.evaluate(
        "([name, options]) => window.jupyterapp.commands.execute(name, options).then(() => null)",
        [name, options],
    )


def opened(page, path):
    """Open a notebook of the working copy in front of the others, and wait until all its cells are there."""
    page.wait_for_function(
        "() => window.jupyterapp?.shell?.currentWidget?.context?.isReady"
    )  # the start notebook opens first
    page.evaluate(
        "path => window.jupyterapp.commands.execute('docmanager:open', {path})"
        ".then(opened => window.jupyterapp.shell.activateById(opened.id))",
        path,
    )
    page.wait_for_function("path => window.jupyterapp.shell.currentWidget?.context?.path === path", arg=path)
    page.wait_for_function(READY, arg=len(nbformat.read(page.folder / path, as_version=4).cells))


def run_all(page, path):
    """Run all cells of the open notebook, none of which fails; its cells as they are saved then."""
    page.evaluate(CONNECTED)
    execute(page, "notebook:clear-all-cell-outputs")
    execute(page, "notebook:run-all-cells")
    execute(page, "docmanager:save")
    cells = nbformat.read(page.folder / path, as_version=4).cells
    code = [cell for cell in cells if cell.cell_type == "code"]
    assert not [output.evalue for cell in code for output in cell.outputs if output.output_type == "error"]
    assert all(cell.execution_count for cell in code if cell.source.strip())
    return cells


def assign(page, values):
    """Add assignments to the cell with the parameters, as a reader types them."""
    cell = page.locator(f"{PANEL} .jp-Cell").nth(1).locator(".cm-content")
    cell.click()
    page.keyboard.press("Control+End")
    page.keyboard.insert_text("".join(f"\n{name} = {value!r}" for name, value in values.items()))


def close(page):
    """Shut the kernel of the open notebook down, and close it as it was saved."""
    page.evaluate(CONNECTED)
    page.evaluate(
        "async () => { const panel = window.jupyterapp.shell.currentWidget;"
        " await panel.context.sessionContext.shutdown(); panel.dispose(); }"
    )


def texts(cells, form="text/markdown"):
    """Outputs of a form, other than tables of verdicts."""
    return [
        output.data[form]
        for cell in cells
        for output in cell.get("outputs", [])
        if form in output.get("data", {}) and KEY not in output.metadata
    ]


def figures(cells):
    """Images, and stills of figures with controls and of explorers."""
    images = [image for form in ("image/png", "image/jpeg") for image in texts(cells, form)]
    return images + [html for html in texts(cells, "text/html") if "<img" in html]


def verdicts(cells):
    """Index of the cell with the verdict table, and scale by scale what its metadata says of each claim."""
    for index, cell in enumerate(cells):
        for output in cell.get("outputs", []):
            if claims := output.get("metadata", {}).get(KEY):
                return index, [
                    {scale: finding["said"] for scale, finding in claim["findings"].items()}
                    for claim in claims.values()
                ]
    return None, []


def effects(cells):
    """What the verdicts rest on."""
    index, _ = verdicts(cells)
    claims = (
        {}
        if index is None
        else next(each.metadata[KEY] for each in cells[index].outputs if KEY in each.metadata)
    )
    return [finding["effects"] for claim in claims.values() for finding in claim["findings"].values()]


def checked(cells):
    """What the cells say whose output is the same on every machine; of verdicts the words alone."""
    said = [cell for cell in cells if "nbval-check-output" in cell.metadata.get("tags", [])]
    return verdicts(cells)[1], texts(said)


def expect_readable(page, cells):
    """No role or directive is visible, and the table of verdicts shows what its metadata says."""
    page.wait_for_function(
        DRAWN, arg=sum(map(bool, map(str.strip, texts(cells)))) + (verdicts(cells)[0] is not None)
    )
    text = page.evaluate(TEXT)
    assert not RAW.search(text), RAW.search(text)
    index, found = verdicts(cells)
    if index is not None:
        scales, *rows = page.evaluate(VERDICTS, index)
        assert sorted(rows) == sorted([claim.get(scale, "not run") for scale in scales] for claim in found)


def move_widgets(page, cells):
    """Move a control of each widget, and wait until what it draws is another picture; how many there are."""
    moved = 0
    for index, cell in enumerate(cells):
        html = "".join(texts([cell], "text/html"))
        output = page.locator(f"{PANEL} .jp-Cell").nth(index).locator(".jp-OutputArea")
        if '<figure class="controls">' in html:
            _reacts(page, output, _last_value, "output.querySelector('.widget-html img').src")
        elif '<div class="contrast-explorer"' in html:
            _reacts(page, output, _another_contrast, "output.querySelector('.cx-pane canvas').toDataURL()")
        else:
            continue
        moved += 1
    return moved


def _last_value(output):
    """The first slider, or else the first list, takes its last value: a step may not change the picture."""
    slider = output.locator(".widget-slider .noUi-handle")
    if slider.count():
        slider.first.focus()
        slider.first.press("End")
    else:
        choice = output.locator("select").first
        choice.select_option(index=choice.locator("option").count() - 1)


def _another_contrast(output):
    contrast = output.locator(".cx-pane select[name=contrast]").first
    contrast.select_option("weighted" if contrast.input_value() != "weighted" else "original")


def _reacts(page, output, choose, drawn):
    output.scroll_into_view_if_needed()
    of = f"output => {drawn}"
    page.wait_for_function(
        f"output => output.querySelector('.widget-html img, .cx-pane canvas') && ({of})(output)",
        arg=output.element_handle(),
    )
    before = output.evaluate(of)
    choose(output)
    page.wait_for_function(
        "([output, before]) => (" + of + ")(output) !== before", arg=[output.element_handle(), before]
    )


def count_of_widgets(notebook):
    """How many explorers and figures with controls a notebook shows."""
    html = "".join(texts(notebook.cells, "text/html"))
    return html.count('<div class="contrast-explorer"') + html.count('<figure class="controls">')


def stored(path):
    """A notebook as the repository has it."""
    return nbformat.read(notebooks.CODE / path, as_version=4)
