"""Timing of several functions side by side, relative to one of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import pandas as pd
from tqdm import tqdm


def side_by_side(
    contestants: Mapping[str, Callable[[], object]], unit: str, repetitions: int, title: str
) -> pd.DataFrame:
    """Measure the time of each contestant relative to one of them.

    All contestants run once as a warm-up, and then once in each round, in a different order each round.
    Ratios are taken within a round, so that other load on the machine affects all contestants equally. The
    median over the rounds is returned.

    Args:
        contestants: Functions to run, by name.
        unit: Name of the contestant whose time is 1.
        repetitions: Number of rounds.
        title: Title of the progress bar.

    Returns:
        A row for each contestant: what, wall (ratio of elapsed times), cpu (ratio of processor times).

    >>> contestants = {"one": lambda: sum(range(10**5)), "two": lambda: sum(range(10**5))}
    >>> float(side_by_side(contestants, "one", 3, "")["wall"][0])
    1.0
    """
    names, rounds = list(contestants), []
    progress = tqdm(total=(repetitions + 1) * len(names), desc=title, unit="run", disable=None)
    for turn in range(repetitions + 1):
        spent = {}
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            wall, cpu = time.perf_counter(), time.process_time()
            contestants[name]()
            spent[name] = time.perf_counter() - wall, time.process_time() - cpu
            progress.update()
        if turn:
            unit_wall, unit_cpu = spent[unit]
            rounds.append({name: (wall / unit_wall, cpu / unit_cpu) for name, (wall, cpu) in spent.items()})
    progress.close()
    medians = {name: pd.DataFrame([row[name] for row in rounds]).median() for name in names}
    return pd.DataFrame([{"what": name, "wall": wall, "cpu": cpu} for name, (wall, cpu) in medians.items()])
