"""``python -m contrastlib run``: execute the notebooks that are out of date."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing import active_children, get_context
from multiprocessing.process import BaseProcess
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any

from tqdm import tqdm

from contrastlib.assets.writing import check_writable, writing
from contrastlib.cli import arguments as types
from contrastlib.cli import failures, workers

PATIENCE = 10
"""Seconds in which a process ends its kernel after Ctrl-C."""

Plan = list[tuple[Path, dict[str, Any]]]
"""Notebooks, each with the parameters whose values differ from those in it."""


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the command ``run``."""
    parser = subparsers.add_parser(
        "run",
        help="execute the notebooks of the report that are out of date",
        description="Execute with papermill the notebooks whose cells, parameters, code or data changed, as "
        "many at a time as there are processors. Executed notebooks are written to book/executed, those of "
        "other profiles than quick to a folder in it.",
    )
    parser.add_argument(
        "notebook", type=types.name, nargs="*", help=("names such as 03_maps; all when none is given")
    )
    parser.add_argument(
        "--profile",
        type=types.name,
        default="quick",
        help=("values from notebooks/profiles: quick (default), real or paper"),
    )
    parser.add_argument(
        "-p",
        dest="parameters",
        nargs=2,
        metavar=("NAME", "VALUE"),
        action="append",
        default=[],
        help="a value, in YAML, for a parameter of these notebooks, such as 1e-3, None or [1, 2]; paths are "
        "relative to this folder; may be repeated",
    )
    parser.add_argument(
        "--page",
        action="store_true",
        help="also make one HTML page of each notebook, beside those of the book, which it never replaces",
    )
    parser.add_argument("--force", action="store_true", help="also execute those that are up to date")
    parser.add_argument(
        "--save",
        action="store_true",
        help="write the outputs of the quick profile into notebooks/ itself, computed without downloaded "
        "data, and without their scripts",
    )
    workers.add_options(parser)
    parser.set_defaults(func=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command.

    Returns:
        The exit status, 0.

    Raises:
        NotebookFailed: A notebook failed.
        ValueError: There is no such notebook, profile or parameter, or a value is no YAML.
        DataError: A file cannot be written.
        ClusterError: The workers cannot be started, or no scheduler answers.
    """
    plan = _plan(arguments)
    with workers.cluster(arguments):
        (_save if arguments.save else _update)(plan, arguments)
    return 0


def _plan(arguments: argparse.Namespace) -> Plan:
    """The notebooks to check, with the values from the profile and from the command line."""
    from contrastlib.report.notebooks import execution

    if arguments.save and (arguments.profile != "quick" or arguments.parameters):
        raise ValueError("--save keeps the quick outputs: give no other profile and no parameters")
    values = execution.profile(arguments.profile)
    options = {name: _value(name, value) for name, value in arguments.parameters}
    plan = []
    for source in execution.find(arguments.notebook):
        changed = {source.stem: values.get(source.stem, {}) | options}
        plan.append((source, execution.parameters(source, values | changed)))
    return plan


def _value(name: str, text: str) -> Any:
    """The value of a parameter from the command line.

    Raises:
        ValueError: The text is no YAML or empty, its value is not plain, or it names a file that is not
            there.
    """
    from contrastlib.report.notebooks import parameter_values, staleness

    value = parameter_values.parsed(text, f"-p {name} {text.strip()!r}")
    if value is None and text.strip() not in parameter_values.NULL:
        raise ValueError(f"-p {name} {text!r} has no value: write null for none, or \"''\" for empty text")
    if name not in staleness.PATHS or not isinstance(value, str):
        return value
    path = Path(os.path.expanduser(value)).absolute()
    if not os.path.exists(path):
        raise ValueError(f"-p {name} {value!r}: there is no file {path}")
    return str(path)


def _update(plan: Plan, arguments: argparse.Namespace) -> None:
    """Execute the notebooks that are out of date."""
    from contrastlib.report.notebooks import execution

    quick, changed = arguments.profile == "quick", bool(arguments.parameters)
    folder = execution.EXECUTED / ("own" if changed else "" if quick else arguments.profile)
    environment = (execution.QUICK_ENVIRONMENT if quick else {}) | {"CONTRASTLIB_PICTURES": str(folder)}
    jobs = os.cpu_count() or 1 if quick else 1  # notebooks of other profiles use all processors themselves
    _each(partial(_update_one, folder, arguments.force, changed, arguments.page), plan, environment, jobs)


def _update_one(
    folder: Path, force: bool, show: bool, page: bool, source: Path, parameters: dict[str, Any]
) -> str:
    """Execute a notebook if it is out of date; what to report, with paths where the user gave parameters."""
    from contrastlib.report.notebooks import execution, staleness
    from contrastlib.report.pages import single_page

    output, own_page = folder / source.name, execution.PAGES / f"{source.stem}.own.html"
    if page:
        check_writable(own_page)
    reason = "as asked" if force else staleness.why_stale(source, output, parameters)
    message = f"{source.stem}: up to date"
    if reason:
        began = time.monotonic()
        peak = execution.execute(source, output, parameters)
        seconds = round(time.monotonic() - began)
        if folder == execution.EXECUTED:
            execution.keep_cost(source.stem, seconds, peak)
        message = f"{source.stem}: executed in {seconds} s ({reason})"
    paths = [output] if show or page else []
    if page:
        paths.append(own_page)
        with writing(own_page):
            single_page.write_page(output, own_page)
    return "\n  ".join([message, *map(str, paths)])


def _save(plan: Plan, _: argparse.Namespace) -> None:
    """Execute the notebooks and write them back, with their outputs."""
    from contrastlib.report.notebooks import execution

    with tempfile.TemporaryDirectory() as empty:  # so that no output shows a downloaded photograph
        environment = execution.QUICK_ENVIRONMENT | {"CONTRASTLIB_DATA": empty}
        _each(_save_one, plan, environment, jobs=os.cpu_count() or 1)


def _save_one(source: Path, _: dict[str, Any]) -> str:
    """Execute a notebook and write it back; a line that reports it."""
    from contrastlib.report.notebooks import execution

    check_writable(source)
    executed, before = execution.EXECUTED / "saved" / source.name, source.read_bytes()
    execution.execute(source, executed, {}, stored=True)
    if source.read_bytes() != before:
        raise execution.NotebookFailed(
            f"{source.name} was edited while it ran, and is left as it is: run it again"
        )
    executed.replace(source)
    return f"{source.stem}: saved"


def _each(
    work: Callable[[Path, dict[str, Any]], str],
    plan: Plan,
    environment: dict[str, str],
    jobs: int,
) -> None:
    """Call ``work`` for each notebook, in ``jobs`` processes, and print the results in the order of the plan.

    After the first failure no other notebook is started; those that are running finish, and are printed too.

    Raises:
        NotebookFailed: Some notebooks failed; the message has those of all of them. Or a process ended; it
            names the notebooks that were running.
    """
    from contrastlib.report.notebooks import execution

    forked = get_context("fork")  # a process for each: syntax trees are not safe between threads
    rows = {"initializer": _begin, "initargs": (forked.Value("i", 0), tqdm.get_lock())}
    with (
        execution.kernel_environment(environment),
        ProcessPoolExecutor(min(jobs, len(plan)), mp_context=forked, **rows) as pool,
        tqdm(total=len(plan), desc="notebooks", unit="notebook", disable=None) as bar,  # only on a terminal
    ):
        try:
            unprinted = _work_through(partial(pool.submit, partial(_until_terminated, work)), plan, jobs, bar)
        except KeyboardInterrupt:
            _end(active_children())
            raise
    for future in unprinted.values():
        if not future.exception():
            print(future.result())
    errors = {source.stem: future.exception() for source, future in unprinted.items() if future.exception()}
    cut_off = [name for name, error in errors.items() if isinstance(error, BrokenProcessPool)]
    if cut_off:
        raise execution.NotebookFailed(
            f"a process ended while {' and '.join(cut_off)} ran, probably because memory was short: close "
            f"other programs, and run one at a time, such as `python -m contrastlib run {cut_off[0]}`"
        )
    if errors and all(isinstance(error, execution.NotebookFailed) for error in errors.values()):
        raise execution.NotebookFailed("\n\n".join(map(str, errors.values())))
    for error in errors.values():
        raise error


def _end(workers: Sequence[BaseProcess]) -> None:
    """Terminate processes, each of which then ends its kernel, and kill those that take too long."""
    for worker in workers:
        worker.terminate()
    deadline = time.monotonic() + PATIENCE
    for worker in workers:
        worker.join(max(0, deadline - time.monotonic()))
        worker.kill()  # nothing happens if it has ended


def _work_through(
    submit: Callable[..., Future[str]],
    plan: Plan,
    jobs: int,
    bar: tqdm,
) -> dict[Path, Future[str]]:
    """Start the notebooks, at most ``jobs`` at a time, and print the results in the order of the plan.

    Returns:
        The started notebooks that are not printed: after a failure, those from the first one that failed or
        was still running.
    """
    waiting = _longest_first(plan) if jobs > 1 else list(plan)
    unprinted = [source for source, _ in plan]
    started: dict[Path, Future[str]] = {}
    running: set[Future[str]] = set()
    failed = False
    while running or (waiting and not failed):
        while waiting and not failed and len(running) < jobs:  # none is queued: after a failure it would run
            source, parameters = waiting.pop(0)
            try:
                started[source] = submit(source, parameters)
            except BrokenProcessPool as error:  # a process has just ended
                started[source] = Future()
                started[source].set_exception(error)
            running.add(started[source])
        done, running = wait(running, return_when=FIRST_COMPLETED)
        bar.update(len(done))
        failed = failed or any(future.exception() for future in done)
        while not failed and unprinted and unprinted[0] in started and started[unprinted[0]].done():
            tqdm.write(started[unprinted.pop(0)].result())
    return {source: started[source] for source in unprinted if source in started}


def _longest_first(plan: Plan) -> Plan:
    """The notebooks in the order in which they are started, so that none of them runs alone at the end.

    Those whose time is not known are new, and come first.
    """
    from contrastlib.report.pages.parts import TIMES

    seconds = json.loads(TIMES.read_text(encoding="utf-8"))["seconds"] if TIMES.exists() else {}
    return sorted(plan, key=lambda each: -seconds.get(f"notebook {each[0].stem}", float("inf")))


def _begin(taken: Synchronized[int], lock: Any) -> None:
    """Prepare a process that runs notebooks, with its own line of the terminal below the bar of all of them.

    It ends with the process that started it. Ctrl-C is for that process, which then terminates this one.
    """
    from contrastlib.report.machines.process_lifetimes import end_with_parent
    from contrastlib.report.notebooks import execution

    end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(failures.INTERRUPTED))
    tqdm.set_lock(lock)
    with taken.get_lock():
        taken.value += 1
        execution.BAR_ROW.set(taken.value)


def _until_terminated(
    work: Callable[[Path, dict[str, Any]], str], source: Path, parameters: dict[str, Any]
) -> str:
    """Call ``work`` for a notebook. If this process is terminated meanwhile, it ends with the kernel.

    It would otherwise wait for the next notebook.
    """
    try:
        with failures.noted():
            return work(source, parameters)
    except SystemExit:
        os._exit(failures.INTERRUPTED)
