"""Records of ``python -m benchmarks``: ratios of costs, promises, times of the build and of the browser."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from contrastlib.report.results.provenance import summary
from contrastlib.report.results.storage import RESULTS, joined, load

FOLDER = RESULTS / "benchmarks"
BROWSER = FOLDER / "browser"
"""Folder of the records of ``python -m benchmarks.browser --save``."""
WAITS = {
    "loading": "loading the network",
    "first map": "from then to the first map",
    "frame": "a map while the reader paints, median",
    "slowest frame": "a map while the reader paints, slowest",
}
"""What is timed in the browser -> its title."""
KINDS = {
    "wall": "time",
    "cpu": "processor time",
    "forwards": "forward passes",
    "backwards": "backward passes",
    "memory": "peak",
}
JOBS = {
    "activation": "24 maps of a layer, in forward passes",
    "input": "4 maps of the pixels",
    "relevance": "an LRP map of VGG-16, in forward passes",
    "residual-relevance": "an LRP map of ResNet-50, in forward passes",
    "relevances": "LRP maps of 4 relevances at once, in maps of one",
    "perturbation": "section 5.1, all n and ε",
    "masking": "section 5.2.2, all of Table 1",
    "classes": "maps of {classes} classes, VGG-16",
    "pooled-classes": "maps of {classes} classes, ResNet-50",
    "transformer": "ViT-B/16: every block's GradCAM, and rollout",
    "memory": "memory",
    "transformer-memory": "memory, ViT-B/16",
}
"""Table in which the work by hand has the ratio 1 -> title of its job."""
STEP_LIMITS = {
    "the whole book": 300,
    "tests": 480,
    "continuous integration": 1200,
    "fast tests": 90,
}
"""Step of the build -> limit in seconds."""


def measured(folder: str | Path | None = None) -> pd.DataFrame:
    """Ratios of all records of a folder. Each is the median over the records.

    Of a table that was measured at several commits, the records of the last one count.

    Args:
        folder: Folder of the records. If None, it is data/results/benchmarks of this repository.

    Returns:
        A row for each table, job (what) and quantity, with ratio, min and max over the records, and limit.
        ``attrs`` has the summarised provenance and the number of the ``records`` that count, and table ->
        ``parameters`` of its last record.

    Raises:
        FileNotFoundError: The folder has no record.
        DamagedResult: A record is damaged. The message names its file.
    """
    folder = FOLDER if folder is None else Path(folder)
    records = [load(path) for path in sorted(folder.glob("*.parquet"))]
    if not records:
        raise FileNotFoundError(f"no record in {folder}: `python -m benchmarks --save FOLDER` makes one")
    provenances = [record.attrs["provenance"] for record in records]
    rows = joined([
        record.assign(commit=provenance["commit"], record=number)
        for number, (record, provenance) in enumerate(zip(records, provenances))
    ])  # fmt: skip
    rows = rows[rows["commit"] == rows.groupby("table")["commit"].transform("last")]
    counting = [provenances[number] for number in sorted(set(rows["record"]))]
    last = rows.groupby("table")["record"].max()
    table = rows.groupby(["table", "what", "quantity"], sort=False).agg(
        ratio=("ratio", "median"), min=("ratio", "min"), max=("ratio", "max"), limit=("limit", "last")
    ).reset_index()  # fmt: skip
    table.attrs = {
        "provenance": summary(counting),
        "records": len(counting),
        "parameters": {name: provenances[number]["parameters"] for name, number in last.items()},
    }
    return table


def ratio(table: pd.DataFrame, name: str, what: str, quantity: str) -> float:
    """Ratio of one table and quantity, from the first row whose job begins with ``what``.

    Args:
        table: Ratios of all benchmarks.
        name: Name of the benchmark, in the column table.
        what: Beginning of the job, in the column what.
        quantity: What was measured, in the column quantity.

    Returns:
        The ratio.

    Raises:
        IndexError: There is no such row.
    """
    rows = table[
        (table["table"] == name) & table["what"].str.startswith(what) & (table["quantity"] == quantity)
    ]
    return float(rows["ratio"].iloc[0])


def many_maps(table: pd.DataFrame) -> pd.Series:
    """Cost of many maps of a layer in forward passes, by the library that computes them."""
    rows = table[(table["table"] == "activation") & table["quantity"].str.contains(r"^\d+ maps, wall")]
    return rows.assign(way=rows["what"].str.split(", ").str[0]).set_index("way")["ratio"]


def of_methods(table: pd.DataFrame) -> pd.DataFrame:
    """Cost of one map of each method in forward passes, in descending order.

    There is a column for each contrast.
    """
    rows = table[
        (table["table"] == "methods") & (table["quantity"] == "cpu") & table["what"].str.contains(", ")
    ].copy()
    rows[["method", "contrast"]] = rows["what"].str.split(", ", expand=True).to_numpy()
    return rows.pivot(index="method", columns="contrast", values="ratio").sort_values(
        "weighted", ascending=False
    )


def against_by_hand(table: pd.DataFrame) -> pd.DataFrame:
    """Cost of contrastlib relative to the same work by hand.

    Args:
        table: A table of :func:`measured`.

    Returns:
        Columns job, kind (of ``KINDS``), ratio, min, max and limit.
    """
    ours = table[
        table["what"].str.startswith("contrastlib")
        & table["table"].isin(JOBS)
        & ~table["quantity"].str.startswith("one map")
    ]
    parameters = table.attrs["parameters"]
    titles = ours["table"].map({name: JOBS[name].format_map(parameters[name]) for name in set(ours["table"])})
    held = ours["table"].str.contains("memory")
    titles = titles.where(~held, titles + ": " + ours["what"].str.removeprefix("contrastlib, "))
    kinds = ours["quantity"].str.split(", ").str[-1].map(KINDS)
    return ours.assign(job=titles, kind=kinds)[["job", "kind", "ratio", "min", "max", "limit"]]


def promises(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of :func:`against_by_hand` that have a limit, with a verdict.

    Args:
        table: A table of :func:`measured`.

    Returns:
        The rows with verdict, which is "kept" if the ratio is within the limit in every record, "broken" if
        it is above the limit in every record, and "undecided" otherwise.
    """
    limited = against_by_hand(table).dropna(subset="limit")
    verdict = pd.Series("undecided", index=limited.index)
    verdict[limited["max"] <= limited["limit"]] = "kept"
    verdict[limited["min"] > limited["limit"]] = "broken"
    return limited.assign(verdict=verdict)


