"""``python -m benchmarks.moved OLD NEW``: which numbers of stored results changed when they were recomputed.

OLD and NEW are folders of Parquet files as in data/results/real. Each row is compared with the row of the
same image and settings. Rows that differ only in a setting with a decimal point are compared in their order.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from contrastlib.report.results.storage import RESULTS, load

ROUNDING = 1e-3
"""Differences up to this size count as rounding, relative to numbers above 1."""
KEPT = RESULTS / "benchmarks" / "moved.csv"


def compare(old: pd.DataFrame, new: pd.DataFrame) -> dict:
    """Compare the numbers of two tables of one study.

    Columns of floating-point numbers are compared. All other columns identify the rows, and where they do
    not suffice, so does the order.

    Args:
        old: The earlier table.
        new: The recomputed table.

    Returns:
        The number of rows before and after, the fraction of common numbers that differ by more than
        ``ROUNDING``, the largest difference, and its column. Differences of numbers above 1 are relative. A
        number that is finite in one table only, or infinite with another sign, differs by infinity.

    >>> old = pd.DataFrame({"image": [0, 1], "p_t": [0.5, 0.25]})
    >>> compare(old, old.assign(p_t=[0.5, 0.5]))
    {'rows before': 2, 'rows after': 2, 'moved': 0.5, 'largest': 0.25, 'column': 'p_t'}
    """
    numbers = [name for name in old.columns if name in new.columns and pd.api.types.is_float_dtype(old[name])]
    keys = [name for name in old.columns if name in new.columns and name not in numbers]
    tables = [each.assign(order=each.groupby(keys, dropna=False).cumcount()) for each in (old, new)]
    both = tables[0].merge(tables[1], on=[*keys, "order"], suffixes=("", " again"), validate="one_to_one")
    apart = pd.DataFrame({name: _apart(both[name], both[f"{name} again"]) for name in numbers})
    most = apart.max().fillna(0)
    column = most.idxmax() if len(most) else ""
    moved = float(np.mean(apart.to_numpy() > ROUNDING)) if apart.size else 0.0
    return {
        "rows before": len(old),
        "rows after": len(new),
        "moved": moved,
        "largest": float(most.max()) if len(most) else 0.0,
        "column": column,
    }


def _apart(before: pd.Series, after: pd.Series) -> pd.Series:
    """Differences, relative for numbers above 1; 0 for equal infinities and for two that are missing."""
    same = (before == after) | (before.isna() & after.isna())
    differences = (before - after).abs() / before.abs().clip(lower=1)
    return differences.where(np.isfinite(before) & np.isfinite(after), np.inf).mask(same, 0.0)


def table(old: Path, new: Path) -> pd.DataFrame:
    """Compare the files of two folders that exist in both and were computed at different commits.

    Args:
        old: Folder of the earlier results.
        new: Folder of the recomputed results.

    Returns:
        A row for each file, with the columns study and network and those of :func:`compare`.
    """
    rows = []
    for path in sorted(new.glob("*.parquet")):
        if not (old / path.name).exists():
            continue
        before, after = load(old / path.name), load(path)
        commits = [each.attrs["provenance"]["commit"] for each in (before, after)]
        if commits[0] != commits[1]:
            study, _, network = path.stem.partition("-")
            rows.append({"study": study, "network": network, **compare(before, after)})
    return pd.DataFrame(rows)


def save(moved: pd.DataFrame, path: Path = KEPT) -> None:
    """Save the table for page 13. Earlier rows of other results stay.

    Args:
        moved: The table of :func:`table`.
        path: The file.
    """
    if path.exists():
        moved = pd.concat([pd.read_csv(path), moved]).drop_duplicates(["study", "network"], keep="last")
    moved = moved.sort_values(["study", "network"])
    moved.to_csv(path, index=False, float_format="%.6g")


def main(arguments: list[str] | None = None) -> None:
    """Print the table, and save it if asked to.

    Args:
        arguments: Command-line arguments; those of the process for None.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.moved", description=__doc__.splitlines()[0])
    parser.add_argument("old", type=Path, help="folder of the earlier results")
    parser.add_argument(
        "new",
        type=Path,
        nargs="?",
        default=RESULTS / "real",
        help="folder of the recomputed results (data/results/real)",
    )
    parser.add_argument(
        "--save",
        action="store_true",
        help="save the table in data/results/benchmarks, for page 13, beside earlier rows",
    )
    options = parser.parse_args(arguments)
    moved = table(options.old, options.new)
    print(moved.to_string(index=False, float_format="{:.3g}".format))
    if options.save:
        save(moved)


if __name__ == "__main__":
    main()
