"""Working copy of the notebooks for JupyterLab.

Opening and saving a copy does not change files of the repository. The folder ``lab/`` has copies of the
notebooks, links to ``book/`` and ``data/``, a start notebook, and the settings of JupyterLab. A copy is
updated when its notebook changes, unless its cells were edited.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

import nbformat
from ipykernel.ipkernel import IPythonKernel
from jupyter_client.kernelspec import KernelSpecManager

from contrastlib import assets
from contrastlib.assets.writing import writing
from contrastlib.report.results.provenance import REPOSITORY
from contrastlib.report.results.storage import RESULTS

FOLDER = REPOSITORY / "lab"
COPIES = ".copies.json"
"""Name of the file with the hashes of the copied cells and of the notebooks, by name."""
SETTINGS = {
    "@jupyterlab/docmanager-extension/plugin": {"defaultViewers": {"markdown": "Markdown Preview"}},
    "@jupyterlab/apputils-extension/notification": {"fetchNews": "false"},
    # no virtual cells, because with them the view jumps while outputs arrive
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none", "recordTiming": True},
}
BEGIN = ("03_maps", "11_explore", "12_your_picture", "04_masking")
START = """# Start here

The notebooks of the report *Why not other classes?*, each a section of a paper. This is a working copy: run
and change what you like. A copy that you did not edit follows the repository; one that you edited stays as it
is.

**How to run one**: open it and choose *Run → Run All Cells*. The cell below the question holds
the parameters, each with its range. A value that is not possible is refused before anything is computed.
Every notebook ends with *Try this*: a few lines on your own, and what to expect.

**Best to begin with**: {begin}.

| notebook | what it is about | takes |
|---|---|---|
{rows}

- `book/` holds the pages around the notebooks, `data/` the recorded results and the data cards
  ([what is where](data/README.md)).
- The times are of two processor cores, after a first run has kept what can be kept.
- Photographs and weights that could not come with the repository: `python -m contrastlib data`
  says where they are from.
"""


def prepare(folder: Path = FOLDER, notebooks: Path = REPOSITORY / "notebooks") -> list[str]:
    """Create or update the working copy.

    Args:
        folder: Folder of the working copy.
        notebooks: Folder of the notebooks of the repository.

    Returns:
        Messages for the user about copies that were updated, and about edited copies of which a new version
        exists.

    Raises:
        ValueError: There are no notebooks, as in an installation without the repository.
        CannotWrite: A file of the working copy cannot be written.
    """
    sources = sorted(notebooks.glob("*.ipynb"))
    if not sources:
        raise ValueError(
            f"there are no notebooks in {notebooks}: they are part of contrastlib's repository, but not of "
            "the installed package. Run the command in a clone of the repository"
        )
    with writing(folder):
        return _prepare(folder, notebooks, sources)


def _prepare(folder: Path, notebooks: Path, sources: Sequence[Path]) -> list[str]:
    """Create or update the working copy of some notebooks; the messages of :func:`prepare`."""
    (folder / "notebooks").mkdir(parents=True, exist_ok=True)
    for name in ("book", "data"):
        if not os.path.lexists(folder / name):
            (folder / name).symlink_to(REPOSITORY / name, target_is_directory=True)
    for file in notebooks.glob("matplotlibrc"):
        shutil.copy(file, folder / "notebooks")
    kept = folder / COPIES
    copies = _known_copies(kept)
    contents = {folder / "start.ipynb": nbformat.writes(start(sources)).encode()}
    contents |= {folder / "notebooks" / source.name: source.read_bytes() for source in sources}
    messages = [message for copy, content in contents.items() if (message := _refresh(copy, content, copies))]
    kept.write_text(json.dumps(copies, indent=1), encoding="utf-8")
    _write_settings(folder / ".jupyter")
    return messages


def start(sources: Iterable[Path]) -> nbformat.NotebookNode:
    """The start notebook, with an overview of the notebooks and their times.

    Args:
        sources: Paths of the notebooks.

    Returns:
        The notebook.
    """
    titles = {source.stem: _title(source) for source in sources}
    kept = RESULTS / "benchmarks" / "build_times.json"
    seconds = json.loads(kept.read_text(encoding="utf-8"))["seconds"] if kept.exists() else {}
    rows = "\n".join(
        f"| [{name}](notebooks/{name}.ipynb) | {title} | {_duration(seconds.get(f'notebook {name}'))} |"
        for name, title in titles.items()
    )
    begin = ", ".join(f"[{titles[name]}](notebooks/{name}.ipynb)" for name in BEGIN if name in titles)
    cell = nbformat.v4.new_markdown_cell(START.format(rows=rows, begin=begin), id="start")
    # what JupyterLab would write when the kernel connects, so that the notebook then counts as unchanged
    name = KernelSpecManager().get_kernel_spec("python3").display_name
    kernel = {"name": "python3", "display_name": name, "language": "python"}
    metadata = {"kernelspec": kernel, "language_info": IPythonKernel.language_info}
    return nbformat.v4.new_notebook(cells=[cell], metadata=metadata)


def environment(folder: Path = FOLDER) -> dict[str, str]:
    """Environment variables of the JupyterLab process.

    They set the settings and workspaces of the working copy, and the code of this clone and the data for
    kernels.

    Args:
        folder: Folder of the working copy.

    Returns:
        Name -> value.
    """
    own = folder / ".jupyter"
    return {
        **assets.environment(),
        "JUPYTERLAB_SETTINGS_DIR": str(own / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(own / "workspaces"),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH")])),
    }


def _known_copies(kept: Path) -> dict[str, dict]:
    """What is known of the copies. Nothing, if the file is missing or damaged: edited copies stay then."""
    try:
        copies = json.loads(kept.read_text(encoding="utf-8"))
        return {name: copy for name, copy in copies.items() if isinstance(copy, dict)}
    except (FileNotFoundError, ValueError, AttributeError, RecursionError):
        return {}


def _refresh(copy: Path, content: bytes, copies: dict[str, dict]) -> str:
    """Write the content to a copy if it has changed, and return a message for the user."""
    now, before = _digest(content), copies.get(copy.name, {})
    if copy.exists() and before.get("source") == now:
        return ""
    changes = copy.exists() and copy.read_bytes() != content
    if changes and before.get("cells") != _cells(copy):
        new = copy.with_name(f"{copy.stem}.new.ipynb")
        new.write_bytes(content)
        return f"{copy.name} was edited and stays as it is; its new version is {new.name}"
    copy.write_bytes(content)
    copies[copy.name] = {"source": now, "cells": _cells(copy)}
    return f"{copy.name} follows its new version" if changes else ""


def _cells(path: Path) -> str:
    """Hash of the cells without their outputs and metadata, which running a notebook changes.

    It is the hash of the whole file if a user made it something else.
    """
    try:
        notebook = nbformat.read(path, as_version=4)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, nbformat.ValidationError):
        return _digest(path.read_bytes())
    return _digest(json.dumps([[cell.cell_type, cell.source] for cell in notebook.cells]).encode())


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _title(source: Path) -> str:
    first = nbformat.read(source, as_version=4).cells[0].source
    return next(line.removeprefix("# ") for line in first.splitlines() if line.startswith("# "))


def _duration(seconds: int | None) -> str:
    if seconds is None:
        return "not measured"
    return f"{seconds} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def _write_settings(folder: Path) -> None:
    for plugin, values in SETTINGS.items():
        path = folder / "settings" / f"{plugin}.jupyterlab-settings"
        if not path.exists():  # a user may have changed them
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(values, indent=1), encoding="utf-8")
