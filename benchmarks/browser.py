"""``python -m benchmarks.browser``: how long a reader waits for the network that runs in a page.

``--save`` keeps the times with their provenance for the page on costs, see
:func:`contrastlib.report.results.benchmark_records.in_the_browser`.
"""

from __future__ import annotations

import argparse
import functools
import http.server
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from contrastlib.report.release.chromium import chromium
from contrastlib.report.results.benchmark_records import BROWSER
from contrastlib.report.results.provenance import REPOSITORY, provenance
from contrastlib.report.results.storage import save

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


def measure(folder: Path, frames: int = FRAMES) -> pd.DataFrame:
    """Load the network of a folder in Chromium, and paint on its picture.

    Args:
        folder: The folder.
        frames: Number of strokes.

    Returns:
        A row for each duration of ``MEASURED``: what, milliseconds, and limit, which is NaN if there is none.
    """
    with _served(folder) as address, chromium() as browser:
        page = browser.new_page()
        page.set_default_timeout(120_000)
        page.route("**/*", lambda route: _allow(route, address))
        page.goto(address)
        page.wait_for_selector(".contrast-live[data-ready]")
        found = pd.Series(page.evaluate(MEASURED, frames), name="milliseconds")
    return found.rename_axis("what").reset_index().assign(limit=lambda table: table["what"].map(LIMITS))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print, and save if asked to.

    Args:
        arguments: Command-line arguments; those of the process for None.

    Returns:
        The exit status: 1 if a limit is exceeded.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.browser", description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=FOLDER, help=f"default: {FOLDER}")
    parser.add_argument("--frames", type=int, default=FRAMES, help=f"number of strokes; default: {FRAMES}")
    parser.add_argument(
        "--save",
        nargs="?",
        type=Path,
        const=BROWSER,
        metavar="FOLDER",
        help="save the times in a folder (data/results/benchmarks/browser)",
    )
    options = parser.parse_args(arguments)
    table = measure(options.folder, options.frames)
    print("The network in the browser, one thread, served from this machine")
    print(table.to_string(index=False, float_format="{:.0f} ms".format, na_rep=""))
    if options.save:
        _save(table, options)
    return int((table["milliseconds"] > table["limit"]).any())


def _save(table: pd.DataFrame, options: argparse.Namespace) -> None:
    record = provenance(0, "cpu", parameters={"frames": options.frames}, processors=os.cpu_count())
    del record["seconds"]
    table.attrs["provenance"] = record
    path = options.save / f"{record['date'][:19].replace(':', '')}.parquet"
    save(table, path)
    print(f"saved: {path}")


if __name__ == "__main__":
    sys.exit(main())
