"""Parts of a page that its notebook does not have, or has elsewhere: verdicts on top, how to rerun it."""

import ast
import json
import re
import shlex
from pathlib import Path, PurePosixPath

from contrastlib.report.results.provenance import REPOSITORY
from contrastlib.report.results.storage import provenance_of

EXECUTED, SOURCES = PurePosixPath("book/executed"), PurePosixPath("notebooks")
TITLE = "## Rerun this page"
PROSE = f"""{TITLE}

This page is text with numbers from the notebooks. In the folder of the repository:

```bash
make book
```
"""
NOTEBOOK = """{title}

`make book` makes it from `{source}`. The same with papermill, in the folder of the repository after
`make install`:

```bash
{command}
```

{example}What can be changed: {names}. Other scales: [](../rerun.md).{cost}
"""
EXAMPLE = """With another value of a parameter:

```bash
{command}
```

"""
TESTED, LIMITS = "## How it was tested", "## What the numbers do not say"
BOX = """```{{verdict-box}} {name}
```

<p class="page-parts"><a href="#how-it-was-tested">How it was tested</a>
<a href="#what-the-numbers-do-not-say">What the numbers do not say</a>
<a href="#rerun-this-page">Rerun this page</a></p>
"""
TIMES = REPOSITORY / "data" / "results" / "benchmarks" / "build_times.json"
RECORDED = re.compile(r"file data/results/real/.*\.parquet")
"""A result at the scale real among the inputs of an executed notebook."""
COLAB = """
The rocket at the top opens Binder and Colab. Binder has all that is needed. Colab opens the \
notebook alone, so that its first cell has to be:

```ipython3
!git clone --quiet --depth 1 --branch {branch} {url} /content/{name}
%pip install --quiet --editable /content/{name} myst-nb anywidget
%cd /content/{name}/notebooks
import sys; sys.path.insert(0, "/content/{name}")
```
"""


def verdicts_on_top(cells: list[dict], name: str) -> list[dict]:
    r"""The cells of a notebook, with a box of verdicts below the title in place of the cell that has them.

    A reader of the page wants the verdicts first. In the notebook they follow the cells that compute them.
    What follows the box in the book has a heading, to which the box links, as to the limits of the numbers.

    >>> question = {"id": "question", "metadata": {}, "source": "# Title\n\nText"}
    >>> cells = verdicts_on_top([question, {"id": "measure"}, {"id": "verdicts"}], "03_maps")
    >>> [(cell["id"], cell.get("source")) for cell in cells[:3]]
    [('question', '# Title'), ('verdict-box', '```{verdict-box} 03_maps\n...'), ('text', '## How ...Text')]
    """
    rest = [cell for cell in cells if cell.get("id") != "verdicts"]
    if len(rest) == len(cells):
        return cells
    title, _, text = "".join(rest[0]["source"]).partition("\n\n")
    parts = {rest[0]["id"]: title, "verdict-box": BOX.format(name=name), "text": f"{TESTED}\n\n{text}"}
    return [*({**rest[0], "id": key, "source": part} for key, part in parts.items()), *rest[1:]]


def for_the_book(text: str) -> str:
    """Convert the links and targets of a notebook, which work in JupyterLab, to those of the book.

    Links to book/ become relative to the folder of the executed notebooks, the data cards are part of a page,
    and targets within pages become targets of Sphinx.

    >>> for_the_book("[one](05_corrections.ipynb#erratum-1), [how](../book/rerun.md)")
    '[one](#erratum-1), [how](../rerun.md)'
    >>> for_the_book("[cards](../data/README.md)")
    '[cards](../data.md)'
    >>> for_the_book('<a id="erratum-1"></a>')
    '(erratum-1)='
    """
    text = text.replace("](../book/", "](../").replace("](../data/README.md", "](../data.md")
    text = re.sub(r"\]\((?:\d\d_\w+\.ipynb)?#([\w-]+)\)", r"](#\1)", text)
    return re.sub(r'<a id=\\?"(?!figure-)([\w-]+)\\?"></a>', r"(\1)=", text)  # figures have their own


