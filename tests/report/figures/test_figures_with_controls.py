"""Figures with controls of the pages on pointing, conservation and masking: what they draw."""

import re

import matplotlib.pyplot as plt
import pytest

from contrastlib import datasets, models
from contrastlib.explainers.lrp import RULES
from contrastlib.report.figures import lrp_controls, masking_errata


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


@pytest.mark.parametrize("method", lrp_controls.POINTING.values())
def test_a_round_of_the_pointing_game(method):
    """Both birds have a map with their name, a box and the highest pixel; `hit` is what the pixel says."""
    figure = lrp_controls.pointing(["birds_vgg"])(scene=18, method=method)
    _, *birds = figure.axes
    assert len(birds) == 2
    for ax in birds:
        (marked,) = ax.lines
        column, row = (int(each[0]) for each in marked.get_data())
        inside = ax.collections[0].get_paths()[0].contains_point((column, row))
        assert ax.get_title().endswith(": hit" if inside else ": missed")


def test_every_rule_can_be_chosen():
    assert set(lrp_controls.RULE_NAMES.values()) == set(RULES)


@pytest.mark.parametrize(
    ("rule", "biases", "share"), [("z_plus", False, 1.0), ("z", True, None), ("epsilon", False, None)]
)
def test_relevance_that_starts_and_arrives(rule, biases, share):
    figure = lrp_controls.conservation(["birds_vgg"])(rule=rule, biases=biases)
    started, arrived = map(
        float, re.fullmatch(r"LRP: (\S+) starts, (\S+) arrives", figure.axes[1].get_title()).groups()
    )
    cosine = float(figure.axes[2].get_title().split()[-1])
    assert share is None or arrived == pytest.approx(share * started, rel=0.01)
    assert (cosine > 0.98) == (rule == "z" and biases)


def test_three_rules_of_masking():
    """By sign the maps lose different numbers of pixels, by the other two the same one."""
    network, photographs = models.load("efficientnet_lite0"), datasets.load("photographs")
    figure = masking_errata.three_rules(network, photographs)()
    said = [
        re.fullmatch(r"(original|weighted), (\d+)% masked", ax.get_xlabel()).groups() for ax in figure.axes
    ]
    shares = [int(share) for _, share in said]
    assert [contrast for contrast, _ in said] == ["original"] * 3 + ["weighted"] * 3
    assert shares[0] != shares[3] and shares[1:3] == shares[4:]
