"""The notebooks' working copy in JupyterLab: each reads as its page; one runs, and follows its parameters."""

import re

import lab_notebook as lab
import pytest
from nbconvert import HTMLExporter
from small_parameters import SMALL

from contrastlib.report.notebooks import executed_form
from contrastlib.report.notebooks import execution as notebooks

STORED = notebooks.find([])
# the numbers of formulas that are drawn, whose characters are named by classes such as mjx-c31;
# or what is in error
NUMBERS = f"""() => {{
    const character = mark => String.fromCodePoint(parseInt(mark.classList[0].slice(5), 16));
    return [...document.querySelectorAll('{lab.PANEL} :is(mjx-labels mjx-mtext, mjx-merror)')]
        .map(each => each.textContent || [...each.querySelectorAll('mjx-c')].map(character).join(''));
}}"""


def test_it_opens_on_the_start_notebook(lab_page):
    """Nothing pops up, and the kernel that connects changes nothing in it."""
    page = lab_page
    page.wait_for_selector(f"{lab.PANEL} h1:has-text('Start here')")
    links = page.eval_on_selector_all(
        ".jp-MarkdownOutput tbody a", "all => all.map(each => each.textContent)"
    )
    assert links == [path.stem for path in STORED]
    page.evaluate(lab.CONNECTED)
    page.wait_for_timeout(1000)  # for a pop-up
    assert not page.locator(".jp-Dialog, .jp-toast, .Toastify__toast").count()
    assert not [url for url in page.asked if "/api/news" in url]
    assert not page.evaluate("() => window.jupyterapp.shell.currentWidget.context.model.dirty")


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_it_reads_as_stored(lab_page, path):
    page, notebook = lab_page, lab.stored(f"notebooks/{path.name}")
    lab.opened(page, f"notebooks/{path.name}")
    lab.expect_readable(page, notebook.cells)
    widths = page.eval_on_selector_all(
        f"{lab.PANEL} :is(.contrast-explorer, figure.controls) img",
        "all => all.map(each => each.naturalWidth)",
    )
    assert len(widths) == lab.count_of_widgets(notebook) and all(widths)
    text = "".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    assert page.evaluate(NUMBERS) == [f"({number})" for number in re.findall(r"\\tag\{(.*?)\}", text)]
    lab.close(page)


def test_links_lead_to_other_notebooks_and_to_the_data_cards(lab_page):
    """A link to an entry opens the notebook and scrolls there; the cards are drawn, not shown as source."""
    page = lab_page
    lab.opened(page, "notebooks/04_masking.ipynb")
    page.locator(f"{lab.PANEL} a", has_text=re.compile("^erratum 13$")).first.click()
    page.wait_for_function(
        "() => window.jupyterapp.shell.currentWidget?.context?.path === 'notebooks/05_corrections.ipynb'"
    )
    page.wait_for_function(
        f"() => {{ const top = document.querySelector('{lab.PANEL} [data-jupyter-id=erratum-13]')"
        "?.getBoundingClientRect().top; return top > 0 && top < 200; }"
    )
    assert page.locator(f"{lab.PANEL} summary:has-text('13. What equal masking keeps')").is_visible()
    lab.close(page)
    lab.close(page)

    lab.opened(page, "notebooks/02_input_space.ipynb")
    page.locator(f"{lab.PANEL} a", has_text="data cards").first.click()
    page.wait_for_selector(".jp-MarkdownViewer h1")
    page.evaluate("() => window.jupyterapp.shell.currentWidget.dispose()")
    lab.close(page)


def test_it_follows_its_parameters(lab_page):
    """A cheap notebook: prose, verdicts, figures, explorer and control. `make test-lab` does it with all."""
    page, path = lab_page, "notebooks/08_fullgrad.ipynb"
    before = lab.stored(path).cells
    lab.opened(page, path)
    lab.assign(page, SMALL["08_fullgrad"])
    cells = lab.run_all(page, path)
    lab.expect_readable(page, cells)
    for follows in (lab.texts, lab.effects, lab.figures):
        assert follows(cells) != follows(before)
    assert lab.move_widgets(page, cells) == 2

    lab.execute(page, "docmanager:save")
    assert (
        executed_form.VIEW in (page.folder / path).read_text()
    )  # saved are the live widgets and their stills
    html = HTMLExporter().from_filename(page.folder / path)[0]
    assert "jupyter-widgets" not in html  # though JupyterLab was asked to save their state
    assert html.count('<figure class="controls">') == 1 and html.count('<div class="contrast-explorer"') == 1
