"""``python -m benchmarks.build_times``: save time and memory of each step of the last `make`, for the pages.

`make` and `.ci/run` write a line for each step to ``_build/times``. If a step ran several times, its last run
counts.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from contrastlib.report.results.provenance import REPOSITORY, provenance
from contrastlib.report.results.storage import RESULTS

TIMES = REPOSITORY / "_build" / "times"
"""File with a line for each step."""
KEPT = RESULTS / "benchmarks" / "build_times.json"
"""File of the saved durations."""


def read(times: Path = TIMES) -> dict[str, dict[str, int]]:
    r"""Read what each step took, in the order in which the steps first ran.

    The last run of each step counts. Steps that then took less than a second are left out.

    Args:
        times: File with a line for each step: name, seconds and, for a notebook, the largest memory in MiB.

    Returns:
        "seconds" and "memory" -> step -> number.

    Raises:
        FileNotFoundError: Nothing has been built.

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile("w+") as file:
    ...     print("pages\t30", "notebook 01\t4\t512", "pages\t28", sep="\n", file=file, flush=True)
    ...     read(Path(file.name))
    {'seconds': {'pages': 28, 'notebook 01': 4}, 'memory': {'notebook 01': 512}}
    """
    lines = [line.split("\t") for line in times.read_text(encoding="utf-8").splitlines()]
    seconds = {step: int(took) for step, took, *_ in lines}
    return {
        "seconds": {step: took for step, took in seconds.items() if took},
        "memory": {step: int(memory[0]) for step, _, *memory in lines if memory},
    }


def main() -> None:
    """Save the durations with their provenance, and print them."""
    made = provenance(0)
    record = {key: made[key] for key in ("commit", "dirty", "python", "machine", "date")}
    record |= {"processors": os.cpu_count()} | read()
    KEPT.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(f"{KEPT}: {', '.join(f'{step} {seconds} s' for step, seconds in record['seconds'].items())}")


if __name__ == "__main__":
    main()