def build_times(folder: str | Path | None = None) -> pd.DataFrame:
    """Seconds of each step of the build, with limit and verdict.

    The step "the whole book" is the sum of "notebooks" and "pages".

    Args:
        folder: Folder of the records. If None, it is data/results/benchmarks of this repository.

    Returns:
        A row for each step. ``attrs["made"]`` describes the machine, the versions and the date.
    """
    folder = FOLDER if folder is None else Path(folder)
    times = json.loads((folder / "build_times.json").read_text(encoding="utf-8"))
    steps = {step: took for step, took in times["seconds"].items() if not step.startswith("notebook ")}
    seconds = steps | {"the whole book": sum(times["seconds"][step] for step in ("notebooks", "pages"))}
    steps = pd.DataFrame({"seconds": seconds, "limit": STEP_LIMITS}).reindex(seconds)
    steps["verdict"] = (
        (steps["seconds"] <= steps["limit"])
        .map({True: "kept", False: "broken"})
        .where(steps["limit"].notna())
    )
    steps.attrs["made"] = (
        f"{times['processors']} processors, {times['machine']}, Python {times['python']}, "
        f"{times['date'][:10]}, commit {times['commit'][:10]}"
    )
    return steps


def in_the_browser(folder: str | Path | None = None) -> pd.DataFrame | None:
    """Times of the network that runs in a page, from the last record.

    Args:
        folder: Folder of the records of ``python -m benchmarks``, whose folder "browser" has those of the
            browser. If None, it is data/results/benchmarks of this repository.

    Returns:
        A row for each of ``WAITS``, with milliseconds, limit and verdict. ``attrs["made"]`` describes the
        machine, the versions and the date. None if there is no record.

    Raises:
        DamagedResult: The record is damaged. The message names its file.
    """
    folder = BROWSER if folder is None else Path(folder) / BROWSER.name
    paths = sorted(folder.glob("*.parquet"))
    if not paths:
        return None
    record = load(paths[-1])
    times = record.set_index("what")[["milliseconds", "limit"]].reindex(WAITS).rename(index=WAITS)
    kept = (times["milliseconds"] <= times["limit"]).map({True: "kept", False: "broken"})
    times["verdict"] = kept.where(times["limit"].notna())
    made = record.attrs["provenance"]
    times.attrs["made"] = (
        f"{made['processors']} processors, {made['machine']}, "
        f"{made['date'][:10]}, commit {made['commit'][:10]}"
    )
    return times


def moved(folder: str | Path | None = None) -> pd.DataFrame:
    """Differences between recomputed and earlier results (``python -m benchmarks.moved --save``)."""
    return pd.read_csv((FOLDER if folder is None else Path(folder)) / "moved.csv")
