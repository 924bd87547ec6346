"""``python -m benchmarks.build_times``: keep how long the steps of the last `make` took, for page 13.

`make` and `.ci/run` write a line for each step to ``_build/times``; of a step that ran several times the last one counts.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from contrastlib.report.provenance import REPOSITORY, provenance
from contrastlib.report.shards import RESULTS

TIMES = REPOSITORY / "_build" / "times"
KEPT = RESULTS / "benchmarks" / "build_times.json"


def read(times: Path = TIMES) -> dict[str, int]:
    """Seconds of each step that had something to do, in the order in which they first ran.

    Raises:
        FileNotFoundError: nothing was built yet.

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile("w+") as file:
    ...     print("pages\\t30", "tests\\t400", "pages\\t28", sep="\\n", file=file, flush=True)
    ...     read(Path(file.name))
    {'pages': 28, 'tests': 400}
    """
    lines = (line.split("\t") for line in times.read_text().splitlines())
    return {step: int(seconds) for step, seconds in lines if int(seconds)}


def main() -> None:
    made = provenance(0)
    record = {key: made[key] for key in ("commit", "dirty", "python", "machine", "date")}
    record |= {"processors": os.cpu_count(), "seconds": read()}
    KEPT.write_text(json.dumps(record, indent=1) + "\n")
    print(f"{KEPT}: {', '.join(f'{step} {seconds} s' for step, seconds in record['seconds'].items())}")


if __name__ == "__main__":
    main()
