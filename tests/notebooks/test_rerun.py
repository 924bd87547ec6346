"""The end of each page: commands that work as they stand, and links of a form that Binder and Colab take."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from contextlib import nullcontext
from html import unescape
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from sphinx.errors import ConfigError

from contrastlib.report.notebooks import execution
from contrastlib.report.pages import parts as page_parts
from contrastlib.report.pages import sphinx_ext
from contrastlib.report.pages.download_note import note
from contrastlib.report.results.provenance import REPOSITORY as ROOT
from contrastlib.report.results.storage import load

STORED = execution.find([])
KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}


def commands(text):
    return re.findall(r"(?s)```bash\n(.*?)\n```", text)


def words(command):
    return shlex.split(command.replace("\\\n", ""))


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_commands_of_the_notebooks(path):
    """Each names its notebook; the second changes a number, where the notebook has one."""
    stored = nbformat.read(path, as_version=4)
    first, *others = commands(page_parts.section(path.stem, stored))
    program, source, _, *options = words(first)
    assert (program, source) == (".venv/bin/papermill", f"notebooks/{path.name}") and options == [
        "--cwd",
        "notebooks",
    ]
    assert bool(others) == any(type(value) in (int, float) for value in execution.defaults(path).values())
    for second in others:
        option, name, value = words(second)[5:]
        assert option == "-p" and value != str(execution.defaults(path)[name])


def test_the_time_and_the_memory_of_recorded_results(tmp_path, monkeypatch):
    """The sum and the largest of the tables that the stamp of a notebook names, and that are there."""
    stored = "data/results/real/masking_table-{}.parquet"
    tables = [stored.format(network) for network in ("efficientnet_lite0", "mobilenet_v2")]
    hours = sum(load(ROOT / table).attrs["provenance"]["seconds"] for table in tables) / 3600
    others = ["file data/results/real", "file contrastlib/version.parquet", f"file {stored.format('gone')}"]
    stamp = {"inputs": dict.fromkeys([*(f"file {table}" for table in tables), *others])}
    (tmp_path / "04_masking.json").write_text(json.dumps(stamp))
    said = page_parts.recorded_cost("04_masking", tmp_path)
    assert hours > 0.01 and f" took {hours:.1f} hours of computing" in said
    records = iter([{"seconds": 3600, "memory": 2048}, {"seconds": 7200}])
    monkeypatch.setattr(page_parts, "provenance_of", lambda table: next(records))
    said = page_parts.recorded_cost("04_masking", tmp_path)
    assert said.endswith(" took 3.0 hours of computing, and a process up to 2.0 GiB of memory.")
    (tmp_path / "05_none.json").write_text(json.dumps({"inputs": {}}))
    assert (
        page_parts.recorded_cost("05_none", tmp_path) == page_parts.recorded_cost("06_gone", tmp_path) == ""
    )


def test_commands_in_a_shell(repository, tmp_path):
    """As a page shows them, in the repository's folder: with the page's own parameters, and with another."""
    repository.notebook(
        "01_tiny", "print(n, name, pairs)", parameters="n = 1\nname = 'a'\npairs = {'a': [1, None]}"
    )
    given = {"n": 3, "name": "an 'owl'", "pairs": {"b": [2, None]}}
    execution.execute(
        repository.root / "notebooks/01_tiny.ipynb", tmp_path / "executed.ipynb", given, stored=True
    )
    (repository.root / ".venv").symlink_to(Path(sys.prefix))
    text = page_parts.section("01_tiny", nbformat.read(tmp_path / "executed.ipynb", 4)).replace(
        "/tmp/", f"{tmp_path}/"
    )
    printed = []
    for command in commands(text):
        subprocess.run(command, shell=True, cwd=repository.root, check=True, capture_output=True)
        cells = nbformat.read(tmp_path / "01_tiny.ipynb", 4).cells
        printed.append(cells[-1].outputs[0].text)
    assert printed == ["3 an 'owl' {'b': [2, None]}\n", "2 an 'owl' {'b': [2, None]}\n"]


@pytest.fixture
def build(tmp_path, monkeypatch, sphinx_build):
    """``build(repository, branch, address)``: the HTML of a book of two texts and a notebook, no warnings."""

    def call(repository="", branch="", address=""):
        source, output = tmp_path / "source", tmp_path / "html"
        (source / "book" / "executed").mkdir(parents=True)
        (source / "index.md").write_text("# Text\n\n```{toctree}\nbook/rerun\nbook/executed/01_tiny\n```\n")
        (source / "book" / "rerun.md").write_text("# Rerun\n\nEverything.\n")
        cells = [nbformat.v4.new_markdown_cell(note("01_tiny") + "\n\n# Tiny\n\n## Part"),
                 nbformat.v4.new_code_cell("n = 2", metadata={"tags": ["parameters"]})]  # fmt: skip
        language = {"name": "python", "pygments_lexer": "ipython3"}
        notebook = nbformat.v4.new_notebook(
            cells=cells, metadata={"kernelspec": KERNEL, "language_info": language}
        )
        nbformat.write(notebook, source / "book/executed/01_tiny.ipynb")
        options = (
            "extensions=myst_nb,contrastlib.report.pages.sphinx_ext",
            "html_theme=sphinx_book_theme",
            "nb_execution_mode=off",
            f"html_baseurl={address}",
        )
        monkeypatch.setenv("REPOSITORY", repository)
        monkeypatch.setenv("BRANCH", branch)
        sphinx_build("-C", *(f"-D{option}" for option in options), source, output)
        names = ("index", "book/rerun", "book/executed/01_tiny")
        return [(output / f"{name}.html").read_text() for name in names]

    return call


def downloaded(folder):
    """The notebook that the page offers for download."""
    return nbformat.read(folder / "html/_sources/book/executed/01_tiny.ipynb", as_version=4)


def readable(html):
    return unescape(re.sub(r"<[^>]+>", "", html))


LAUNCHED = r'https://(?:github|gitlab|mybinder|colab)\.[^"\s<]+'


def test_without_a_repository(build, tmp_path):
    """The section is there, no button, and no link to any of the hosts."""
    text, page, notebook = build()
    assert 'id="rerun-this-page"' in text and "make book" in readable(text)
    assert 'id="rerun-this-page"' not in page
    assert "papermill notebooks/01_tiny.ipynb" in readable(notebook) and 'href="../rerun.html"' in notebook
    for html in (text, page, notebook):
        ours = html.replace(
            "https://github.com/executablebooks", ""
        )  # the theme names itself in a comment or footer
        assert not re.findall(LAUNCHED, ours)
        assert "launch-buttons" not in html and "fa-github" not in html
    assert "This notebook needs" not in notebook
    assert downloaded(tmp_path).cells[0].source == note("01_tiny") + "\n\n# Tiny\n\n## Part"


def test_with_a_repository(build, tmp_path):
    """Buttons lead to the notebook that the repository holds; the text names what Colab needs."""
    text, _, notebook = build("https://github.com/owner/name.git", "draft", "https://owner.github.io/name")
    assert "https://mybinder.org/v2/gh/owner/name/draft?urlpath=lab/tree/notebooks/01_tiny.ipynb" in notebook
    assert (
        "https://colab.research.google.com/github/owner/name/blob/draft/notebooks/01_tiny.ipynb" in notebook
    )
    assert (
        "git clone --quiet --depth 1 --branch draft https://github.com/owner/name /content/name"
        in readable(notebook)
    )
    assert 'href="https://github.com/owner/name"' in text and "mybinder" not in text
    assert "_sources/book/executed/01_tiny.ipynb" in notebook, (
        "what the page offers to download is the executed one"
    )
    first = downloaded(tmp_path).cells[0].source.splitlines()[0]
    assert "`git clone https://github.com/owner/name`, then `make lab`" in first
    assert "Its page: <https://owner.github.io/name/book/executed/01_tiny.html>." in first
    assert "This notebook needs" not in readable(notebook)


def test_on_gitlab(build):
    """Binder alone: Colab opens nothing from there."""
    *_, notebook = build("https://gitlab.com/owner/name")
    assert "https://mybinder.org/v2/gl/owner%2Fname/main?urlpath=lab/tree/notebooks/01_tiny.ipynb" in notebook
    assert "colab" not in notebook.lower()


def test_a_clone_without_executed_notebooks(tmp_path, forked):
    """A plain `jupyter-book build .` says what to run, before it reads a page."""
    for name in ("_config.yml", "_toc.yml"):
        shutil.copy(execution.CODE / name, tmp_path)
    (tmp_path / "book").mkdir()
    (tmp_path / "book/index.md").write_text("# Index\n")

    def build():
        from jupyter_book.cli.main import main

        main(["build", "."])

    status, said = forked(build, tmp_path)
    assert status != 0
    said = " ".join(said.split())
    assert f"{len(STORED)} of the {len(STORED)} notebooks in _toc.yml are not executed yet" in said
    first = re.search(r"book/executed/\w+", (tmp_path / "_toc.yml").read_text())[0]
    assert f"{first}.ipynb is not there" in said and "Run `make book`" in said


@pytest.mark.parametrize("present", [True, False])
def test_each_notebook_of_the_contents_is_looked_for(tmp_path, present):
    (tmp_path / "_toc.yml").write_text(
        "root: book/index\nchapters:\n- file: book/executed/01_tiny\n- file: book/rerun\n"
    )
    (tmp_path / "book/executed").mkdir(parents=True)
    if present:
        (tmp_path / "book/executed/01_tiny.ipynb").touch()
    with nullcontext() if present else pytest.raises(ConfigError, match="1 of the 1 notebooks.*make book"):
        sphinx_ext.check_notebooks(SimpleNamespace(srcdir=tmp_path), None)


@pytest.mark.parametrize(
    "address", ["owner/name", "https://github.com/owner", "http://github.com/owner/name"]
)
def test_wrong_address(address):
    with pytest.raises(ConfigError, match=f"REPOSITORY={address} is no address such as https://github.com"):
        sphinx_ext.offer_buttons(None, SimpleNamespace(rerun_repository=address))
