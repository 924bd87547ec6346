"""Comparison of an executed notebook with its inputs, to decide whether it must be executed again.

A notebook depends on its own cells (without outputs), its parameters, the pinned environment, the registries
in ``$CONTRASTLIB_REGISTRY``, whether unreadable images are skipped, and every file of this repository and of
``$CONTRASTLIB_DATA`` that its kernel read, listed or searched for. Audit events report these files, see
:func:`contrastlib.report.notebooks.kernel_startup.watch`: modules of contrastlib, including those imported
late, registries, weights, results, data, and files that did not exist. Code that checks whether a file
exists, or that lets a compiled library read it, raises the event with ``sys.audit("contrastlib.file",
path)``. While all of these are unchanged, another execution would read the same files and run the same code.
States are hashes of contents. The state of a Python file is the hash of its syntax tree, as for the versions
of studies (:func:`contrastlib.report.computing.code_digest.syntax`), so that comments and docstrings do not
count.
"""

import hashlib
import importlib.util
import json
import os
import re
import sys
from pathlib import Path

import nbformat

from contrastlib import assets
from contrastlib.assets.writing import PART, replacing
from contrastlib.report.computing.code_digest import syntax

REPOSITORY = Path(__file__).resolve().parents[3]
PATHS = ("photo", "measurements")
"""Parameters that are paths of the user's files. ``contrastlib run`` takes them from where the user is."""
DATA = "$CONTRASTLIB_DATA"
CACHE = REPOSITORY / "data" / "results" / "cache"
"""Cache of results that can be computed again. Its files are no inputs."""
MISSING = "missing"


def watched() -> list[Path]:
    """Folders whose files a notebook can depend on or create."""
    folders = "contrastlib", "notebooks", "data", "book/claims", "book/corrections", "book/executed"
    return [*(REPOSITORY / name for name in folders), assets.root()]


