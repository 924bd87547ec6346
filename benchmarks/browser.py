"""``python -m benchmarks.browser``: how long a reader waits for the network that runs in a page."""

from __future__ import annotations

import argparse
import functools
import http.server
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from contrastlib.report.release.chromium import chromium
from contrastlib.report.results.provenance import REPOSITORY

if TYPE_CHECKING:
    from playwright.sync_api import Route

FOLDER = REPOSITORY / "book" / "vendor" / "live"
"""The folder that ``make book`` writes by ``python -m contrastlib live``."""
FRAMES = 30
LIMITS = {"first map": 3000, "frame": 150}
"""Upper limits in milliseconds: the first map after loading, and the median of later ones."""
MEASURED = """async frames => {
  const live = document.querySelector(".contrast-live").live, times = [], start = performance.now();
  const until = async condition => { while (!condition()) await new Promise(done => setTimeout(done, 5)); };
  document.querySelector(".live-load").click();
  await until(() => live.network.ready);
  const loaded = performance.now();
  await until(() => live.root.dataset.milliseconds);
  const first = performance.now();
  for (let i = 0; i < frames; i++) {
    const before = performance.now();
    live.painted.stroke([i, i], [i + 9, i + 9], 9, () => 128);
    await live.explain();
    times.push(performance.now() - before);
  }
  times.sort((one, other) => one - other);
  return { "loading": loaded - start, "first map": first - loaded, "frame": times[frames >> 1],
    "slowest frame": times.at(-1) };
}"""
"""Milliseconds to load from this machine, to the first map after that, and of the frames while one paints."""


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Print nothing."""


@contextmanager
def _served(folder: Path) -> Iterator[str]:
    handler = functools.partial(_Quiet, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()


def _allow(route: Route, address: str) -> None:
    """Let requests to one address pass, and no other."""
    if route.request.url.startswith(address):
        route.continue_()
    else:
        route.abort()


def measure(folder: Path) -> dict[str, float]:
    """Load the network of a folder in Chromium, and paint on its picture.

    Args:
        folder: The folder.

    Returns:
        Milliseconds by name, see ``MEASURED``.
    """
    with _served(folder) as address, chromium() as browser:
        page = browser.new_page()
        page.set_default_timeout(120_000)
        page.route("**/*", lambda route: _allow(route, address))
        page.goto(address)
        page.wait_for_selector(".contrast-live[data-ready]")
        return page.evaluate(MEASURED, FRAMES)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print.

    Args:
        arguments: Command-line arguments; those of the process for None.

    Returns:
        The exit status: 1 if a limit is exceeded.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.browser", description=__doc__)
    parser.add_argument("--folder", type=Path, default=FOLDER, help=f"default: {FOLDER}")
    found = measure(parser.parse_args(arguments).folder)
    print("The network in the browser, one thread, served from this machine")
    for name, milliseconds in found.items():
        limit = LIMITS.get(name)
        print(f"{name:15}{milliseconds:8.0f} ms" + (f", at most {limit}" if limit else ""))
    return int(any(found[name] > limit for name, limit in LIMITS.items()))


if __name__ == "__main__":
    sys.exit(main())
