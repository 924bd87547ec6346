"""Sphinx extension: each page ends with the command that creates it, and links to services that run it.

With the address of a repository (``make book REPOSITORY=https://github.com/owner/name BRANCH=main``) the
theme shows its buttons: the repository, and Binder and Colab on the pages of notebooks. Without an address it
shows none.
"""

import ast
import json
import os
import re
import shlex
from pathlib import Path, PurePosixPath

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config

from contrastlib.report.captions import captions, with_captions
from contrastlib.report.citation import Citation, cite_this_page
from contrastlib.report.claims_page import ClaimsDirective, VerdictRole, write_claims
from contrastlib.report.contrast_table import ContrastTable
from contrastlib.report.corrections_page import CorrectionsDirective, LetterDirective, write_corrections
from contrastlib.report.decision_table import DecisionTable
from contrastlib.report.download_note import complete_note, without_note
from contrastlib.report.explainer_table import ExplainerTable
from contrastlib.report.families_page import FamiliesTable
from contrastlib.report.fault_table import FaultTable
from contrastlib.report.findings import FindingsDirective
from contrastlib.report.fuzz_page import RandomInputs
from contrastlib.report.glossary import GlossaryTerms, mark_terms
from contrastlib.report.install_lines import Install
from contrastlib.report.licences import write_licences
from contrastlib.report.one_by_one import OneByOne
from contrastlib.report.package_reference import PackageReference
from contrastlib.report.verdict_box import VerdictBox

EXECUTED, SOURCES = PurePosixPath("book/executed"), PurePosixPath("notebooks")
ADDRESS = re.compile(r"(?P<url>https://(?P<host>github|gitlab)\.com/[\w.-]+/(?P<name>[\w.-]+?))(\.git)?/?")
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

{example}What can be changed: {names}. Other scales: [](../rerun.md).
"""
EXAMPLE = """With another value of a parameter:

```bash
{command}
```

"""
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


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the options, directives and event handlers. Called by Sphinx."""
    app.add_config_value("rerun_repository", os.environ.get("REPOSITORY", ""), "env", str)
    app.add_config_value("rerun_branch", os.environ.get("BRANCH") or "main", "env", str)
    app.connect("config-inited", check_notebooks)
    app.connect("config-inited", offer_buttons)
    app.connect("source-read", add_section)
    app.add_directive("claims", ClaimsDirective)
    app.add_role("verdict", VerdictRole())
    app.add_directive("verdict-box", VerdictBox)
    app.add_directive("findings", FindingsDirective)
    app.add_directive("decision-table", DecisionTable)
    app.add_directive("install", Install)
    app.add_directive("citation", Citation)
    app.add_directive("one-by-one", OneByOne)
    app.add_directive("glossary-terms", GlossaryTerms)
    app.connect("doctree-resolved", mark_terms)
    app.connect("build-finished", write_claims)
    app.add_directive("corrections", CorrectionsDirective)
    app.add_directive("letter", LetterDirective)
    app.connect("build-finished", write_corrections)
    app.connect("build-finished", write_licences)
    app.connect("build-finished", complete_downloads)
    app.add_directive("contrast-table", ContrastTable)
    app.add_directive("explainer-table", ExplainerTable)
    app.add_directive("families-table", FamiliesTable)
    app.add_directive("fault-table", FaultTable)
    app.add_directive("package-reference", PackageReference)
    app.add_directive("random-inputs", RandomInputs)
    app.connect("html-page-context", point_at_sources, priority=502)  # the theme adds its buttons at 501
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def check_notebooks(app: Sphinx, config: Config) -> None:
    """Check that the executed notebooks exist, which are pages of the book but not part of the repository.

    Raises:
        sphinx.errors.ConfigError: Some do not exist. The message has the command that creates them.
    """
    from sphinx.errors import ConfigError

    contents = Path(app.srcdir) / "_toc.yml"
    pages = (
        re.findall(rf"file:\s*({EXECUTED}/\S+)", contents.read_text(encoding="utf-8"))
        if contents.exists()
        else []
    )
    absent = [page for page in pages if not (contents.parent / f"{page}.ipynb").exists()]
    if absent:
        raise ConfigError(
            f"{len(absent)} of the {len(pages)} notebooks in _toc.yml are not executed yet "
            f"({absent[0]}.ipynb is not there). Run `make book`: it executes them, and builds the book."
        )


def offer_buttons(app: Sphinx, config: Config) -> None:
    """Set the options of the theme that the address of a repository allows.

    Raises:
        sphinx.errors.ConfigError: The address is not that of a repository on GitHub or GitLab.
    """
    from sphinx.errors import ConfigError

    if not config.rerun_repository:
        return
    found = ADDRESS.fullmatch(config.rerun_repository)
    if not found:
        raise ConfigError(
            f"REPOSITORY={config.rerun_repository} is no address such as https://github.com/owner/name "
            "(or https://gitlab.com/owner/name): correct it, or leave it out for a book without buttons"
        )
    launch = {"notebook_interface": "jupyterlab", "binderhub_url": "https://mybinder.org"}
    if found["host"] == "github":  # Colab supports GitHub only
        launch["colab_url"] = "https://colab.research.google.com"
    config.html_theme_options |= {
        "repository_url": found["url"],
        "repository_branch": config.rerun_branch,
        "use_repository_button": True,
        "launch_buttons": launch,
    }


