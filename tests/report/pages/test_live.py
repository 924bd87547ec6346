"""The directive of the live network: its element on the page, and what is said where it cannot be."""

import json
import re

import pytest

from contrastlib.explorer import live
from contrastlib.report.pages.live import FOLDER

CONFIGURATION = """
from contrastlib.report.pages.live import LiveNetwork

extensions = ["myst_nb"]


def setup(app):
    app.add_directive("live-network", LiveNetwork)
"""
DATA = {"live": {"name": "live", "network": {"title": "<b>tiny</b>", "classes": ["</script>", "owl"]}}}

pytestmark = pytest.mark.slow


@pytest.fixture
def source(tmp_path):
    (tmp_path / "conf.py").write_text(CONFIGURATION)
    (tmp_path / "index.md").write_text("# Title\n\n```{toctree}\nbook/live\n```\n")
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "live.md").write_text("# Live\n\n```{live-network} live\n```\n")
    (tmp_path / FOLDER).mkdir(parents=True)
    return tmp_path


def test_the_element(source, sphinx_build):
    (source / FOLDER / live.HEADER).write_text(json.dumps(DATA))
    sphinx_build("-n", source, source / "html")
    html = (source / "html" / "book" / "live.html").read_text(encoding="utf-8")
    assert '<div class="contrast-live" id="live" data-base="../_static/live/">' in html
    assert '<script type="module" src="../_static/live/code/live/main.js"></script>' in html
    (text,) = re.findall(r'<script type="application/json">(.*?)</script>', html)
    assert json.loads(text) == DATA["live"] and "<" not in text


@pytest.mark.parametrize(
    "data, complaint", [(None, "Run `make book`"), ({}, "'live' is not there: the elements are")]
)
def test_what_is_not_there(source, sphinx_build, data, complaint):
    if data is not None:
        (source / FOLDER / live.HEADER).write_text(json.dumps(data))
    with pytest.raises(AssertionError, match=complaint):
        sphinx_build("-n", source, source / "html")
