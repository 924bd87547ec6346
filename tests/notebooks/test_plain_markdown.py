r"""The stored notebooks where nothing of the book is: on a forge, in VS Code, in Notebook 7.

Their readers have CommonMark with tables and formulas between `$`, some tags of HTML, and a few forms of
output.
"""

import re

import nbformat
import pytest
from markdown_it import MarkdownIt
from mdit_py_plugins.amsmath import amsmath_plugin
from mdit_py_plugins.dollarmath import dollarmath_plugin

from contrastlib.report.claims.correction_records import corrections
from contrastlib.report.notebooks import execution

STORED = execution.find([])
PARSER = MarkdownIt("commonmark").enable("table")
PARSER.use(dollarmath_plugin, allow_labels=False, allow_space=False, allow_digits=False).use(amsmath_plugin)
FORMS = {"text/plain", "text/html", "text/markdown", "image/png", "image/jpeg", "image/svg+xml"}
LIMIT = 6e6  # characters in all outputs together
TAGS = {"a", "br", "details", "i", "small", "span", "sub", "summary"}  # that no reader's sanitizer takes out
MARKS = re.compile(r"\$|\*\*|\]\(|`|:::|\{[\w:-]+\}|^\([\w-]+\)=", re.MULTILINE)
every_notebook = pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)


def outputs(path):
    return [output for cell in nbformat.read(path, as_version=4).cells for output in cell.get("outputs", [])]


def texts(path):
    """Everything in Markdown: cells, and outputs."""
    cells = [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "markdown"]
    return cells + [
        output.data["text/markdown"] for output in outputs(path) if "text/markdown" in output.get("data", {})
    ]


def shown(text):
    """Characters that a reader sees, formulas and code left out, and pieces of HTML."""
    tokens = [token for block in PARSER.parse(text) for token in [block, *(block.children or [])]]
    return [t.content for t in tokens if t.type == "text"], [
        t.content for t in tokens if t.type.startswith("html_")
    ]


def unread(text):
    """What a reader would see of the Markdown itself."""
    words, html = shown(text)
    inside = [re.sub(r"<[^>]+>", "", each) for each in html]
    return [each for each in (*words, *inside) if MARKS.search(each)] + re.findall(
        r"(?m)^```\{.*|^\+\+\+.*|^%.*", text
    )


@pytest.mark.parametrize("text", [
    "{glue:text}`a`", "{cite:t}`a`", "::::{note}\n:::", "```{note}\n```", "(target)=\n# A", "costs $5",
    "a $x $ b", "<details><summary>Of $p_t$</summary>\n\ntext\n\n</details>",
    "<details>\n**bold**\n</details>", "% comment",
])  # fmt: skip
def test_what_only_the_book_reads_is_seen(text):
    assert unread(text)


@every_notebook
def test_markdown_is_read_by_any_reader(path):
    for text in texts(path):
        assert not unread(text)
        assert {tag for each in shown(text)[1] for tag in re.findall(r"</?(\w+)", each)} <= TAGS
        # VS Code takes a `$` at a letter or digit for a dollar, outside of a formula's own side
        formulas = re.sub(r"`[^`\n]+`|\\begin\{(\w+\*)\}(?s:.*?)\\end\{\1\}|\$\$[^$]+\$\$", "", text)
        assert not re.search(
            r"\w\$[^$\n]+\$|\$[^$\n]+\$\w", re.sub(r"(\W|^)\$[^$\n]+\$(?=\W|$)", r"\1", formulas)
        )


@every_notebook
def test_links_lead_to_files_and_targets(path):
    """Of the repository; a target is an identifier in the text, or a heading of another page."""
    for text in texts(path):
        for link in re.findall(r"\]\(([^)\s]+)\)", text):
            file, _, target = link.partition("#")
            if file.startswith("https://"):
                continue
            found = path.parent / file if file else path
            assert found.is_file(), link
            assert not target or target in targets(found), link


def targets(path):
    """Identifiers that links can lead to."""
    if path.suffix != ".ipynb":
        return set()
    found = set(re.findall(r'<(?:a|span) id="([\w-]+)"></', "\n".join(texts(path))))
    if path.stem == "05_corrections":
        assert found >= {each.anchor for each in corrections().values()}
    return found


@every_notebook
def test_outputs_are_of_forms_that_every_reader_draws(path):
    """VS Code says of another form that nothing draws it; images are there, not elsewhere."""
    for output in outputs(path):
        if output.output_type == "stream":
            continue
        assert set(output.data) <= FORMS and "text/plain" in output.data
        assert not re.search(r"""src=(?!["']?data:)""", output.data.get("text/html", ""))


def test_outputs_are_small():
    data = [
        content for path in STORED for output in outputs(path) for content in output.get("data", {}).values()
    ]
    assert sum(map(len, data)) < LIMIT
