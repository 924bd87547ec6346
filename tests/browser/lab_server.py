"""A JupyterLab on this machine, with settings and kernels of its own."""

import os
import socket
import subprocess
import time
import urllib.request
from contextlib import contextmanager


@contextmanager
def served(command, folder, environment=None):
    """Address of the JupyterLab that this command starts; its settings and its log are kept in the folder."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = {
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "OMP_NUM_THREADS": "1",
    }
    options = [
        "--no-browser",
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        "--IdentityProvider.token=",
        "--ServerApp.password=",
    ]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(
            [*command, *options], env=os.environ | own | (environment or {}), stdout=log, stderr=log
        )
    address = f"http://127.0.0.1:{port}/"
    try:
        for _ in range(600):  # long where the machine is busy
            try:
                urllib.request.urlopen(f"{address}api/status").close()
                break
            except OSError:
                assert server.poll() is None, (folder / "log").read_text()
                time.sleep(0.5)
        else:
            raise TimeoutError((folder / "log").read_text())
        yield address
    finally:
        server.terminate()
        server.wait(20)