def add_section(app: Sphinx, docname: str, source: list[str]) -> None:
    """Append the section to the source of a page. In a notebook it is a cell."""
    page = PurePosixPath(docname)
    where = app.config.copyright, app.config.html_baseurl
    if page.parent != EXECUTED:
        cited = cite_this_page(docname, source[0], *where)
        rerun = PROSE if page.name != "rerun" else ""  # that page consists of it
        source[0] += f"\n{rerun}\n{cited}"
        return
    notebook = json.loads(for_the_book(source[0]))
    first = notebook["cells"][0]
    first["source"] = without_note("".join(first["source"]))
    cells = with_captions(notebook["cells"], captions().get(page.name, {}))
    notebook["cells"] = verdicts_on_top(list(cells), page.name)
    text = section(page.name, notebook)
    found = ADDRESS.fullmatch(app.config.rerun_repository)
    if found and found["host"] == "github":
        text += COLAB.format(branch=app.config.rerun_branch, **found.groupdict())
    text += "\n" + cite_this_page(docname, first["source"], *where)
    notebook["cells"].append({"cell_type": "markdown", "id": "rerun", "metadata": {}, "source": text})
    source[0] = json.dumps(notebook)


def verdicts_on_top(cells: list[dict], name: str) -> list[dict]:
    r"""The cells of a notebook, with a box of verdicts below the title in place of the cell that has them.

    A reader of the page wants the verdicts first. In the notebook they follow the cells that compute them.

    >>> question = {"id": "question", "metadata": {}, "source": "# Title\n\nText"}
    >>> cells = verdicts_on_top([question, {"id": "measure"}, {"id": "verdicts"}], "03_maps")
    >>> [(cell["id"], cell.get("source")) for cell in cells[:3]]
    [('question', '# Title'), ('verdict-box', '```{verdict-box} 03_maps\n```'), ('text', 'Text')]
    """
    rest = [cell for cell in cells if cell.get("id") != "verdicts"]
    if len(rest) == len(cells):
        return cells
    title, _, text = "".join(rest[0]["source"]).partition("\n\n")
    box = f"```{{verdict-box}} {name}\n```"
    parts = {rest[0]["id"]: title, "verdict-box": box, "text": text}
    return [*({**rest[0], "id": key, "source": part} for key, part in parts.items()), *rest[1:]]


def for_the_book(text: str) -> str:
    """Convert the links and targets of a notebook, which work in JupyterLab, to those of the book.

    Links to book/ become relative to the folder of the executed notebooks, and targets within pages become
    targets of Sphinx.

    >>> for_the_book("[one](05_corrections.ipynb#erratum-1), [how](../book/rerun.md)")
    '[one](#erratum-1), [how](../rerun.md)'
    >>> for_the_book('<a id="erratum-1"></a>')
    '(erratum-1)='
    """
    text = text.replace("](../book/", "](../")
    text = re.sub(r"\]\((?:\d\d_\w+\.ipynb)?#([\w-]+)\)", r"](#\1)", text)
    return re.sub(r'<a id=\\?"([\w-]+)\\?"></a>', r"(\1)=", text)


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
    What can be changed: `network`, `threshold`. Other scales: [](../rerun.md).
    """
    own, given = _assigned(notebook, "parameters"), _assigned(notebook, "injected-parameters")
    other = next(
        ({key: 2 * value} for key, value in own.items() if type(value) in (int, float) and value), None
    )
    return NOTEBOOK.format(
        title=TITLE,
        source=SOURCES / f"{name}.ipynb",
        command=command(name, given),
        example=EXAMPLE.format(command=command(name, given | other)) if other else "",
        names=", ".join(f"`{key}`" for key in own),
    )


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


def point_at_sources(
    app: Sphinx, pagename: str, templatename: str, context: dict, doctree: nodes.document | None
) -> None:
    """Change the links of the theme to the notebooks of the repository.

    The repository does not contain executed notebooks.
    """
    for button in context.get("header_buttons", []):
        for link in (button, *button.get("buttons", [])):
            if link.get("url", "").startswith("https:"):  # others are pages of the book
                link["url"] = link["url"].replace(f"{EXECUTED}/", f"{SOURCES}/")


def complete_downloads(app: Sphinx, error: Exception | None) -> None:
    """Write the addresses of repository and book into the notebooks that pages offer for download."""
    if error is not None or app.builder.format != "html":
        return
    found = ADDRESS.fullmatch(app.config.rerun_repository)
    for path in (Path(app.outdir) / "_sources" / EXECUTED).glob("*.ipynb"):
        complete_note(path, found["url"] if found else "", app.config.html_baseurl)


def _assigned(notebook: dict, tag: str) -> dict:
    """Plain values that the cell with a tag assigns."""
    values = {}
    for cell in notebook["cells"]:
        if tag in cell["metadata"].get("tags", []):
            for statement in ast.parse("".join(cell["source"])).body:
                values[statement.targets[0].id] = ast.literal_eval(statement.value)
    return values
