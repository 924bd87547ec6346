"""Provenance of results: commit, parameters, versions and machine, their summary and their display."""

from __future__ import annotations

import contextlib
import functools
import json
import platform
import re
import subprocess
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Any

import pandas as pd

from contrastlib import assets

REPOSITORY = Path(__file__).resolve().parents[3]
TRACKED = (
    "contrastlib",
    "notebooks",
    "benchmarks",
    "data/weights",
    "data/published",
    "requirements*.txt",
    "constraints.txt",
)
LIBRARIES = ("torch", "torchvision", "numpy", "pandas", "pillow", "scipy", "safetensors", "zennit")
DECIDING = ("torch", "torchvision", "numpy", "scipy", "zennit", "pillow")
"""Libraries whose release affects the numbers of a result. ``constraints.txt`` pins them."""


class Provenance(dict):
    """Provenance of a result. It is never changed, so a copy is the record itself.

    pandas makes deep copies of ``attrs`` in every operation on a table, which took a tenth of the time of
    some notebooks.

    >>> import copy
    >>> record = Provenance(commit="a")
    >>> copy.deepcopy(record) is record
    True
    """

    def __deepcopy__(self, memo: dict) -> Provenance:
        return self


def provenance(seconds: float, device: str | None = None, **details: Any) -> Provenance:
    """Provenance of a result: commit, parameters, versions, machine, time, memory and date.

    The memory is the largest that the process has taken so far, in MiB.

    Args:
        seconds: Time of the computation.
        device: Kind of the device that was used, "cpu" or "cuda". None stands for the fastest that there is.
        **details: Further entries.

    Returns:
        The record.
    """
    import torch

    from contrastlib.report.machines import devices  # imports torch, which pages that only read do without
    from contrastlib.report.machines.memory import peak_memory

    commit, dirty = _commit()
    device = device or devices.fastest().type
    return Provenance(
        {
            "commit": commit,
            "dirty": dirty,
            "python": platform.python_version(),
            "libraries": {name: version(name) for name in LIBRARIES},
            "device": device,
            **(devices.described() if device == "cuda" else {}),
            "machine": f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}",
            "threads": torch.get_num_threads(),
            "seconds": round(seconds, 3),
            "memory": peak_memory() // 2**20,
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            **details,
        }
    )


def deciding_releases(libraries: Mapping[str, str] | None = None) -> dict[str, str | None]:
    """Releases of the libraries of ``DECIDING``, installed or named by a provenance.

    Builds of one release for different devices count as the same.

    Args:
        libraries: Library -> release of a provenance. If None, the installed releases are returned.

    Returns:
        Library -> release. None if the provenance does not name it.

    >>> deciding_releases({"torch": "2.6.0+cpu", "pandas": "3.0"})["torch"]
    '2.6.0'
    """
    releases = {name: version(name) for name in DECIDING} if libraries is None else libraries
    return {name: releases[name].partition("+")[0] if name in releases else None for name in DECIDING}


def summary(records: Iterable[dict]) -> Provenance:
    """Summarise the provenances of many shards. Values that differ are listed.

    Seconds are added, the memory is the largest, and dates are given from first to last. Records may be
    summaries themselves, whose lists contain distinct values. Entries that only some records have are those
    of these records.

    Args:
        records: Provenances.

    Returns:
        The summary.

    >>> summary([{"commit": "a", "seconds": 1.0}, {"commit": "a", "seconds": 2.5}])
    {'shards': 2, 'commit': 'a', 'seconds': 3.5}
    >>> summary([{"memory": 300}, {"memory": 200}, {}])["memory"]
    300
    >>> summary([{"commit": ["a", "b"]}, {"commit": "b"}])["commit"]  # of summaries
    ['a', 'b']
    >>> summary([{"date": "2026-01-02 to 2026-01-04"}, {"date": "2026-01-03"}])["date"]
    '2026-01-02 to 2026-01-04'
    >>> summary([{}, {"skipped": ["cat.jpg"]}])["skipped"]
    'cat.jpg'
    """
    records = list(records)
    result = {}
    for key in dict.fromkeys(chain.from_iterable(records)):
        values = [record[key] for record in records if key in record]
        distinct = sorted({json.dumps(each, sort_keys=True) for value in values for each in as_list(value)})
        if key in ("seconds", "shards"):
            result[key] = round(sum(values), 3)
        elif key == "memory":
            result[key] = max(values)
        elif key == "date":
            first, last = min(values).split(" to ")[0], max(value.split(" to ")[-1] for value in values)
            result[key] = first if first == last else f"{first} to {last}"
        else:
            result[key] = json.loads(distinct[0]) if len(distinct) == 1 else [json.loads(v) for v in distinct]
    return Provenance({"shards": len(records), **result})


