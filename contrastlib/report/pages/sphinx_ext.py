"""Sphinx extension: each page ends with the command that creates it, and links to services that run it.

With the address of a repository (``make book REPOSITORY=https://github.com/owner/name BRANCH=main``) the
theme shows its buttons: the repository, and Binder and Colab on the pages of notebooks. Without an address it
shows none.
"""

import json
import os
import re
from pathlib import Path, PurePosixPath

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinxcontrib.bibtex.plugin import register_plugin

from contrastlib.report.pages.captions import with_captions
from contrastlib.report.pages.citation import AuthorAndYear, Citation, cite_this_page
from contrastlib.report.pages.claim_records import write_claims
from contrastlib.report.pages.claims import ClaimsDirective, VerdictRole
from contrastlib.report.pages.contrast_table import ContrastTable
from contrastlib.report.pages.corrections import CorrectionsDirective, LetterDirective, write_corrections
from contrastlib.report.pages.decision_table import DecisionTable
from contrastlib.report.pages.download_note import complete_note, without_note
from contrastlib.report.pages.explainer_table import ExplainerTable
from contrastlib.report.pages.families import FamiliesTable
from contrastlib.report.pages.fault_table import FaultTable
from contrastlib.report.pages.findings import FindingsDirective, InBrief
from contrastlib.report.pages.folds import folds, with_folded_code, with_folds
from contrastlib.report.pages.fuzz import RandomInputs
from contrastlib.report.pages.glossary import OBJECT, GlossaryTerms, mark_terms
from contrastlib.report.pages.install_lines import Install
from contrastlib.report.pages.licences import write_licences
from contrastlib.report.pages.live import LiveNetwork
from contrastlib.report.pages.member_folds import MemberFold, close_fold, fold_members, open_fold
from contrastlib.report.pages.one_by_one import OneByOne
from contrastlib.report.pages.package_reference import PackageReference
from contrastlib.report.pages.parts import (
    COLAB,
    EXECUTED,
    PROSE,
    SOURCES,
    for_the_book,
    section,
    verdicts_on_top,
)
from contrastlib.report.pages.registry_table import RegistryTable
from contrastlib.report.pages.values import ValueRole
from contrastlib.report.pages.verdict_box import VerdictBox

UNDECLARED = {"sphinx_multitoc_numbering", "sphinx_jupyterbook_latex"}
"""Extensions that do not say whether they may read pages in parallel. They keep nothing while they read."""
ADDRESS = re.compile(r"(?P<url>https://(?P<host>github|gitlab)\.com/[\w.-]+/(?P<name>[\w.-]+?))(\.git)?/?")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the options, directives and event handlers. Called by Sphinx."""
    register_plugin("sphinxcontrib.bibtex.style.referencing", "author_and_year", AuthorAndYear)
    app.add_config_value("rerun_repository", os.environ.get("REPOSITORY", ""), "env", str)
    app.add_config_value("rerun_branch", os.environ.get("BRANCH") or "main", "env", str)
    app.connect("config-inited", check_notebooks)
    app.connect("config-inited", number_no_figures, priority=900)
    app.connect("config-inited", work_in_parallel)
    app.connect("config-inited", offer_buttons)
    app.connect("source-read", add_section)
    app.add_directive("claims", ClaimsDirective)
    app.add_role("verdict", VerdictRole())
    app.add_role("value", ValueRole())
    app.add_directive("verdict-box", VerdictBox)
    app.add_directive("findings", FindingsDirective)
    app.add_directive("in-brief", InBrief)
    app.add_directive("decision-table", DecisionTable)
    app.add_directive("install", Install)
    app.add_directive("citation", Citation)
    app.add_directive("one-by-one", OneByOne)
    app.add_directive("live-network", LiveNetwork)
    app.add_directive("glossary-terms", GlossaryTerms)
    app.add_object_type(OBJECT, OBJECT, objname="glossary term")
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
    app.add_node(MemberFold, html=(open_fold, close_fold))
    app.connect("doctree-resolved", fold_members)
    app.add_directive("random-inputs", RandomInputs)
    app.add_directive("registry-table", RegistryTable)
    app.connect("html-page-context", point_at_sources, priority=502)  # the theme adds its buttons at 501
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def number_no_figures(app: Sphinx, config: Config) -> None:
    """Leave the numbers of figures to the notebooks. Jupyter Book's extension for LaTeX sets the option."""
    config["numfig"] = False


def work_in_parallel(app: Sphinx, config: Config) -> None:
    """Read and write pages with all processors, which Jupyter Book offers no option for."""
    app.parallel = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for name in UNDECLARED & set(app.extensions):
        app.extensions[name].parallel_read_safe = True


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
    cells = with_folds(with_folded_code(notebook["cells"]), folds().get(page.name, {}))
    notebook["cells"] = verdicts_on_top(list(with_captions(cells)), page.name)
    text = section(page.name, notebook)
    found = ADDRESS.fullmatch(app.config.rerun_repository)
    if found and found["host"] == "github":
        text += COLAB.format(branch=app.config.rerun_branch, **found.groupdict())
    text += "\n" + cite_this_page(docname, first["source"], *where)
    notebook["cells"].append({"cell_type": "markdown", "id": "rerun", "metadata": {}, "source": text})
    source[0] = json.dumps(notebook)


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
