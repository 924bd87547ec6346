"""A server of a live network's folder under a strict Content-Security-Policy, which can hold files back."""

import functools
import http.server
import threading
from contextlib import contextmanager

POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; style-src 'self'; "
    "img-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; form-action 'none'"
)


class Handler(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        if self.path.split("?")[0].endswith((".onnx", ".wasm")):
            self.server.asked.append(self.path)
            if self.server.missing:
                return self.send_error(404)
            self.server.free.wait(60)
        return super().do_GET()

    def end_headers(self):
        self.send_header("Content-Security-Policy", POLICY)
        super().end_headers()

    def log_message(self, *_):
        pass


@contextmanager
def serving(folder):
    """Serve a folder: ``server.free`` lets large files through, ``server.missing`` denies them."""
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Handler, directory=str(folder))
    )
    server.daemon_threads = True
    server.free, server.missing, server.asked = threading.Event(), False, []
    server.free.set()
    server.address = f"http://127.0.0.1:{server.server_port}/"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.free.set()
    server.shutdown()
