"""``python -m benchmarks.build_times``: save the duration of each step of the last `make`, for page 13.

`make` and `.ci/run` write a line for each step to ``_build/times``. If a step ran several times, its last run
counts.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from contrastlib.report.provenance import REPOSITORY, provenance
from contrastlib.report.shards import RESULTS

TIMES = REPOSITORY / "_build" / "times"
"""File with a line for each step."""
KEPT = RESULTS / "benchmarks" / "build_times.json"
"""File of the saved durations."""


def read(times: Path = TIMES) -> dict[str, int]:
    r"""Read the duration of each step, in the order in which the steps first ran.

    Steps that took less than a second are left out.

    Args:
        times: File with a line for each step.

    Returns:
        Seconds of each step.

    Raises:
        FileNotFoundError: Nothing has been built.

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile("w+") as file:
    ...     print("pages\t30", "tests\t400", "pages\t28", sep="\n", file=file, flush=True)
    ...     read(Path(file.name))
    {'pages': 28, 'tests': 400}
    """
    lines = (line.split("\t") for line in times.read_text().splitlines())
    return {step: int(seconds) for step, seconds in lines if int(seconds)}


def main() -> None:
    """Save the durations with their provenance, and print them."""
    made = provenance(0)
    record = {key: made[key] for key in ("commit", "dirty", "python", "machine", "date")}
    record |= {"processors": os.cpu_count(), "seconds": read()}
    KEPT.write_text(json.dumps(record, indent=1) + "\n")
    print(f"{KEPT}: {', '.join(f'{step} {seconds} s' for step, seconds in record['seconds'].items())}")


if __name__ == "__main__":
    main()
