"""Processes that a test starts, and that end with it."""

import signal
import subprocess
from contextlib import contextmanager

import psutil


@contextmanager
def processes():
    """``start(words, **options)``: a process, with what it prints, until the end of the context.

    An interruption reaches it, also where this process ignores them because it runs in the background.
    """
    started = []

    def start(words, **options):
        started.append(
            subprocess.Popen(
                [str(word) for word in words],
                text=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
                **options,
            )
        )
        return started[-1]

    yield start
    for process in started:
        if process.poll() is None:
            for each in [*psutil.Process(process.pid).children(recursive=True), process]:
                each.kill()
        process.wait()
        process.stdout.close()
