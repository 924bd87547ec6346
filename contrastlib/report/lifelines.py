"""Processes that end when the process that started them ends, however it ends."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading


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
