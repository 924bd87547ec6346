"""``python -m contrastlib run``: execute the notebooks that are out of date."""

import os
import sys
import tempfile
import time
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from functools import partial
from multiprocessing import get_context

import yaml
from tqdm import tqdm

LONGEST = ("10_lrp", "02_input_space")  # begun first where several run at a time, so that none is left to run alone


def add_parser(subparsers):
    parser = subparsers.add_parser(
        "run",
        help="execute the report's notebooks, those that are out of date",
        description="Execute notebooks with papermill, as many at a time as there are processors, those whose cells, "
        "parameters, code or data changed. Executed notebooks go to book/executed; those of other profiles to a folder "
        "of their own in it.",
    )
    parser.add_argument("notebook", nargs="*", help="names such as 03_maps; all when none is given")
    parser.add_argument("--profile", default="quick", help="values from notebooks/profiles: quick (default), real or paper")
    parser.add_argument(
        "-p", dest="parameters", nargs=2, metavar=("NAME", "VALUE"), action="append", default=[],
        help="another value for a parameter of these notebooks, in YAML; may be repeated",
    )
    parser.add_argument(
        "--page", action="store_true",
        help="also make one HTML page of each, beside those of the book; those with other parameters never replace these",
    )
    parser.add_argument("--force", action="store_true", help="also those that are up to date")
    parser.add_argument(
        "--save", action="store_true",
        help="write the quick outputs into notebooks/ itself, computed without any downloaded data, their scripts left out",
    )
    parser.set_defaults(func=run)


def run(arguments):
    """Run the command; the exit status is 1 when a notebook failed, 2 when the command makes no sense."""
    try:
        from contrastlib.report import notebooks
    except ModuleNotFoundError as error:
        print(f"contrastlib run: {error.name} is not installed; run `pip install -e .[report]` in the repository",
              file=sys.stderr)
        return 2
    try:
        plan = _plan(arguments)
    except ValueError as error:
        print(f"contrastlib run: {error}", file=sys.stderr)
        return 2
    try:
        (_save if arguments.save else _update)(plan, arguments)
    except notebooks.NotebookFailed as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    return 0


def _plan(arguments):
    """The notebooks to look at, each with the values of its parameters that are not its own."""
    from contrastlib.report import notebooks

    if arguments.save and (arguments.profile != "quick" or arguments.parameters):
        raise ValueError("--save keeps the quick outputs: give no other profile and no parameters")
    values = notebooks.profile(arguments.profile)
    given = {name: _value(name, value) for name, value in arguments.parameters}
    return [
        (source, notebooks.parameters(source, values | {source.stem: (values.get(source.stem) or {}) | given}))
        for source in notebooks.find(arguments.notebook)
    ]


def _value(name, text):
    from contrastlib.report import notebooks

    try:
        return yaml.load(text, notebooks.Values)
    except yaml.YAMLError as error:
        problem = getattr(error, "problem", None) or "it cannot be read"
        raise ValueError(f"-p {name} {text!r} is no YAML: {problem}; put a text with such signs in quotes") from None


def _update(plan, arguments):
    from contrastlib.report import notebooks

    quick, own = arguments.profile == "quick", bool(arguments.parameters)
    folder = notebooks.EXECUTED / ("own" if own else "" if quick else arguments.profile)
    environment = (notebooks.QUICK_ENVIRONMENT if quick else {}) | {"CONTRASTLIB_PICTURES": str(folder)}
    # notebooks of other scales use all processors by themselves
    _each(partial(_update_one, folder, arguments.force, own, arguments.page), plan, environment, jobs=os.cpu_count() or 1 if quick else 1)


def _update_one(folder, force, show, page, source, own):
    """Execute one notebook if it is out of date; what to say, with the paths where the user asked for a run of their own."""
    from contrastlib.report import notebooks, single_page, staleness

    output = folder / source.name
    reason = "as asked" if force else staleness.why_stale(source, output, own)
    said = f"{source.stem}: up to date"
    if reason:
        began = time.monotonic()
        notebooks.execute(source, output, own)
        said = f"{source.stem}: executed in {time.monotonic() - began:.0f} s ({reason})"
    paths = [output] if show or page else []
    if page:
        paths.append(notebooks.PAGES / f"{source.stem}.own.html")
        single_page.write_page(output, paths[-1])
    return "\n  ".join([said, *map(str, paths)])


def _save(plan, _):
    from contrastlib.report import notebooks

    with tempfile.TemporaryDirectory() as empty:  # no photograph can enter an output
        environment = notebooks.QUICK_ENVIRONMENT | {"CONTRASTLIB_DATA": empty}
        _each(_save_one, plan, environment, jobs=os.cpu_count() or 1)


def _save_one(source, _):
    from contrastlib.report import notebooks

    executed = notebooks.EXECUTED / "saved" / source.name
    notebooks.execute(source, executed, {}, stored=True)
    executed.replace(source)
    return f"{source.stem}: saved"


def _each(work, plan, environment, jobs):
    """Do ``work`` for each notebook, ``jobs`` at a time, and print what it returns in the order of the plan.

    After the first failure no other notebook begins; those that are running finish, and are printed too.

    Raises:
        NotebookFailed: with the messages of all that failed.
    """
    from contrastlib.report import notebooks

    waiting = sorted(plan, key=lambda each: _turn(each[0].stem) if jobs > 1 else 0)
    order, begun, running, said, failed = [source for source, _ in plan], {}, set(), 0, False
    forked = get_context("fork")  # a process for each: syntax trees are not safe between threads
    options = {"mp_context": forked, "initializer": _take_row, "initargs": (forked.Value("i", 0), tqdm.get_lock())}
    with (
        notebooks.kernel_environment(environment),
        ProcessPoolExecutor(min(jobs, len(plan)), **options) as pool,
        tqdm(total=len(plan), desc="notebooks", unit="notebook", disable=None) as bar,  # only on a terminal
    ):
        while running or (waiting and not failed):
            while waiting and not failed and len(running) < jobs:  # one for each process: what is queued may begin
                source, own = waiting.pop(0)
                begun[source] = pool.submit(work, source, own)
                running.add(begun[source])
            done, running = wait(running, return_when=FIRST_COMPLETED)
            bar.update(len(done))
            failed = failed or any(future.exception() for future in done)
            while not failed and said < len(order) and order[said] in begun and begun[order[said]].done():
                tqdm.write(begun[order[said]].result())
                said += 1
    rest = [begun[source] for source in order[said:] if source in begun]
    for future in rest:
        if not future.exception():
            print(future.result())
    errors = [future.exception() for future in rest if future.exception()]
    if errors and all(isinstance(error, notebooks.NotebookFailed) for error in errors):
        raise notebooks.NotebookFailed("\n\n".join(map(str, errors)))
    for error in errors:
        raise error


def _turn(name):
    return LONGEST.index(name) if name in LONGEST else len(LONGEST)


def _take_row(taken, lock):
    """Give this process a line of the terminal of its own, below the bar of all notebooks."""
    from contrastlib.report import notebooks

    tqdm.set_lock(lock)
    with taken.get_lock():
        taken.value += 1
        notebooks.bar_row = taken.value
