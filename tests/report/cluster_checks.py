"""What the tests of clusters wait for, and what they check of a table in the end."""

import os
import time
from pathlib import Path

import pandas as pd

from contrastlib.report.results.provenance import REPOSITORY

STARTS = tuple(range(0, 80, 10))
PLACES = [start + i for start in STARTS for i in range(3)]
PATHS = os.pathsep.join([str(REPOSITORY), str(Path(__file__).parent)])
"""Where processes that are started find contrastlib and the modules of this folder."""


def wanted(folder, **parameters):
    """Parameters of eight shards of a function of shard_work."""
    return [{"folder": str(folder), "start": start, "batch": 8, **parameters} for start in STARTS]


def until(condition, *processes, seconds=300):
    """Wait for a condition while processes run."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline and all(process.poll() is None for process in processes)
        time.sleep(0.02)


def calls(folder):
    """Start, batch and process id of each call so far."""
    path = folder / "calls"
    return [line.split() for line in path.read_text().splitlines()] if path.exists() else []


def same(first, second):
    """Two tables are the same, bit for bit."""
    pd.testing.assert_frame_equal(first, second, check_exact=True)


def whole(table, folder, doubled=0):
    """Every shard is there, once, and none was computed twice but those that a process took with it."""
    assert table["place"].tolist() == PLACES
    assert sorted(path.suffix for path in (folder / "cache").iterdir() if path.suffix != ".lock") == [
        ".parquet"
    ] * len(STARTS)
    assert {int(start) for start, *_ in calls(folder)} == set(STARTS)
    assert len(calls(folder)) <= len(STARTS) + doubled
