"""Contestants measured side by side, and what one of them costs in units of another."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import pandas as pd
from tqdm import tqdm


def side_by_side(
    contestants: Mapping[str, Callable[[], object]], unit: str, repetitions: int, title: str
) -> pd.DataFrame:
    """Cost of each contestant in units of the one called ``unit``.

    All run once unmeasured, then once in each round, each round in another order; a ratio is taken
    within a round, so that what else the machine does falls on all alike, and its median is kept.

    Returns:
        A row for each contestant: what, wall (ratio of elapsed time), cpu (ratio of processor time).

    >>> side_by_side({"one": lambda: sum(range(10**5)), "two": lambda: sum(range(10**5))}, "one", 3, "")["wall"][0]
    1.0
    """
    names, rounds = list(contestants), []
    progress = tqdm(total=(repetitions + 1) * len(names), desc=title, unit="run", disable=None)
    for turn in range(repetitions + 1):
        spent = {}
        for name in names[turn % len(names):] + names[: turn % len(names)]:
            wall, cpu = time.perf_counter(), time.process_time()
            contestants[name]()
            spent[name] = time.perf_counter() - wall, time.process_time() - cpu
            progress.update()
        if turn:
            rounds.append({name: (spent[name][0] / spent[unit][0], spent[name][1] / spent[unit][1]) for name in names})
    progress.close()
    medians = {name: pd.DataFrame([row[name] for row in rounds]).median() for name in names}
    return pd.DataFrame([{"what": name, "wall": wall, "cpu": cpu} for name, (wall, cpu) in medians.items()])
