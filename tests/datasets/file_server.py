"""A server on this machine for tests of downloads, which truncates, corrupts and refuses when told to."""

import http.server
import threading
from contextlib import contextmanager


class Server(http.server.ThreadingHTTPServer):
    """Serves the files of a folder; each coming request takes a fault.

    "truncate" ends in the middle, and so does "unsaid", which does not say the length of what is sent;
    "corrupt" sends other bytes, "refuse" none.
    """

    daemon_threads = True

    def __init__(self, folder):
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder, self.faults, self.ranges, self.honours_ranges = folder, [], [], True
        self.address = f"http://127.0.0.1:{self.server_port}"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        fault = self.server.faults.pop(0) if self.server.faults else None
        self.server.ranges.append(self.headers["Range"])
        file = self.server.folder / self.path.lstrip("/")
        if fault == "refuse" or not file.is_file():
            return self.send_error(503 if fault else 404)
        content = file.read_bytes()
        start = (
            int(self.headers["Range"].removeprefix("bytes=").rstrip("-")) if self.server.honours_ranges else 0
        )
        if start and start >= len(content):
            return self.send_error(416)
        body = content[start:]
        if fault == "corrupt":
            body = bytes(len(body))
        self.send_response(206 if self.server.honours_ranges else 200)
        if self.server.honours_ranges:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        if fault != "unsaid":
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if fault in ("truncate", "unsaid") else body)

    def log_message(self, *_):
        pass


@contextmanager
def serving(folder):
    """A :class:`Server` of the folder, as long as the context lasts."""
    with Server(folder) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server
        server.shutdown()
