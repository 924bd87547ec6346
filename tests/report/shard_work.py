"""Functions of shards that tests compute in other processes, and small studies.

The functions note each call, and some of them fail.
"""

import os
import signal
import time
from pathlib import Path

import numpy as np
import pandas as pd

MEMORY_PER_IMAGE = 100 << 20
STUDIES = {
    "sign_perturbation": {"iterations": [1], "epsilons": [0.003]},
    "masking_table": {"methods": ["gradcam"], "baselines": ["blur"], "threshold": 0.0},
    "part_interventions": {
        "methods": ["gradcam"],
        "contrasts": ["weighted"],
        "threshold": 0.0,
        "repaintings": 1,
    },
}
"""Small parts of section 5.1, Table 1 and the interventions: study -> options."""


def noted(folder, start, batch=8, seconds=0.0):
    """Note the call, and return a table of 3 rows."""
    with open(Path(folder) / "calls", "a") as calls:
        calls.write(f"{start} {batch} {os.getpid()}\n")
    time.sleep(seconds)
    return pd.DataFrame({"place": range(start, start + 3), "value": [np.sqrt(start + i) for i in range(3)]})


def hanging_once(folder, start, batch=8):
    """Hang in the first call with start 10."""
    first = Path(folder) / "first"
    if start == 10 and not first.exists():
        first.touch()
        time.sleep(10_000)
    return noted(folder, start, batch)


def refusing_memory(folder, start, batch=8, least=2):
    """Raise PyTorch's error for memory if the batch is larger than that."""
    if start == 10 and batch > least:
        raise RuntimeError(
            "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"
        )
    return noted(folder, start, batch)


def killed_for_memory(folder, start, batch=8, least=4):
    """Be killed, as by the system when memory is short, if the batch is larger than that."""
    if start == 10 and batch > least:
        noted(folder, start, batch)
        os.kill(os.getpid(), signal.SIGKILL)
    return noted(folder, start, batch)


def greedy(folder, start, batch=8):
    """Take memory for each image of a batch with start 10."""
    if start == 10:
        taken = np.ones(batch * MEMORY_PER_IMAGE, dtype=np.uint8)
        time.sleep(1)
        del taken
    return noted(folder, start, batch)


def large(folder, start, batch=8):
    """Return a table of 300 kB, which cannot be compressed."""
    noted(folder, start, batch)
    values = np.random.default_rng(start).integers(1 << 62, size=37_500)
    return pd.DataFrame({"place": start, "value": values})


def failing(folder, start, batch=8):
    """Raise an error for start 10."""
    if start == 10:
        raise ValueError("the image cat.jpg is no image")
    return noted(folder, start, batch)


def brightness(model, images, labels):
    """Measure the mean of each image."""
    return pd.DataFrame({"image": range(len(images)), "mean": images.mean(dim=(1, 2, 3)).numpy(force=True)})


def loads():
    """How often this process loaded a network and a data set, and how often it had the one that it needed."""
    from contrastlib.report.computing import batches

    return [cached.cache_info()[:2][::-1] for cached in (batches.load_network, batches.load_dataset)]


def calls(folder):
    """The (start, batch) of all calls since the last time one asked."""
    path = Path(folder) / "calls"
    lines = path.read_text().splitlines() if path.exists() else []
    path.unlink(missing_ok=True)
    return [tuple(map(int, line.split()[:2])) for line in lines]
