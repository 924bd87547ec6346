"""The explorer in Firefox: the same pixels as Python computes, choices that move it, and its layout."""

import base64

import explorer_page as static
import numpy as np
import pytest
from firefox import FIREFOX, firefox

from contrastlib.explorer import Explorer, bird

CANVASES = """return [...document.querySelectorAll(".cx-picture canvas")].slice(0, 2).map(canvas => {
  const {width, height} = canvas, {data} = canvas.getContext("2d").getImageData(0, 0, width, height);
  return [height, width, btoa(Array.from(data, value => String.fromCharCode(value)).join(""))];
});"""
READY = """return new Promise((done, failed) => {
  const alert = () => document.querySelector("[role=alert]")?.textContent;
  setTimeout(() => failed(new Error(alert() ?? "not ready")), 30000);
  const look = () => document.querySelector("[data-ready]") ? done(true) : setTimeout(look, 20);
  look();
});"""
SETTLED = "return new Promise(done => setTimeout(() => done(location.hash), 300));"
CHOOSE = """const control = document.querySelectorAll(arguments[0])[arguments[1]];
control.value = arguments[2];
control.dispatchEvent(new Event("change"));"""


@pytest.fixture(scope="module")
def explorer():
    return Explorer([bird(31), bird(4)], ["birds_vgg"], methods=["gradcam", "lrp"], classes=6, name="tried")


@pytest.fixture(scope="module")
def window(explorer, tmp_path_factory):
    if FIREFOX is None:
        pytest.skip("no Firefox on this machine: install Debian's package firefox-esr")
    page = tmp_path_factory.mktemp("page") / "page.html"
    page.write_text(
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>x</title>{explorer.static_html()}',
        encoding="utf-8",
    )
    with firefox(tmp_path_factory.mktemp("profile")) as session:
        session.page = page.as_uri()
        yield session


@pytest.fixture
def opened(window):
    window.go("about:blank")
    window.go(window.page)
    assert window.evaluate(READY)
    return window


def assert_agrees(window, explorer, state):
    drawn = [
        np.frombuffer(base64.b64decode(data), np.uint8).reshape(height, width, 4)[..., :3]
        for height, width, data in window.evaluate(CANVASES)
    ]
    for one, wanted in zip(drawn, static.expected(explorer, state)):
        assert abs(one - wanted).max(axis=2).mean() < 1


def test_pixels(opened, explorer):
    assert_agrees(opened, explorer, explorer.header["state"])


def test_choices(opened, explorer):
    state = explorer.header["state"]
    opened.evaluate(CHOOSE, "select[name=contrast]", 0, "maximum")
    assert ",0,maximum" in opened.evaluate(SETTLED)
    first, second = state["panes"]
    assert_agrees(opened, explorer, state | {"panes": [first | {"contrast": "maximum"}, second]})


def test_masking(opened, explorer):
    opened.evaluate(CHOOSE, "select[name=keep]", 0, "positive")
    assert "keep=positive,blur" in opened.evaluate(SETTLED)
    assert_agrees(opened, explorer, explorer.header["state"] | {"keep": "positive"})
    assert opened.evaluate("return [...document.querySelectorAll('.cx-effect .cx-row')].length;") == 4


def test_the_maps_are_aligned(opened):
    tops = opened.evaluate(
        """return [...document.querySelectorAll('.cx-pane canvas[role=img]')].slice(0, 2)
          .map(e => e.getBoundingClientRect().top);"""
    )
    assert tops[0] == tops[1]
