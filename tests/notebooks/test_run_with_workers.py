"""``python -m contrastlib run --workers 2``: notebooks stay as they are, and nothing outlives the command."""

import re
import signal
import time
from pathlib import Path

import psutil
import pytest

pytestmark = pytest.mark.cluster
CELL = """
from pathlib import Path
import shard_work
from contrastlib.report.computing import shards
folder = str(Path("..").resolve())
wanted = [{"folder": folder, "start": start, "seconds": seconds} for start in (0, 10, 20, 30)]
table = shards.sharded("work", 1, shard_work.noted, wanted, {"images": "1"}, Path("../cache"))
print(table["place"].tolist())
"""


def pids(repository):
    return {line.split()[2] for line in (repository.root / "calls").read_text().splitlines()}


def test_workers_compute_what_the_notebook_shows(repository, start):
    repository.notebook("01_shards", CELL, parameters="seconds = 0.5")
    process = start("--workers", "2")
    said = process.communicate(timeout=300)[0]
    assert process.returncode == 0, said
    assert re.search(
        r"scheduler tcp://127\.0\.0\.1:\d+, with 2 workers now; its dashboard: http://127\.0\.0\.1:\d+/status",
        said,
    )
    assert repository.outputs("book/executed/01_shards.ipynb") == [
        f"{[s + i for s in (0, 10, 20, 30) for i in range(3)]}\n"
    ]
    assert len(pids(repository)) == 2


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_worker_outlives_the_command(repository, start, number):
    repository.notebook("01_shards", CELL, parameters="seconds = 600")
    process = start("--workers", "2")
    deadline = time.monotonic() + 120
    while not (repository.root / "calls").exists() or len(pids(repository)) < 2:
        assert time.monotonic() < deadline and process.poll() is None, process.stdout.read()
        time.sleep(0.1)
    started = psutil.Process(process.pid).children(recursive=True)
    assert {int(pid) for pid in pids(repository)} <= {each.pid for each in started}
    process.send_signal(number)
    process.communicate(timeout=60)
    assert psutil.wait_procs(started, timeout=60)[1] == []
    assert Path(f"/proc/{process.pid}").exists() is False
