"""A run that is killed leaves nothing: workers, fork servers, kernels and what cells started end with it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import psutil
import pytest

from contrastlib.report.machines.process_lifetimes import end_with_parent

pytestmark = pytest.mark.slow

CELL = """
import pathlib, subprocess, time
subprocess.Popen(["sleep", "600"])
pathlib.Path(f"../running{n}").touch()
time.sleep(600)
"""


def answers(port):
    """Whether a server listens; its file is there before it does."""
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def until(condition, seconds):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_lives_after_a_run_that_was_killed(repository, start, number):
    for n in (1, 2):
        repository.notebook(f"0{n}_waits", CELL, parameters=f"n = {n}")
    run, started = start(), []
    try:
        until(
            lambda: all((repository.root / f"running{n}").exists() for n in (1, 2)) or run.poll() is not None,
            300,
        )
        assert run.poll() is None, run.stdout.read()
        started = psutil.Process(run.pid).children(recursive=True)
        names = [" ".join(process.cmdline()) for process in started]
        assert sum("forkserver" in name for name in names) >= 4 and names.count("sleep 600") == 2, names
        os.kill(run.pid, number)
        run.communicate(timeout=30)  # returns when no process holds the pipe
        assert psutil.wait_procs(started, timeout=20)[1] == []
    finally:
        for process in psutil.wait_procs(started, timeout=0)[1]:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_jupyterlab_ends_with_the_command_that_was_killed(tmp_path, number):
    """And so do the kernels of its notebooks."""
    environment = os.environ | {
        "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime"),
        "JUPYTER_CONFIG_DIR": str(tmp_path / "config"),
    }
    program = (
        "import sys; from pathlib import Path; from contrastlib.cli import lab; "
        "from contrastlib.report.machines.process_lifetimes import *; import os;"
        f"sys.exit(run_with_lifeline(lab.command(Path({str(tmp_path)!r}), "
        "['--no-browser', '--IdentityProvider.token=secret']), os.environ))"
    )
    started = subprocess.Popen(
        [sys.executable, "-c", program], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    children = []
    try:
        until(lambda: list(tmp_path.glob("runtime/jpserver-*.json")) or started.poll() is not None, 120)
        server = json.loads(next(tmp_path.glob("runtime/jpserver-*.json")).read_text())
        until(lambda: answers(server["port"]), 120)
        request = urllib.request.Request(
            f"{server['url']}api/kernels", method="POST", headers={"Authorization": "token secret"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            assert answer.status == 201
        children = psutil.Process(started.pid).children(recursive=True)
        assert server["pid"] in [process.pid for process in children] and len(children) >= 2
        os.kill(started.pid, number)
        assert psutil.wait_procs(children, timeout=40)[1] == []
    finally:
        for process in [*psutil.wait_procs(children, timeout=0)[1], started]:
            process.kill()
        started.wait()


def test_only_a_process_of_multiprocessing_has_a_lifeline():
    with pytest.raises(ValueError, match="multiprocessing has not started this process"):
        end_with_parent()
