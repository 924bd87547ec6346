"""Values of a notebook that another page of the book shows."""

import nbformat
import pytest
from IPython.core.interactiveshell import InteractiveShell

from contrastlib.report.notebooks import said
from contrastlib.report.pages import values as page_values


@pytest.fixture
def folder(tmp_path):
    """A folder with a notebook that displayed such a sentence, as a kernel does."""
    shell = InteractiveShell.instance()
    data, metadata = shell.display_formatter.format(
        said.Said("A quarter.", {"share": 0.25, "name": "cat", "count": 3})
    )
    assert data["text/markdown"] == data["text/plain"] == "A quarter."
    output = nbformat.v4.new_output("display_data", data, metadata=metadata)
    cell = nbformat.v4.new_code_cell("Said(...)", outputs=[output])
    nbformat.write(
        nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# A"), cell]),
        tmp_path / "01_tiny.ipynb",
    )
    return tmp_path


@pytest.mark.parametrize(
    "text, shown", [("share .0%", "25%"), ("share +.3f", "+0.250"), ("name s", "cat"), ("count d", "3")]
)
def test_a_value_has_the_format_that_is_asked_for(folder, text, shown):
    assert page_values.shown(folder, f"01_tiny {text}") == shown


def test_a_value_that_is_not_there(folder):
    with pytest.raises(
        ValueError,
        match="01_tiny has no value 'shere' for other pages, but count, name, share: run `make book`",
    ):
        page_values.shown(folder, "01_tiny shere d")
