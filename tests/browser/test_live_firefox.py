"""The live network in Firefox: it loads, agrees with Python, follows a brush, takes a reader's picture."""

import base64

import numpy as np
import pytest
from built import ROOT
from firefox import FIREFOX, firefox
from live_server import serving

import contrastlib
from contrastlib import assets, models
from contrastlib.explorer import live, photograph

RUNTIME = ROOT / "node_modules" / "onnxruntime-web" / "dist"
UNTIL = """return new Promise((done, failed) => {
  const status = () => document.querySelector("[role=alert], .live-status")?.textContent;
  setTimeout(() => failed(new Error(status())), 55000);
  const look = () => {
    const live = document.querySelector(".contrast-live");
    (%s) ? done(true) : setTimeout(look, 20);
  };
  look();
});"""
PRESS = """[...document.querySelectorAll("button")]
  .find(each => each.textContent.startsWith(arguments[0])).click();"""
GIVE = """const bytes = Uint8Array.from(atob(arguments[0]), each => each.charCodeAt(0));
const file = new File([bytes], "cup.png", { type: "image/png" });
return document.querySelector(".contrast-live").live.open(file).then(() => true);"""
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not RUNTIME.exists(), reason="onnxruntime-web is not there: run `npm ci`"),
]


@pytest.fixture(scope="module")
def classifier():
    return models.load("efficientnet_lite0")


@pytest.fixture(scope="module")
def opened(classifier, tmp_path_factory):
    """The page, with its network loaded."""
    if FIREFOX is None:
        pytest.skip("no Firefox on this machine: install Debian's package firefox-esr")
    folder = tmp_path_factory.mktemp("live")
    live.write(folder, RUNTIME, [live.Shown(classifier, photograph(assets.path("chelsea.png"), "A cat"))])
    with serving(folder) as server, firefox(tmp_path_factory.mktemp("profile")) as session:
        session.go(server.address + "index.html")
        assert session.evaluate(UNTIL % '"ready" in live.dataset')
        session.evaluate(PRESS, "Load the network")
        assert session.evaluate(UNTIL % "live.dataset.milliseconds")
        yield session


def numbers(session, expression):
    return np.array(
        session.evaluate(
            f"const live = document.querySelector('.contrast-live').live; return [...{expression}];"
        )
    )


def test_the_map_is_that_of_python(opened, classifier):
    image = photograph(assets.path("chelsea.png")).tensor(classifier)[None]
    wanted = contrastlib.explain(classifier, image, 282, contrast="among", foils=[285])[0].numpy()
    assert np.abs(numbers(opened, "live.fullMap()").reshape(224, 224) - wanted).max() <= 1e-3 * np.ptp(wanted)


def test_painting(opened):
    before = numbers(opened, "live.result.logits")
    opened.evaluate("""const { live } = document.querySelector('.contrast-live');
      live.painted.begin();
      live.painted.stroke([60, 60], [160, 160], 30, () => 128);
      return live.explain().then(() => true);""")
    assert np.abs(numbers(opened, "live.result.logits") - before).max() > 0.1
    opened.evaluate(PRESS, "Reset")


def test_a_picture_of_the_reader(opened):
    opened.evaluate(GIVE, base64.b64encode(assets.path("coffee.png").read_bytes()).decode())
    assert opened.evaluate(UNTIL % "live.dataset.explains === 'espresso'")
