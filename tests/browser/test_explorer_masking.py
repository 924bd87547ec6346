"""Masking in the explorer: the probabilities that it shows are those that the network gives."""

import re

import pytest
from explorer_page import go, hash_of, settle, unfold

from contrastlib.explorer import masked
from contrastlib.plotting import percent

SIGNS_AND_FILLS = [(sign, fill) for sign in masked.SIGNS for fill in masked.FILLS]


def recorded_states(explorer):
    """A state for each record, of both networks."""
    for network, view in explorer.header["pictures"][0]["views"].items():
        entry = view["maps"][0]
        pane = {"network": network, "method": entry["method"], "layer": entry["layer"], "weights": None}
        for chosen in masked.panes(view, entry["kind"]):
            for keep, fill in SIGNS_AND_FILLS:
                both = [pane | chosen] * 2
                yield explorer.header["state"] | {"panes": both, "keep": keep, "fill": fill}


def numbers(page, pane=0):
    """Probability and relative probability, each before and after, in percent."""
    texts = page.locator(".cx-pane").nth(pane).locator(".cx-effect .cx-numbers").all_inner_texts()
    return [[float(number) for number in re.findall(r"[\d.]+", text)] for text in texts]


def test_shown_are_the_probabilities_of_the_network(opened, explorer):
    page = opened()
    for state in recorded_states(explorer):
        go(page, hash_of(state))
        settle(page)
        explorer.state = state
        wanted = explorer.effect(0)
        for shown, (before, after) in zip(
            numbers(page), (wanted["probability"], wanted["relative"]), strict=True
        ):
            assert shown == pytest.approx([100 * before, 100 * after], abs=0.11), (state, wanted)


def test_the_whole_picture_has_no_effect(opened, explorer):
    page = opened()
    assert not page.locator(".cx-effect").first.is_visible()
    explorer.state = explorer.header["state"]
    with pytest.raises(ValueError, match="the whole picture is kept"):
        explorer.effect()


def test_what_is_not_recorded_says_so_and_how_to_compute_it(opened, explorer):
    page = opened()
    unfold(page)
    page.get_by_label("Show").select_option("positive")
    page.get_by_label("Class").first.select_option("4")
    effect = page.locator(".cx-effect").first
    assert "not for this map. The lines of Python below compute them." in effect.inner_text()
    lines, scope = page.locator(".cx-code").text_content().split("# B:")[0], {}
    exec(lines, scope)
    pane = explorer.header["state"]["panes"][0]
    explorer.state = explorer.header["state"] | {"panes": [pane | {"rank": 4}] * 2, "keep": "positive"}
    target = explorer.header["pictures"][0]["views"]["birds_vgg"]["classes"][4]["index"]
    assert scope["p"][:, target].tolist() == pytest.approx(explorer.effect()["probability"], abs=0.01)


def test_names_stand_beside_the_numbers(opened, explorer):
    page = opened(hash_of(explorer.header["tour"][3]["state"]))
    classes = explorer.header["pictures"][0]["views"]["birds_vgg"]["classes"]
    explorer.state = explorer.header["tour"][3]["state"]
    text = page.locator(".cx-effect").nth(1).inner_text()
    assert "probability" in text and f"against {classes[1]['name']}" in text
    assert page.locator(".cx-effect [title]").evaluate_all("all => all.map(each => each.title)")[:2] == [
        f"Probability of {classes[0]['name']}",
        f"Relative probability: of {classes[0]['name']}, among it and {classes[1]['name']}",
    ]
    assert percent(explorer.effect(1)["relative"][0]) in text
