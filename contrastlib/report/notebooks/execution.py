"""Execution of the notebooks: parameters from profiles, papermill, and reproducible outputs.

A notebook has one cell tagged ``parameters`` that assigns plain values, those of its ``quick`` scale. A
profile, ``notebooks/profiles/NAME.yaml``, has values for another scale. The working directory of a kernel is
the folder of the notebook.
"""

import ast
import difflib
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

import nbformat
import papermill
from nbclient.exceptions import DeadKernelError
from nbformat import NotebookNode

from contrastlib import assets
from contrastlib.assets.errors import one_line
from contrastlib.assets.writing import check_writable, sweep, write
from contrastlib.report.machines.allocation import ALLOCATION
from contrastlib.report.notebooks import kernel_provisioner, kernel_startup, parameter_values, staleness
from contrastlib.report.notebooks.executed_form import for_storage, normalise

REPOSITORY = staleness.REPOSITORY
CODE = REPOSITORY
"""Folder from which this package is imported."""
NOTEBOOKS = REPOSITORY / "notebooks"
EXECUTED = REPOSITORY / "book" / "executed"
PROFILES = NOTEBOOKS / "profiles"
PAGES = REPOSITORY / "_build" / "html" / "book" / "executed"

# For reproducible outputs: one thread, because the order of a sum depends on the number of threads, no dates
# in SVG, and no progress bars, whose text depends on the time.
QUICK_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
    "SOURCE_DATE_EPOCH": "315532800",
    "TQDM_DISABLE": "1",
}
BAR_ROW: ContextVar[int] = ContextVar("bar_row", default=0)
"""Line of the terminal for the progress of the notebooks that this process executes."""


class NotebookFailed(RuntimeError):
    """A notebook could not be executed to its end. The message says why, and where the partial result is."""

    exit_status = 1


def find(names: list[str]) -> list[Path]:
    """Notebooks with given names (``03_maps``, ``03``, ``maps`` or a path), or all notebooks, in order.

    Args:
        names: Names of notebooks. If empty, all notebooks are returned.

    Returns:
        Paths of the notebooks.

    Raises:
        ValueError: There is no such notebook. The message lists the most similar names.
    """
    _check_repository()
    known = {path.stem: path for path in sorted(NOTEBOOKS.glob("*.ipynb"))}
    if not names:
        return list(known.values())
    found = []
    for name in names:
        stem = Path(name).stem
        matches = [known[key] for key in known if stem in (key, *key.split("_", 1))]
        if len(matches) != 1:
            near = difflib.get_close_matches(stem, known, n=3) or known
            raise ValueError(f"no notebook {name!r} in {NOTEBOOKS}; there are {', '.join(near) or 'none'}")
        found += matches
    return list(dict.fromkeys(found))


def _check_repository() -> None:
    """Raise an error if this package was installed without the notebooks."""
    if not NOTEBOOKS.is_dir():
        raise ValueError(
            f"there are no notebooks: they are part of contrastlib's repository, but not of the installed "
            f"package, and there is no folder {NOTEBOOKS}. Run the command in a clone of the repository"
        )


def read(source: Path) -> NotebookNode:
    """Read a notebook.

    Raises:
        ValueError: The file cannot be read as a notebook.
    """
    try:
        return nbformat.read(source, as_version=4)
    except (
        OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, nbformat.ValidationError,
    ) as error:  # fmt: skip
        raise ValueError(
            f"{source} cannot be read as a notebook ({one_line(error)[:200]}): restore it with `git checkout`"
        ) from error


def defaults(source: Path) -> dict:
    """Names and values that the ``parameters`` cell of a notebook assigns.

    Args:
        source: Path of the notebook.

    Returns:
        Name -> value.

    Raises:
        ValueError: There is no such cell, or it has other statements than assignments of plain values.
    """
    tagged = [cell for cell in read(source).cells if "parameters" in cell.metadata.get("tags", [])]
    if len(tagged) != 1:
        raise ValueError(f"{source.name} has {len(tagged)} cells tagged `parameters` instead of one")
    values = {}
    try:
        statements = ast.parse(tagged[0].source).body
    except (SyntaxError, ValueError) as error:
        raise ValueError(f"the parameters cell of {source.name} is no Python: {error}") from error
    for statement in statements:
        try:
            if not isinstance(statement, ast.Assign) or len(statement.targets) > 1:
                raise ValueError
            values[statement.targets[0].id] = ast.literal_eval(statement.value)
        except (AttributeError, ValueError):
            raise ValueError(
                f"the parameters cell of {source.name} may only assign plain values, not "
                f"`{ast.unparse(statement)}`"
            ) from None
    return values


def profile(name: str) -> dict[str, dict]:
    """Values of a profile by notebook. Those under ``all`` are for every notebook that has such a parameter.

    Args:
        name: Name of the profile.

    Returns:
        Notebook -> name -> value.

    Raises:
        ValueError: There is no such profile, or its file cannot be read as one.
    """
    _check_repository()
    known = {path.stem: path for path in sorted(PROFILES.glob("*.yaml"))}
    if name not in known:
        raise ValueError(f"no profile {name!r}; there are {', '.join(known) or 'none'}")
    try:
        text = known[name].read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{known[name]} cannot be read: {error}") from error
    return parameter_values.parsed_profile(text, str(known[name]))


