"""``python -m benchmarks.scaling``: measure what the model of page 21 needs, and save it if asked to."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import pandas as pd
import torch

from benchmarks.scaling import paper, passes, runs
from contrastlib.report.computing import scaling
from contrastlib.report.results.provenance import provenance
from contrastlib.report.results.storage import save

TABLES = ("passes", "runs", "restarts", "paper")
DEVICES = {"passes": "cpu", "paper": "cpu"}
"""Table -> device. The others are measured on the fastest one, as studies are."""


def main(arguments: list[str] | None = None) -> None:
    """Measure the tables that are asked for.

    Args:
        arguments: Command-line arguments; those of the process for None.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=__doc__.splitlines()[0])
    parser.add_argument(
        "tables", nargs="*", metavar="TABLE", help=f"any of {', '.join(TABLES)}; all tables if none is given"
    )
    parser.add_argument("--rounds", type=int, default=1, help="how often each run is measured")
    parser.add_argument(
        "--save",
        nargs="?",
        type=Path,
        const=scaling.RECORDS,
        metavar="FOLDER",
        help="save the tables (data/results/benchmarks/scaling)",
    )
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    for name in options.tables or TABLES:
        began = time.perf_counter()
        made = _measure(name, options.rounds)
        record = provenance(time.perf_counter() - began, DEVICES.get(name), study=f"scaling, {name}")
        for each, table in made.items():
            print(f"\n{each}\n{table.to_string()}", flush=True)
            if options.save:
                table.attrs["provenance"] = record
                save(table, options.save / f"{each}.parquet")


def _measure(name: str, rounds: int) -> dict[str, pd.DataFrame]:
    if name not in TABLES:
        raise SystemExit(f"no table {name!r}; choose from {', '.join(TABLES)}")
    if name == "runs":
        measured, parts = runs.table(rounds)
        return {"runs": measured, "shards": parts}
    if name == "restarts":
        return {"restarts": runs.restarts().assign(client=runs.client_seconds())}
    return {name: (passes if name == "passes" else paper).table()}


if __name__ == "__main__":
    main()
