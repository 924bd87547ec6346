"""A browser that sees the built book only: served on this machine, every other host blocked."""

import functools
import http.server
import os
import threading

import pytest
from built import ARGUMENTS, CHROMIUM, HTML


def _cannot(why):
    required = os.environ.get("REQUIRE_BROWSER") or os.environ.get("CI")
    (pytest.fail if required else pytest.skip)(why)


@pytest.fixture(scope="session")
def site():
    """Address of a server of the book on this machine."""
    if not (HTML / "index.html").exists():
        _cannot("the book is not built: run `make book`")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(HTML)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


@pytest.fixture(scope="module")  # its event loop must not be there for the tests of other modules
def browser():
    if CHROMIUM is None:
        _cannot("no Chromium on this machine: install Debian's package chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def visit(browser, site):
    """Open a page of the book: ``page, problems = visit(address, width=1280)``.

    ``problems`` collects console errors, uncaught exceptions, failed requests and attempts to reach
    another host, from the first byte on.
    """
    opened = []

    def open_page(address: str, width: int = 1280, base: str = site, scheme: str = "light"):
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        opened.append(page)
        problems = []

        def guard(route):
            if route.request.url.startswith((base, "blob:", "data:")):
                route.continue_()
            else:
                problems.append(f"asked another host: {route.request.url}")
                route.abort()

        page.route("**/*", guard)
        page.on("pageerror", lambda error: problems.append(f"exception: {error}"))
        page.on("console", lambda message: message.type == "error" and problems.append(f"console: {message.text}"))
        page.on("requestfailed", lambda request: problems.append(f"failed: {request.url} {request.failure}"))
        page.on("response", lambda answer: answer.status >= 400 and problems.append(f"{answer.status} {answer.url}"))
        page.goto(base + address, wait_until="load")
        page.wait_for_function("() => !window.MathJax || window.MathJax.startup?.promise !== undefined")
        page.evaluate("() => window.MathJax?.startup?.promise")
        page.wait_for_load_state("networkidle")
        return page, problems

    yield open_page
    for page in opened:
        page.close()
