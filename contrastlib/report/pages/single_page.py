"""An executed notebook as one HTML file in the folder of the pages of the book."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
from nbconvert import HTMLExporter
from traitlets.config import Config

from contrastlib.report.pages.download_note import without_note

MATHJAX = """<script>MathJax = {tex: {inlineMath: [["$", "$"], ["\\\\(", "\\\\)"]]}}</script>
<script defer src="../../_static/offline/mathjax/tex-mml-chtml.js"></script>
"""


def write_page(executed: Path, target: Path) -> None:
    """Write an executed notebook as HTML, without the cells and inputs that are tagged for removal.

    Links lead to the pages of the book. The page makes no requests to other hosts.

    Args:
        executed: Path of the notebook.
        target: Path of the HTML file, in the folder of the notebook pages of the book.
    """
    tags = {"remove_cell_tags": ["remove-cell"], "remove_input_tags": ["remove-input"], "enabled": True}
    exporter = HTMLExporter(
        config=Config({"TagRemovePreprocessor": tags}),
        exclude_input_prompt=True,
        exclude_output_prompt=True,
        mathjax_url="",
        require_js_url="",
        jquery_url="",
        widget_renderer_url="",
        embed_images=True,
    )
    notebook = nbformat.read(executed, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = links_to_pages(without_note(cell.source))
        for output in cell.get("outputs", []):
            if "text/markdown" in output.get("data", {}):
                output.data["text/markdown"] = links_to_pages(output.data["text/markdown"])
    html, _ = exporter.from_notebook_node(notebook, resources={"metadata": {"name": target.stem}})
    target.parent.mkdir(parents=True, exist_ok=True)
    html = re.sub(
        r"(?s)<!-- Load mathjax -->.*?<!-- End of mathjax configuration -->", lambda _: MATHJAX, html, count=1
    )
    target.write_text(html, encoding="utf-8")


def links_to_pages(text: str) -> str:
    """Replace links to notebooks and to book/ in Markdown by links to the pages made from them.

    Those to an erratum lead to the page of corrections, which has the whole entry.

    >>> links_to_pages("[one](05_corrections.ipynb#erratum-1), [two](#erratum-2), [how](../book/rerun.md)")
    '[one](../corrections.html#erratum-1), [two](../corrections.html#erratum-2), [how](../rerun.html)'
    >>> links_to_pages("[cards](../data/README.md)")
    '[cards](../data.html)'
    """
    text = re.sub(r"\]\((?:05_corrections\.ipynb)?(#erratum-\d+)\)", r"](../corrections.html\1)", text)
    text = re.sub(r"\]\((\d\d_\w+)\.ipynb", r"](\1.html", text)
    text = text.replace("](../data/README.md", "](../book/data.md")
    return re.sub(r"\]\(\.\./book/([\w/-]+)\.md", r"](../\1.html", text)