def parameters(source: Path, values: dict[str, dict]) -> dict:
    """Values of a profile that differ from those in the notebook.

    Args:
        source: Path of the notebook.
        values: Values of :func:`profile`.

    Returns:
        Name -> value.

    Raises:
        ValueError: The notebook has no such parameter.
    """
    known = defaults(source)
    changed = {key: value for key, value in (values.get("all") or {}).items() if key in known}
    changed |= values.get(source.stem) or {}
    for key in changed:
        if key not in known:
            raise ValueError(f"{source.stem} has no parameter {key!r}; it has {', '.join(known) or 'none'}")
    return {key: value for key, value in changed.items() if known[key] != value}


@contextmanager
def kernel_environment(values: dict[str, str]) -> Iterator[None]:
    """Set environment variables for all kernels that are started in the context, in any thread.

    Args:
        values: Variables, in addition to those of this process.
    """
    before = dict(os.environ)
    for name, value in ALLOCATION.items():
        os.environ.setdefault(name, value)
    os.environ.setdefault("JUPYTER_DEFAULT_PROVISIONER_NAME", kernel_provisioner.NAME)
    # The working directory of a kernel differs, so the paths must be absolute. A kernel imports the code of
    # this clone, even if the environment was installed from another clone.
    folders = [str(CODE), *filter(None, [os.environ.get("PYTHONPATH")])]
    own = {**assets.environment(), "PYTHONPATH": os.pathsep.join(folders)}
    os.environ.update(own | values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def execute(source: Path, output: Path, values: dict, stored: bool = False) -> int:
    """Run a notebook with papermill, normalise it, and write it if all cells succeed.

    The kernel has the environment of this process, see :func:`kernel_environment`.

    Args:
        source: Path of the notebook.
        output: Path of the executed notebook. A failed one is written to ``NAME.failed.ipynb`` in the same
            folder.
        values: Parameters to inject. If empty, those of the notebook remain.
        stored: Whether the result is stored in the repository. If True, the scripts of its outputs, which can
            be megabytes, are removed. If False, a stamp for
            :func:`contrastlib.report.notebooks.staleness.why_stale` is written.

    Returns:
        The largest memory of the kernel, in MiB.

    Raises:
        NotebookFailed: A cell raised an error, or the kernel ended.
        CannotWrite: The result or a temporary file cannot be written. This is checked before the notebook
            runs.
    """
    check_writable(output)
    for folder in (output.parent, *staleness.CACHE.parent.glob("*")):
        sweep(folder)
    failed = output.with_suffix(".failed.ipynb")
    with tempfile.TemporaryDirectory() as scratch:
        log, raw, started = Path(scratch) / "log", Path(scratch) / source.name, time.time()
        recipe = staleness.recipe(source, values)  # before it runs, and may be edited meanwhile
        check_writable(raw)
        first = f"__import__('runpy').run_path({kernel_startup.__file__!r})['prepare']"
        first += f"({str(log)!r}, {[str(folder) for folder in staleness.watched()]!r})"
        bar = {"desc": source.stem, "leave": False, "disable": None, "position": BAR_ROW.get()}
        try:
            papermill.execute_notebook(
                source,
                raw,
                values,
                kernel_name="python3",
                language="python",
                cwd=source.parent,
                progress_bar=bar,
                request_save_on_cell_execute=False,
                iopub_timeout=60,  # the default of 4 seconds is short for many outputs on a busy machine
                stderr_file=None if "TQDM_DISABLE" in os.environ else sys.stderr,
                extra_arguments=[f"--IPKernelApp.exec_lines={first}", "--IPKernelApp.log_level=CRITICAL"],
            )
        except papermill.PapermillExecutionError as error:
            write(failed, raw.read_bytes())
            raise NotebookFailed(
                f"{source.name} failed in cell {error.cell_index}, In [{error.exec_count}]:\n\n"
                f"{_indented(error.source)}\n\n{error.ename}: {error.evalue}\n\n"
                f"What ran so far, with the traceback: {failed}"
            ) from None
        except RuntimeError as error:
            if not isinstance(error, DeadKernelError) and not str(error).startswith("Kernel "):
                raise
            raise NotebookFailed(_dead(source)) from error
        text = normalise(raw.read_text(encoding="utf-8"))
        write(output, (for_storage(text) if stored else text).encode())
        if not stored:
            staleness.write_stamp(output, recipe, log, started)
        peak = int(Path(f"{log}{kernel_startup.PEAK}").read_text(encoding="utf-8"))
    failed.unlink(missing_ok=True)
    return peak


def _dead(source: Path) -> str:
    """What to say about a notebook whose kernel died or did not start."""
    return (
        f"{source.name}: its kernel ended, probably because memory was short: close other programs, and "
        f"run it alone with `python -m contrastlib run {source.stem}`"
    )


def keep_cost(name: str, seconds: int, peak: int) -> None:
    """Add a line to ``_build/times``: how long the notebook took, and its largest memory in MiB.

    ``python -m benchmarks.build_times`` keeps both.

    Args:
        name: Name of the notebook.
        seconds: How long it took.
        peak: Its largest memory, in MiB.
    """
    times = REPOSITORY / "_build" / "times"
    times.parent.mkdir(exist_ok=True)
    with times.open("a", encoding="utf-8") as lines:
        lines.write(f"notebook {name}\t{seconds}\t{peak}\n")


def _indented(source: str) -> str:
    return "\n".join(f"    {line}" for line in source.splitlines())