def section(name: str, notebook: dict) -> str:
    r"""Section in Markdown with the papermill command of an executed notebook, and one with another value.

    >>> def cell(tag, source):
    ...     return {"cell_type": "code", "source": source, "metadata": {"tags": [tag]}}
    >>> cells = [cell("parameters", "network = 'vgg'\nthreshold = 0.1")]
    >>> cells += [cell("injected-parameters", "network = 'b'")]
    >>> print(section("03_maps", {"cells": cells}))
    ## Rerun this page
    <BLANKLINE>
    `make book` makes it from `notebooks/03_maps.ipynb`. The same with papermill, ...
    .venv/bin/papermill notebooks/03_maps.ipynb /tmp/03_maps.ipynb \
      --cwd notebooks -r network b
    ...
    .venv/bin/papermill notebooks/03_maps.ipynb /tmp/03_maps.ipynb \
      --cwd notebooks -r network b -p threshold 0.2
    ...
    What can be changed: `network`, `threshold`. Other scales: [](../rerun.md). At the ...
    """
    defaults, injected = _assigned(notebook, "parameters"), _assigned(notebook, "injected-parameters")
    other = next(
        ({key: 2 * value} for key, value in defaults.items() if type(value) in (int, float) and value), None
    )
    return NOTEBOOK.format(
        title=TITLE,
        source=SOURCES / f"{name}.ipynb",
        command=command(name, injected),
        example=EXAMPLE.format(command=command(name, injected | other)) if other else "",
        names=", ".join(f"`{key}`" for key in defaults),
        cost=cost(name) + recorded_cost(name),
    )


def cost(name: str) -> str:
    """A sentence on the time and the memory that a notebook took at the scale quick, if they were measured.

    >>> cost("03_maps")
    ' At the scale *quick* it took ... seconds... on 2 processors.'
    >>> cost("99_none")
    ''
    """
    record = json.loads(TIMES.read_text(encoding="utf-8"))
    step = f"notebook {name}"
    if step not in record["seconds"]:
        return ""
    took = f"{record['seconds'][step]} seconds"
    if step in record.get("memory", {}):
        took += f" and {record['memory'][step] / 1024:.1f} GiB of memory"
    return f" At the scale *quick* it took {took} on {record['processors']} processors."


def recorded_cost(name: str, executed: Path = REPOSITORY / EXECUTED) -> str:
    """A sentence on time and memory of the results at the scale real that an executed notebook has read.

    Results that were computed before the memory was recorded do not count for it.

    Args:
        name: Name of the notebook.
        executed: Folder of the executed notebooks and of the stamps with what they have read.

    Returns:
        The sentence, with a space before it. Empty if the notebook has read none.

    >>> recorded_cost("99_none")
    ''
    """
    stamp = executed / f"{name}.json"
    if not stamp.is_file():
        return ""
    inputs = json.loads(stamp.read_text(encoding="utf-8"))["inputs"]
    read = [REPOSITORY / key.removeprefix("file ") for key in inputs if RECORDED.fullmatch(key)]
    records = [provenance_of(table) for table in read if table.is_file()]
    if not records:
        return ""
    took = f"{sum(record.get('seconds', 0) for record in records) / 3600:.1f} hours of computing"
    if memory := max(record.get("memory", 0) for record in records):
        took += f", and a process up to {memory / 1024:.1f} GiB of memory"
    return f" The results at the scale *real* that it reads took {took}."


def command(name: str, values: dict) -> str:
    r"""The papermill command, for a shell in the folder of the repository.

    >>> print(command("04_masking", {"threshold": 0.2, "networks": {"birds_vgg": ["birds", None]}}))
    .venv/bin/papermill notebooks/04_masking.ipynb /tmp/04_masking.ipynb \
      --cwd notebooks -p threshold 0.2 -y '{"networks": {"birds_vgg": ["birds", null]}}'
    """
    words = ["--cwd", str(SOURCES)]
    for key, value in values.items():
        if isinstance(value, str):
            words += ["-r", key, value]
        elif isinstance(value, (bool, int, float)):
            words += ["-p", key, str(value)]
        else:
            words += ["-y", json.dumps({key: value})]
    return f".venv/bin/papermill {SOURCES / name}.ipynb /tmp/{name}.ipynb \\\n  {shlex.join(words)}"


def _assigned(notebook: dict, tag: str) -> dict:
    """Plain values that the cell with a tag assigns."""
    values = {}
    for cell in notebook["cells"]:
        if tag in cell["metadata"].get("tags", []):
            for statement in ast.parse("".join(cell["source"])).body:
                values[statement.targets[0].id] = ast.literal_eval(statement.value)
    return values
