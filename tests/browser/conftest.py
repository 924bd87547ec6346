"""A browser that sees the built book only: served on this machine, every other host blocked."""

import functools
import hashlib
import http.server
import os
import subprocess
import threading

import pytest
from built import HTML
from explorer_page import NAME
from lab_server import served

from contrastlib.cli.lab import command
from contrastlib.explorer import Explorer, bird, bird_scene
from contrastlib.report.lab import working_copy as lab
from contrastlib.report.notebooks import execution as notebooks
from contrastlib.report.notebooks import kernel_provisioner
from contrastlib.report.release.chromium import CHROMIUM, chromium


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
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def context(browser):
    """What visited pages share: files of the book that one of them has asked for, which lie in its cache."""
    shared = browser.new_context()
    yield shared
    shared.close()


@pytest.fixture
def visit(context, site):
    """Open a page of the book: ``page, problems = visit(address, width=1280)``.

    ``problems`` collects console errors, uncaught exceptions, failed requests and attempts to reach
    another host, from the first byte on. The browser itself finds no other host; to route requests through
    here would cost the cache.
    """
    opened = []

    def open_page(address: str, width: int = 1280, base: str = site, scheme: str = "light"):
        page = context.new_page()
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        page.set_default_timeout(120_000)
        opened.append(page)
        problems, pending = [], set()

        def asked(request):
            pending.add(request)
            if not request.url.startswith((base, "blob:", "data:")):
                problems.append(f"asked another host: {request.url}")

        def said(message):  # the icon is the browser's own idea
            if message.type == "error" and not message.location["url"].endswith("/favicon.ico"):
                problems.append(f"console: {message.text}")

        page.on("pageerror", lambda error: problems.append(f"exception: {error}"))
        page.on("console", said)
        page.on("requestfailed", lambda request: problems.append(f"failed: {request.url} {request.failure}"))
        page.on("request", asked)
        page.on("requestfinished", lambda request: pending.discard(request))
        page.on("requestfailed", lambda request: pending.discard(request))
        page.on(
            "response",
            lambda answer: answer.status >= 400 and problems.append(f"{answer.status} {answer.url}"),
        )
        page.goto(base + address, wait_until="load")
        page.wait_for_function("() => !window.MathJax || window.MathJax.startup?.promise !== undefined")
        page.evaluate("() => window.MathJax?.startup?.promise.then(() => document.fonts.ready)")
        while pending:  # Playwright's "networkidle" would wait for half a second of silence on each page
            page.wait_for_timeout(10)
        return page, problems

    yield open_page
    for page in opened:
        page.evaluate("() => localStorage.clear()")  # the theme that a reader has chosen
        page.close()


def _state():
    """The repository's notebooks: what git says of them, and their bytes."""
    said = subprocess.run(
        ["git", "status", "--short", "notebooks"],
        cwd=notebooks.CODE,
        capture_output=True,
        text=True,
        check=False,
    )
    return said.stdout, {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in notebooks.find([])
    }


@pytest.fixture(scope="module")
def lab_page(browser, tmp_path_factory):
    """JupyterLab as `make lab` opens it, on a working copy in ``page.folder``; the repository stays as it is.

    Kernels are forked and see no data of others, as when the stored outputs were made. The state of widgets
    is saved, as a reader may choose.
    """
    before, folder, server = _state(), tmp_path_factory.mktemp("lab"), tmp_path_factory.mktemp("server")
    lab.prepare(folder)
    manager = folder / ".jupyter/settings/@jupyter-widgets/jupyterlab-manager/plugin.jupyterlab-settings"
    manager.parent.mkdir(parents=True)
    manager.write_text('{"saveState": true}')
    environment = (
        notebooks.QUICK_ENVIRONMENT
        | lab.environment(folder)
        | {
            "CONTRASTLIB_DATA": str(server / "no-data"),
            "JUPYTER_DEFAULT_PROVISIONER_NAME": kernel_provisioner.NAME,
        }
    )
    with served(command(folder, ["--expose-app-in-browser"]), server, environment) as address:
        page = browser.new_page(viewport={"width": 1300, "height": 1000})
        page.set_default_timeout(120_000)
        page.asked = []
        page.on("request", lambda request: page.asked.append(request.url))
        page.goto(address)
        page.folder = folder
        yield page
        page.close()
    assert _state() == before


@pytest.fixture(scope="session")
def explorer():
    """Drawn birds, one network of either kind, and the tour."""
    return Explorer(
        [bird(31), bird(4), bird_scene(7)], ["birds_vgg", "birds_vit"], classes=6, name=NAME, tour=True
    )


@pytest.fixture(scope="session")
def address(explorer, tmp_path_factory):
    """A page that holds the explorer and nothing else, as a file."""
    page = tmp_path_factory.mktemp("explorer") / "page.html"
    head = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Explorer</title>'
        '<meta name="viewport" content="width=device-width">'
    )
    page.write_text(
        f"{head}<main><h1>Explorer</h1><h2>One</h2>{explorer.static_html()}</main></html>", encoding="utf-8"
    )
    return page.as_uri()


@pytest.fixture
def opened(explorer, address, browser, request):
    """The page in the browser, once the first picture is there; any error in it fails the test."""
    pages = []

    def show(hash="", **options):
        page = browser.new_page(**{"viewport": {"width": 1000, "height": 900}} | options)
        page.set_default_timeout(120_000)
        problems = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda message: message.type == "error" and problems.append(message.text))
        page.on("request", lambda asked: asked.url.startswith("http") and problems.append(asked.url))
        page.goto(address + hash)
        if options.get("java_script_enabled", True):
            page.wait_for_selector(f"#{NAME}[data-ready]")
        pages.append((page, problems))
        return page

    yield show
    for page, problems in pages:
        page.close()
        assert not problems
