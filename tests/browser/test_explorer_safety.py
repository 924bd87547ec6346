"""The explorer takes text as text, and works under a strict policy and where addresses cannot be written."""

import http.server
import threading

import pytest
from explorer_page import settle
from test_explorer_elsewhere import network

from contrastlib.explorer import Explorer, bird
from contrastlib.explorer.policy import content_security_policy

MARKUP = [
    "<img src=x onerror=hacked()>",
    "</script><script>hacked()</script>",
    "<!--<script>",
    "\"><svg onload='hacked()'>",
]
PAGE = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Explorer</title></head>'
    "<body>{}</body></html>"
)


@pytest.fixture(scope="module")
def served():
    """``address = served(html, policy)`` of a page on this machine with that policy in its header."""
    pages = {}

    class Server(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            html, policy = pages.get(self.path, ("", ""))
            self.send_response(200)  # the icon that browsers ask for is an empty page
            self.send_header("Content-Type", "text/html; charset=utf-8")
            if policy:
                self.send_header("Content-Security-Policy", policy)
            self.end_headers()
            self.wfile.write(html.encode())

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def put(html, policy=""):
        path = f"/{len(pages)}.html"
        pages[path] = html, policy
        return f"http://127.0.0.1:{server.server_port}{path}"

    yield put
    server.shutdown()


@pytest.fixture
def visited(browser):
    """Open an address; what the console and the page complain of is in ``page.problems``."""
    opened = []

    def visit(address):
        page = browser.new_page(viewport={"width": 1000, "height": 900})
        page.set_default_timeout(60_000)
        page.problems, page.hacked = [], []
        page.expose_function("hacked", lambda *_: page.hacked.append(1))
        page.on("pageerror", lambda error: page.problems.append(str(error)))
        page.on("console", lambda message: message.type == "error" and page.problems.append(message.text))
        page.goto(address)
        opened.append(page)
        return page

    yield visit
    for page in opened:
        page.close()


@pytest.fixture(scope="module")
def hostile():
    """An explorer whose every name is markup."""
    picture, other = bird(31), bird(4)
    picture.title, picture.caption, other.title = MARKUP[0], " ".join(MARKUP), MARKUP[1]
    return Explorer([picture, other], [network(MARKUP[0], MARKUP)], methods=["gradcam"], classes=3, tour=True)


def no_markup(page):
    settle(page)
    assert (
        page.locator(".contrast-explorer").locator("[onerror], [onload], script, svg, img[src=x]").count()
        == 0
    )
    assert not page.hacked


def test_names_stay_text(visited, served, hostile):
    page = visited(served(PAGE.format(hostile.static_html())))
    page.wait_for_selector("[data-ready]")
    classes = [each["name"] for each in hostile.header["pictures"][0]["views"][MARKUP[0]]["classes"]]
    for step in range(4):
        page.locator(".cx-tour a").nth(step).click()
        no_markup(page)
    page.locator(".cx-fold").click()
    page.locator("select[name=picture]").nth(1).select_option("1")
    no_markup(page)
    assert classes[0] in page.locator(".cx-question").first.inner_text()
    assert page.locator(".cx-pictures img").first.get_attribute("alt") == MARKUP[0]
    assert not page.problems


@pytest.mark.parametrize("text", MARKUP)
def test_an_address_never_becomes_markup(visited, served, hostile, text):
    """Neither where the page is opened with it, nor where it changes later."""
    first, *later = [
        f"#explore?{field}={value}"
        for field in ("picture", "a", "b", "keep", "opacity", "x")
        for value in (text, f"{text},{text},{text},0,among,{text}")
    ]
    page = visited(served(PAGE.format(hostile.static_html())) + first)
    page.wait_for_selector("[data-ready]")
    for hash in later:
        page.evaluate("hash => { location.hash = hash; }", hash)
        no_markup(page)
    assert not page.problems


def test_a_strict_policy(visited, served):
    """All that the explorer does works where no host, no other inline script and no eval is allowed."""
    shown = Explorer([bird(31), bird(4)], [network()], methods=["gradcam"], classes=3, tour=True)
    html = PAGE.format(shown.static_html())
    policy = content_security_policy(html)
    assert "unsafe" not in policy and policy.startswith("default-src 'none'")
    page = visited(served(html, policy))
    page.wait_for_selector("[data-ready]")
    page.wait_for_function(
        "() => [...document.querySelectorAll('.cx-pictures img')].every(image => image.naturalWidth)"
    )
    page.locator(".cx-tour a").nth(3).click()
    page.locator(".cx-effect .cx-row").first.wait_for()
    assert page.locator(".cx-gauge").first.evaluate("e => getComputedStyle(e, '::before').left") != "0px"
    page.locator(".cx-pane canvas").first.focus()
    page.keyboard.press("ArrowRight")
    assert page.locator(".cx-cross").first.evaluate("e => getComputedStyle(e).left") != "0px"
    with page.expect_download():
        page.get_by_role("button", name="Save picture").click()
    assert not page.problems


def test_the_policy_forbids_other_scripts(visited, served):
    shown = Explorer([bird(31)], [network()], methods=["gradcam"], classes=3)
    html = PAGE.format(shown.static_html())
    page = visited(
        served(html.replace("</body>", "<script>hacked()</script></body>"), content_security_policy(html))
    )
    page.wait_for_selector("[data-ready]")
    assert not page.hacked and any("Content Security Policy" in each for each in page.problems)


def test_an_address_that_cannot_be_written(opened):
    """As in some frames, and in WebKit after many changes in a short time."""
    page = opened()
    page.evaluate(
        "() => { history.replaceState = () => { throw new DOMException('no', 'SecurityError'); }; }"
    )
    caption = page.locator(".cx-caption").inner_text()
    page.locator(".cx-pictures input").nth(1).check(force=True)
    page.wait_for_function(
        "caption => document.querySelector('.cx-caption').textContent !== caption", arg=caption
    )
