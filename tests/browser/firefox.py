"""Firefox as a test drives it: without a window, through the protocol Marionette that it speaks itself."""

import itertools
import json
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager

FIREFOX = shutil.which("firefox-esr") or shutil.which("firefox")
SETTINGS = {
    "marionette.port": 0,  # any free one, which the file MarionetteActivePort tells
    # a proxy that is not there: no other host is reached
    "network.proxy.type": 1,
    "network.proxy.http": "127.0.0.1",
    "network.proxy.http_port": 9,
    "network.proxy.ssl": "127.0.0.1",
    "network.proxy.ssl_port": 9,
    "app.update.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "browser.shell.checkDefaultBrowser": False,
}


class Firefox:
    """A session with a window."""

    def __init__(self, port):
        self._connection, self._numbers = (
            socket.create_connection(("127.0.0.1", port), timeout=120),
            itertools.count(),
        )
        self._stream = self._connection.makefile("rb")
        self._read()  # a greeting
        self("NewSession", capabilities={"alwaysMatch": {"timeouts": {"script": 60_000, "pageLoad": 60_000}}})

    def __call__(self, command, **arguments):
        """Send a command of WebDriver; return its result."""
        text = json.dumps([0, next(self._numbers), f"WebDriver:{command}", arguments])
        self._connection.sendall(f"{len(text.encode())}:{text}".encode())
        _, _, error, result = self._read()
        if error:
            raise RuntimeError(f"{error['error']}: {error['message']}")
        return result

    def go(self, address):
        self("Navigate", url=address)

    def evaluate(self, script, *arguments):
        """Return the result of the body of a function, which may be a promise."""
        return self("ExecuteScript", script=script, args=list(arguments), sandbox=None)["value"]

    def _read(self):
        length = b"".join(iter(lambda: self._stream.read(1), b":"))
        return json.loads(self._stream.read(int(length)))

    def close(self):
        self._connection.close()


@contextmanager
def firefox(profile):
    """Start Firefox with a new profile in that folder, and end it with the context."""
    lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in SETTINGS.items()]
    (profile / "user.js").write_text("\n".join(lines))
    process = subprocess.Popen(
        [FIREFOX, "--headless", "--no-remote", "--marionette", "--profile", profile],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    session = None
    try:
        port, end = profile / "MarionetteActivePort", time.monotonic() + 60
        while not (port.exists() and port.read_text().strip()):
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError("Firefox did not start")
            time.sleep(0.1)
        session = Firefox(int(port.read_text()))
        yield session
    finally:
        if session:
            session.close()
        process.terminate()
        process.wait(30)
