"""The notebooks as they are stored: parameters, checked cells, canonical text, and profiles that fit them."""

import ast
import json
import re

import nbformat
import pytest

from contrastlib import models
from contrastlib.report.notebooks import executed_form, execution
from contrastlib.report.pages.download_note import note

STORED = execution.find([])
every_notebook = pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)


def written(cell):
    """What a cell says in words and numbers; a figure or widget stands there as <its name>."""
    kinds = ("text/plain", "text/markdown")
    texts = [output["text"] for output in cell.outputs if output.output_type == "stream"]
    texts += [output.data.get(kind, "") for output in cell.outputs if "data" in output for kind in kinds]
    return "\n".join(text for text in texts if not text.startswith("<"))


@every_notebook
def test_stored(path):
    """One parameters cell; outputs without errors or scripts; cells for nbval; nothing of this machine."""
    notebook = nbformat.read(path, as_version=4)
    assert execution.defaults(path)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in code if cell.source.strip()), "not executed: use `run --save`"
    assert not [o for cell in code for o in cell.outputs if o.output_type == "error"]
    checked = [cell for cell in code if "nbval-check-output" in cell.metadata.get("tags", [])]
    assert re.search(r"\d", "".join(map(written, checked))), "no cell tagged nbval-check-output says a number"
    text = path.read_text(encoding="utf-8")
    assert text == executed_form.normalise(text) == executed_form.for_storage(text)


@pytest.mark.parametrize("name", ["quick", "real", "paper"])
def test_profile_fits(name):
    """A profile names notebooks and parameters that exist, and quick is what the notebooks say themselves."""
    values = execution.profile(name)
    assert set(values) - {"all"} <= {path.stem for path in STORED}
    for path in STORED:
        given = execution.parameters(path, values)
        assert name != "quick" or not given


def test_in_the_book():
    """Every notebook is a page of the book, and the book asks for no other."""
    pages = re.findall(r"file: book/executed/(\S+)", (execution.REPOSITORY / "_toc.yml").read_text())
    assert sorted(pages) == [path.stem for path in STORED]


@every_notebook
def test_reads_without_the_book(path):
    """Visible cells are short steps without own functions; text has no role or directive of the book."""
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "markdown":
            assert not re.search(
                r"\{(glue|cite|eq|ref|doc|numref)\b|^:::|^\([\w-]+\)=", cell.source, re.MULTILINE
            ), cell.source
            continue
        lines, tags = cell.source.splitlines(), cell.metadata.get("tags", [])
        assert max(map(len, lines)) <= 100, cell.source
        if cell.metadata.get("jupyter", {}).get("source_hidden"):
            continue
        assert len(lines) <= 15, cell.source
        if tags == ["parameters"]:
            continue
        assert not re.search(r"^\s*(def|class) ", cell.source, re.MULTILINE), cell.source
        assert not tags, cell.source


@every_notebook
def test_reads_without_opening_a_hidden_cell(path):
    """No visible cell uses a name that only a hidden one defines."""
    hidden, shown = set(), set()
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type != "code":
            continue
        tree = list(ast.walk(ast.parse(cell.source)))
        names = [node for node in tree if isinstance(node, ast.Name)]
        bound = {node.id for node in names if not isinstance(node.ctx, ast.Load)}
        bound |= {
            (each.asname or each.name).partition(".")[0]
            for node in tree
            if isinstance(node, (ast.Import, ast.ImportFrom))
            for each in node.names
        }
        if cell.metadata.get("jupyter", {}).get("source_hidden"):
            hidden |= bound
        else:
            shown |= bound
            assert not {node.id for node in names} & (hidden - shown), cell.source


@every_notebook
def test_begins_with_what_it_needs(path):
    first, empty, title, *_ = nbformat.read(path, as_version=4).cells[0].source.splitlines()
    assert first == note(path.stem) and not empty and title.startswith("# ")


FORMULA = re.compile(r"(?s)\$\$.*?\$\$|\\begin\{(align|equation)\*\}.*?\\end\{\1\*\}")


@every_notebook
def test_equations_are_numbered(path):
    """In order. The book splits `$$` of several lines: a number is an error there, not in environments."""
    texts = [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "markdown"]
    formulas = [found[0] for text in texts for found in FORMULA.finditer(text)]
    numbers = [re.findall(r"\\tag\{([\d.]+)\}", formula) for formula in formulas]
    assert numbers == [[f"{int(path.stem[:2])}.{i + 1}"] for i in range(len(formulas))]
    assert not [formula for formula in formulas if formula.startswith("$$") and r"\\" in formula]


@every_notebook
def test_ends_with_something_to_try(path):
    """A question, three to six lines that explain, and two changes of them with what to expect."""
    cells = nbformat.read(path, as_version=4).cells
    (first,) = [index for index, cell in enumerate(cells) if cell.source.startswith("## Try this")]
    question, tried, changes = cells[first : first + 3]
    assert question.cell_type == changes.cell_type == "markdown" and tried.cell_type == "code"
    called = [
        ast.unparse(node.func) for node in ast.walk(ast.parse(tried.source)) if isinstance(node, ast.Call)
    ]
    assert {"explain", "contrastlib.explain"} & set(called)
    assert 3 <= len([line for line in tried.source.splitlines() if line.strip()]) <= 6
    assert [line[:2] for line in changes.source.splitlines()] == ["- ", "- "]


@every_notebook
def test_explorers_take_the_parameters(path):
    """No explorer names its networks, except the one of photographs in 11_explore."""
    cells = nbformat.read(path, as_version=4).cells
    code = [cell for cell in cells if cell.cell_type == "code" and cell.id != "explore-photographs"]
    calls = [node for cell in code for node in ast.walk(ast.parse(cell.source)) if isinstance(node, ast.Call)]
    for call in calls:
        if ast.unparse(call.func) == "Explorer":
            assert not {node.value for node in ast.walk(call) if isinstance(node, ast.Constant)} & set(
                models.MODELS
            )


def test_outputs_are_small():
    """Of all notebooks together under 6 MB: more is slow to clone and to open."""
    outputs = [
        output
        for path in STORED
        for cell in nbformat.read(path, as_version=4).cells
        for output in cell.get("outputs", [])
    ]
    assert sum(len(json.dumps(output)) for output in outputs) < 6e6
