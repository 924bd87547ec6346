"""One executed notebook as one page."""

import re

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from contrastlib.report.pages.download_note import note
from contrastlib.report.pages.single_page import write_page


def test_page(tmp_path):
    """Text, outputs and links are there; removed code and other hosts are not."""
    link = "[erratum](05_corrections.ipynb#erratum-1)"
    output = new_output("display_data", {"text/markdown": f"**0.7**, see {link}"})
    cells = [
        new_markdown_cell(f"{note('01_toy')}\n\n# Title\n\n$x^2$ {link} [how](../book/rerun.md)"),
        new_code_cell("shown = 1", metadata={"tags": []}),
        new_code_cell("hidden = 2", metadata={"tags": ["remove-input"]}, outputs=[output]),
        new_code_cell("gone = 3", metadata={"tags": ["remove-cell"]}),
    ]
    nbformat.write(new_notebook(cells=cells), tmp_path / "01_toy.ipynb")
    write_page(tmp_path / "01_toy.ipynb", tmp_path / "html/01_toy.own.html")
    html = (tmp_path / "html/01_toy.own.html").read_text()
    text = re.sub("<[^>]*>", "", html)
    assert "shown = 1" in text
    assert "hidden = 2" not in text
    assert "gone = 3" not in text
    assert "This notebook needs" not in text
    assert html.count('href="../corrections.html#erratum-1"') == 2
    assert 'href="../rerun.html"' in html
    assert "<strong>0.7</strong>" in html
    assert re.findall(r'<(?:script|link)[^>]*(?:src|href)="([^"]+)"', html) == [
        "../../_static/offline/mathjax/tex-mml-chtml.js"
    ]
