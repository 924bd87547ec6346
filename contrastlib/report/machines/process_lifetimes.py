"""Processes that end when the process that started them ends, however it ends."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence

LIFELINE = "CONTRASTLIB_LIFELINE"
"""Environment variable with the number of the pipe that :func:`run_with_lifeline` holds open."""
PATIENCE = 10  # seconds in which a process may end by itself


def end_with_parent() -> None:
    """Let a thread end this process when the process that started it with multiprocessing has ended.

    A process that is killed cannot end its children. They would go on for good, and keep the pipes open to
    which they write. The thread waits at the lifeline of multiprocessing, a pipe that the system closes when
    the parent ends. If this process leads a group, the processes that it has started end as well.

    Raises:
        ValueError: Multiprocessing has not started this process.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        raise ValueError("multiprocessing has not started this process: it has no parent to end with")
    threading.Thread(target=_wait_and_end, args=(parent,), name="lifeline", daemon=True).start()


def _wait_and_end(parent: multiprocessing.process.BaseProcess) -> None:
    parent.join()
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


def run_with_lifeline(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a program that calls :func:`end_with_starter`, so that it ends when this process ends.

    The program stays in the process group of this one and has its terminal, unlike one that multiprocessing
    starts.

    Args:
        command: The program and its arguments.
        environment: Its environment variables.

    Returns:
        Its exit status.
    """
    read, write = os.pipe()  # no program inherits the end that is written to
    try:
        environment = {**environment, LIFELINE: str(read)}
        return subprocess.run(command, env=environment, pass_fds=[read], check=False).returncode
    finally:
        os.close(read)
        os.close(write)


def end_with_starter() -> None:
    """Let a thread end this process when the one that started it with :func:`run_with_lifeline` has ended.

    It is terminated, and killed if it has not ended after some seconds. Does nothing in other processes.
    """
    number = os.environ.pop(LIFELINE, None)
    if number is not None:
        ends = threading.Thread(target=_wait_and_terminate, args=(int(number),), name="lifeline", daemon=True)
        ends.start()


def _wait_and_terminate(pipe: int) -> None:
    os.read(pipe, 1)  # returns when the other end is closed
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(PATIENCE)
    os.kill(os.getpid(), signal.SIGKILL)
