"""The forest plot of a claim."""

import re

import pytest

from contrastlib.report.figures.forest import LABELS, PLOT, forest

EFFECTS, INTERVALS = (
    {"small VGG": 0.2, "small ResNet": 0.4},
    {"small VGG": (0.1, 0.3), "small ResNet": (-0.1, 0.9)},
)


def test_every_network_and_the_summary_are_drawn():
    picture = forest(EFFECTS, INTERVALS, "+.1f", "gain", (0.3, 0.0, 0.6), smallest=0.05)
    assert re.findall(r">([^<>]+)</text>", picture)[:3] == ["small VGG", "small ResNet", "mean of families"]
    assert [picture.count(f"<{shape}") for shape in ("circle", "polygon", "rect", "line")] == [2, 1, 1, 3]
    assert 'aria-label="gain: small VGG +0.2, small ResNet +0.4, mean of families +0.3"' in picture


def test_places_are_in_order_and_inside():
    picture = forest(EFFECTS, INTERVALS, "+.1f", "gain", bound=0.5)
    first, second = (float(x) for x in re.findall(r'cx="([\d.]+)"', picture))
    bound = float(re.search(r'class="bound" x1="([\d.]+)"', picture)[1])
    assert LABELS < first < second < bound < LABELS + PLOT


@pytest.mark.parametrize("overall", [(), (0.2, 0.1, 0.3)])
def test_one_network_needs_no_summary(overall):
    picture = forest({"small VGG": 0.2}, {}, "+.1f", "gain", overall)
    assert "<polygon" not in picture and picture.count("<line") == 1 and "<rect" not in picture


def test_titles_are_escaped():
    assert "a &lt;b&gt;" in forest({"a <b>": 0.0}, {}, "+.1f", "gain")