def write_stamp(output: Path, began_with: dict[str, str], log: Path, started: float) -> None:
    """Write the inputs of an executed notebook to a stamp in the same folder.

    Args:
        output: Path of the executed notebook.
        began_with: :func:`recipe` of the notebook before its execution.
        log: Path of the log of :func:`contrastlib.report.notebooks.kernel_startup.watch`.
        started: Time of the start. Files that were modified later count as changed.
    """
    touched = [line.split(" ", 1) for line in os.fsdecode(log.read_bytes()).splitlines()]
    written = {path for kind, path in touched if kind == "write"}
    stamp = {
        **began_with,
        "output": _hash(output.read_bytes()),
        "made": sorted(_shorten(path) for path in written if _counts(path) and Path(path).exists()),
        "inputs": {key: _state(key, started) for key in _inputs(touched, written)},
    }
    with replacing(_stamp(output)) as unfinished:
        unfinished.write_text(json.dumps(stamp, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def why_stale(source: Path, output: Path, parameters: dict) -> str:
    """Reason to execute a notebook again. Empty if there is none.

    Args:
        source: Path of the notebook.
        output: Path of the executed notebook.
        parameters: Parameters that differ from those of the notebook.

    Returns:
        The reason in words.
    """
    try:
        stamp = _read_stamp(output)
        executed = _hash(output.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return "not executed yet"
    except (OSError, ValueError, RecursionError):
        return "its stamp is damaged"
    if stamp["output"] != executed:
        return "the executed notebook was edited"
    for what, state in recipe(source, parameters).items():
        if stamp.get(what) != state:
            return f"the {what} changed"
    for name in stamp["made"]:
        if not _find(name).exists():
            return f"{name} is gone"
    for key, state in stamp["inputs"].items():
        if _state(key) != state:
            return f"{key.split(' ', 1)[1]} changed"
    return ""


def _stamp(output: Path) -> Path:
    return output.with_suffix(".json")


def _read_stamp(output: Path) -> dict:
    """The stamp of an executed notebook.

    Raises:
        OSError: It cannot be read.
        ValueError: It does not have the form of a stamp.
    """
    stamp = json.loads(_stamp(output).read_text(encoding="utf-8"))
    if not isinstance(stamp, dict) or not isinstance(stamp.get("output"), str):
        raise ValueError("no stamp")
    made, inputs = stamp.get("made"), stamp.get("inputs")
    if not isinstance(made, list) or not all(isinstance(name, str) for name in made):
        raise ValueError("no list of made files")
    if not isinstance(inputs, dict) or not all(re.match("(file|list) .", key) for key in inputs):
        raise ValueError("no inputs")
    return stamp


def recipe(source: Path, parameters: dict) -> dict[str, str]:
    """Hashes of what a notebook depends on besides the files that its kernel uses.

    Args:
        source: Path of the notebook.
        parameters: Parameters that differ from those of the notebook.

    Returns:
        What -> hash: the notebook, its parameters, its environment, and the content of the files that are
        parameters.
    """
    notebook = nbformat.read(source, as_version=4)
    cells = [[cell.cell_type, cell.source, cell.metadata] for cell in notebook.cells]
    pinned = REPOSITORY / "constraints.txt"
    machinery = [_contents(Path(__file__).with_name(name)) for name in ("kernel_startup.py", "execution.py")]
    pins = pinned.read_text(encoding="utf-8") if pinned.exists() else ""
    own = [_contents(path) for path in assets.own_registries() if path.is_file()]
    skipped = os.environ.get("CONTRASTLIB_SKIP_UNREADABLE") == "1"
    environment = [sys.version_info[:2], pins, machinery, own, skipped]
    parts = {"notebook": cells, "parameters": parameters, "environment": environment}
    parts |= {
        f"content of {name}": _contents(Path(parameters[name]))
        for name in PATHS
        if isinstance(parameters.get(name), str) and Path(parameters[name]).is_file()
    }
    return {what: _hash(json.dumps(value, sort_keys=True).encode()) for what, value in parts.items()}


def _inputs(touched: list[list[str]], written: set[str]) -> list[str]:
    """Keys ``KIND PATH`` of all files that were read, listed or searched for.

    Files that the notebook created are left out.
    """
    keys = set()
    for kind, path in touched:
        if kind == "read" and "__pycache__" in path:
            path = importlib.util.source_from_cache(path)
        if path in written or not _counts(path):
            continue
        if kind != "list":
            keys.add(f"file {_shorten(path)}")
        elif _holds_data(path):  # other folders are listed by imports
            keys.add(f"list {_shorten(path)}")
    return sorted(keys)


def _counts(path: str) -> bool:
    return "__pycache__" not in path and not Path(path).is_relative_to(CACHE)


def _holds_data(path: str) -> bool:
    return Path(path).is_relative_to(REPOSITORY / "data") or Path(path).is_relative_to(assets.root())


def _shorten(path: str) -> str:
    """Path with its root replaced by a name, so that the data can be moved."""
    for root, name in ((assets.root(), DATA), (REPOSITORY, "")):
        if Path(path).is_relative_to(root):
            return (Path(name) / Path(path).relative_to(root)).as_posix()
    return path


def _find(name: str) -> Path:
    return assets.root() / name.removeprefix(DATA).lstrip("/") if name.startswith(DATA) else REPOSITORY / name


def _state(key: str, started: float = float("inf")) -> str:
    kind, name = key.split(" ", 1)
    path = _find(name)
    if not path.exists():
        return MISSING
    if kind == "list":
        entries = path.iterdir() if path.is_dir() else ()
        names = sorted(each.name for each in entries if each != CACHE and not PART.fullmatch(each.name))
        return _hash(os.fsencode("\n".join(names)))
    if path.is_dir():
        return "folder"
    return "changed while the notebook ran" if path.stat().st_mtime > started else _contents(path)


def _contents(path: Path) -> str:
    content = path.read_bytes()
    if path.suffix == ".py":
        try:
            return _hash(syntax(content.decode()).encode())
        except (SyntaxError, ValueError):  # also bytes that are no text
            pass  # the import says so
    return _hash(content)


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
