"""Kernels that start as forks of one process that has imported the modules used by every notebook.

The import of torch, torchvision, SciPy and pandas takes longer than the cells of some notebooks. Jupyter
starts kernels through a *provisioner*. This one requests a child of the forkserver of Python's
multiprocessing instead of a new interpreter. contrastlib itself is not imported in advance, so that
:func:`contrastlib.report.notebooks.kernel_startup.watch` observes which of its modules a notebook depends on.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from multiprocessing import forkserver
from typing import Any

from jupyter_client.provisioning import LocalProvisioner

from contrastlib.report.machines.process_lifetimes import end_with_parent

NAME = "contrastlib-forked"
"""Name of the provisioner in the entry points, and value of ``JUPYTER_DEFAULT_PROVISIONER_NAME``."""
PRELOADED = ("torch", "torchvision", "scipy.stats", "pandas", "ipykernel.kernelapp")

# A forked process starts its own server. It cannot wait for the server of its parent, which is not its child.
os.register_at_fork(after_in_child=forkserver._forkserver.__init__)


class ForkedProvisioner(LocalProvisioner):
    """A local kernel whose process is a fork of one that has imported the modules of ``PRELOADED``."""

    async def launch_kernel(self, cmd: list[str], **options: Any) -> dict:
        """Start the kernel of the command ``python -m ipykernel_launcher ARGUMENTS``.

        Args:
            cmd: The command.
            **options: ``env`` (environment variables) and ``cwd`` (working directory).

        Returns:
            The connection of the kernel.
        """
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(list(PRELOADED))
        arguments = cmd[cmd.index("ipykernel_launcher") + 1 :]
        process = context.Process(target=run_kernel, args=(arguments, options["env"], options.get("cwd")))
        process.start()
        self.process, self.pid, self.pgid = _Forked(process), process.pid, None
        return self.connection_info


class _Forked:
    """A process of multiprocessing with the interface that a provisioner needs."""

    stdin = stdout = stderr = None

    def __init__(self, process: multiprocessing.Process) -> None:
        self._process = process
        self.pid, self.kill, self.terminate = process.pid, process.kill, process.terminate

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self) -> int | None:
        self._process.join()
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        if self._process.is_alive():
            os.kill(self.pid, number)


def run_kernel(arguments: list[str], environment: dict[str, str], folder: str | None) -> None:
    """Run a kernel in a forked process, as ``python -m ipykernel_launcher`` does.

    The kernel, with all that its cells started, ends with the process that asked for it.

    Args:
        arguments: Command-line arguments of the kernel.
        environment: Environment variables.
        folder: Working directory. None for the present one.
    """
    os.setsid()
    end_with_parent()
    os.environ.clear()
    os.environ.update(environment)
    sys.path[:0] = filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))
    if folder:
        os.chdir(folder)
    for name in [name for name in sys.modules if name.partition(".")[0] in ("contrastlib", "__mp_main__")]:
        del sys.modules[name]
    sys.argv = ["ipykernel_launcher", *arguments]

    from ipykernel.kernelapp import IPKernelApp

    IPKernelApp.launch_instance(arguments)
