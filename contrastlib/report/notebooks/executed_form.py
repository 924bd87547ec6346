"""The reproducible form of an executed notebook: nothing in it differs between two runs."""

import json
import re
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from contrastlib import assets
from contrastlib.report.notebooks import staleness
from contrastlib.report.notebooks.compression import compress, shrink
from contrastlib.report.notebooks.saved_widgets import VIEW

WIDGETS = "application/vnd.jupyter.widget-state+json"
CELL_ID = re.compile(r' id="(T_\w+_(?:row|level)\w+)"')
CELL_CLASS = re.compile(r'(class="(?:data|row_heading|col_heading)[^"]*?)(?: row\d+)?(?: col\d+)?(?=")')
"""Identifier, and classes, of a cell of a table by pandas."""


def normalise(text: str) -> str:
    """Remove from an executed notebook all content that differs between two runs, and return canonical JSON.

    Images are compressed. Times, paths of this machine, memory addresses, progress bars and version numbers
    of Python are removed. Injected cells and widget models get stable identifiers. A widget with an image of
    its own, that is an output with both ``text/html`` and a view, is replaced by the image, because a page
    has no kernel.

    Args:
        text: JSON of the notebook.

    Returns:
        The normalised JSON.
    """
    notebook = nbformat.reads(text, as_version=4)
    notebook.metadata.pop("papermill", None)
    notebook.metadata.get("language_info", {}).pop("version", None)
    for index, cell in enumerate(notebook.cells):
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        if not cell.metadata.get("tags", True):
            del cell.metadata["tags"]
        if "injected-parameters" in cell.metadata.get("tags", []):
            cell.id = "injected-parameters"
        elif "id" not in cell:
            cell.id = f"cell-{index}"
        if cell.cell_type == "code":
            cell.outputs = _compressed(_static_images(_replaced(_streams(cell.outputs))))
    if not any(VIEW in output.data for output in _shown(notebook)):
        notebook.metadata.pop("widgets", None)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return _canonical(_stable_models(notebook))


def for_storage(text: str) -> str:
    """Remove scripts with their data, and names of cells of tables, from HTML outputs, and shrink pictures.

    >>> cell = nbformat.v4.new_code_cell("map", id="a")
    >>> cell.outputs = [nbformat.v4.new_output("display_data", {"text/html": "image<script>[0, 1]</script>"})]
    >>> text = for_storage(nbformat.writes(nbformat.v4.new_notebook(cells=[cell])))
    >>> nbformat.reads(text, 4).cells[0].outputs[0].data
    {'text/html': 'image'}
    """
    notebook = nbformat.reads(text, as_version=4)
    for output in _shown(notebook):
        if "text/html" in output.data:
            page = re.sub(r"(?is)<script\b.*?</script\s*>", "", output.data["text/html"])
            output.data["text/html"] = _without_names(page)
        shrink(output)
    return _canonical(notebook)


def _without_names(page: str) -> str:
    """HTML without the identifiers and classes by which pandas counts cells, but for those of a style.

    >>> _without_names('<style>#T_a_row1_col0 {}</style><td id="T_a_row0_col0" class="data row0 col0" >')
    '<style>#T_a_row1_col0 {}</style><td class="data" >'
    """
    named = set(re.findall(r"#(T_\w+)", page))
    page = CELL_ID.sub(lambda found: found[0] if found[1] in named else "", page)
    return page if re.search(r"\.(row|col)\d", page) else CELL_CLASS.sub(r"\1", page)


def _canonical(notebook: NotebookNode) -> str:
    text = nbformat.writes(notebook, version=4)
    return text if text.endswith("\n") else text + "\n"


def _shown(notebook: NotebookNode) -> list[NotebookNode]:
    """Outputs that have contents by MIME type."""
    return [output for cell in notebook.cells for output in cell.get("outputs", []) if "data" in output]


def _streams(outputs: list) -> list:
    """Merge consecutive outputs of one stream, and remove progress bars from stderr.

    The division of a stream into outputs depends on the time.
    """
    merged = []
    for output in outputs:
        if merged and output.output_type == "stream" and output.name == merged[-1].get("name"):
            merged[-1].text += output.text
        else:
            merged.append(output)
    for output in merged:
        if output.get("name") == "stderr":
            output.text = re.sub(r"\r[^\n]*\n?", "", output.text)
    return [output for output in merged if output.output_type != "stream" or output.text.strip()]


def _static_images(outputs: list) -> list:
    """Remove widget views from outputs that also have HTML."""
    for output in outputs:
        if "text/html" in output.get("data", {}):
            output.data.pop(VIEW, None)
    return outputs


def _compressed(outputs: list) -> list:
    """Compress the images of outputs."""
    for output in outputs:
        if "data" in output:
            output.data = nbformat.from_dict(compress(output.data))
        sizes = output.get("metadata", {})
        if "image/png" in sizes and "image/jpeg" in output.get("data", {}):  # the size at which it is shown
            sizes["image/jpeg"] = sizes.pop("image/png")
    return outputs


def _replaced(outputs: list) -> list:
    """Replace memory addresses and paths of this machine in outputs."""
    text = json.dumps(outputs)
    text = re.sub(r" at 0x[0-9a-fA-F]+", " at 0x…", text)
    for folder, name in (
        (assets.root(), staleness.DATA),
        (staleness.REPOSITORY, "<repository>"),
        (Path.home(), "~"),
    ):
        if folder != Path(folder.anchor):  # in a container, the home can be "/", which is part of every path
            text = text.replace(json.dumps(str(folder))[1:-1], name)
    return [nbformat.from_dict(output) for output in json.loads(text)]


def _stable_models(notebook: NotebookNode) -> NotebookNode:
    """Number the widget models in the order in which they occur in the notebook."""
    state = notebook.metadata.get("widgets", {}).get(WIDGETS, {}).get("state", {})
    pattern = re.compile(r"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])")
    order = {}

    def visit(part: object) -> None:
        for model in pattern.findall(json.dumps(part, sort_keys=True)):
            if model in state and model not in order:
                order[model] = f"{len(order):032x}"
                visit(state[model])

    visit([cell.get("outputs", []) for cell in notebook.cells])
    visit(sorted(state, key=lambda model: pattern.sub("", json.dumps(state[model], sort_keys=True))))
    renamed = pattern.sub(lambda match: order.get(match[0], match[0]), json.dumps(notebook))
    return nbformat.from_dict(json.loads(renamed))