def card(table: pd.DataFrame) -> pd.DataFrame:
    """Provenance of a kept result as a small table for a page.

    Args:
        table: Table with ``attrs["provenance"]``.

    Returns:
        A column with a row for each entry, such as commit, date and data.

    >>> table = pd.DataFrame(); table.attrs["provenance"] = {"commit": "0123456789abcdef", "shards": 2}
    >>> card(table).loc["commit"].item()
    '0123456789'
    """
    record = dict(table.attrs["provenance"])
    rows = {
        "commit": _listed(commit[:10] for commit in as_list(record.get("commit", "unknown"))),
        "uncommitted changes": record.get("dirty"),
        "date (UTC)": record.get("date"),
        "seed": record.get("seed"),
        "shards": record.get("shards"),
        "images that cannot be read, skipped": len(as_list(record.get("skipped", []))) or None,
        "batches after memory ran out": record.get("batch"),
        "computing time, hours": f"{record['seconds'] / 3600:.2f}" if "seconds" in record else None,
        "peak memory of a process, GiB": f"{record['memory'] / 1024:.1f}" if "memory" in record else None,
        "machine": f"{record.get('device')}, {_listed(record.get('machine', 'unknown'))}, "
        f"threads: {_listed(map(str, as_list(record.get('threads'))))}",
        "GPU": "; ".join(
            ", ".join(f"{name} {value}" for name, value in each.items())
            for each in as_list(record.get("gpu", []))
        )
        or None,
        "libraries": ", ".join(
            sorted(
                {
                    f"{name} {number}"
                    for part in as_list(record.get("libraries", {}))
                    for name, number in part.items()
                }
            )
        ),
        "data (SHA-256)": "; ".join(
            sorted(
                {
                    f"{_title(name)} {_short(checksum)}"
                    for part in as_list(record.get("data", {}))
                    for name, checksum in part.items()
                }
            )
        )
        or None,
    }
    return pd.DataFrame({"provenance": rows}).dropna()


def cards(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """:func:`card` of several tables, with a column for each. A cell is empty if a table has no such entry.

    Args:
        tables: Name -> table. Underscores of a name become spaces.

    Returns:
        A row for each entry. Without tables, no row.

    >>> drawn, counted = pd.DataFrame(), pd.DataFrame()
    >>> drawn.attrs["provenance"], counted.attrs["provenance"] = {"commit": "a", "seed": 3}, {"commit": "b"}
    >>> cards({"drawn": drawn, "counted": counted}).loc["seed"].tolist()
    [3, '']
    >>> cards({}).empty
    True
    """
    columns = {name.replace("_", " "): card(table)["provenance"] for name, table in tables.items()}
    return pd.concat(columns, axis=1).fillna("") if columns else pd.DataFrame()


def as_list(value: Any) -> list:
    """Values of a nested list as a flat list. Another value is returned as a list with one element.

    >>> as_list([1, [2, 3]]), as_list(1)
    ([1, 2, 3], [1])
    """
    return [single for each in value for single in as_list(each)] if isinstance(value, list) else [value]


def _title(name: str) -> str:
    """Title of a network or of a data set in the registry, or the name itself."""
    record = assets.network(name) or assets.datasets().get(name)
    return record.title if record else name


def _short(checksum: str) -> str:
    """First digits of a hash. What stands for the hash of drawn images is shortened to their version."""
    return checksum[:10] if re.fullmatch(r"[0-9a-f]+", checksum) else checksum.partition(",")[0]


def _listed(values: str | Iterable[str]) -> str:
    return ", ".join([values] if isinstance(values, str) else values)


def _commit() -> tuple[str, bool]:
    """Commit with which this process began, and whether files that results depend on have changed since."""
    try:
        commit = first_commit(REPOSITORY)
        changed = _git(REPOSITORY, "diff", "--name-only", commit, "--", *TRACKED) + _git(
            REPOSITORY, "ls-files", "--others", "--exclude-standard", "--", *TRACKED
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown", True
    return commit, bool(changed)


@functools.lru_cache
def first_commit(repository: Path) -> str:
    """The commit of a repository when this was first asked.

    Raises:
        FileNotFoundError: The folder is not the root of a repository, such as an installation that lies in
            another one.
        OSError: There is no git.
        subprocess.CalledProcessError: There is no commit.
    """
    root, commit = _git(repository, "rev-parse", "--show-toplevel", "HEAD").splitlines()
    if Path(root).resolve() != repository.resolve():
        raise FileNotFoundError(f"{repository} is not the root of a repository, but {root}")
    return commit


def _git(repository: Path, *words: str) -> str:
    command = ["git", "--no-optional-locks", *words]
    return subprocess.run(command, cwd=repository, capture_output=True, text=True, check=True).stdout


with contextlib.suppress(OSError, subprocess.CalledProcessError):
    first_commit(REPOSITORY)  # the code of this process is that of the commit at its start
