"""Figures in a browser: numbered with a caption, and enlarged by a click or a key."""

import re

import pytest

PAGE = "book/executed/03_maps.html"
WITH_PHOTOGRAPHS = ("03_maps", "06_three_classes", "10_lrp", "11_explore", "12_your_picture")


def test_numbers_and_captions(visit):
    """Counted within the page; a figure that this build leaves out keeps its number."""
    page, _ = visit(PAGE)
    page.evaluate("() => document.querySelectorAll('details.fold').forEach(each => { each.open = true; })")
    captions = page.locator(".cell_output figure figcaption").all_inner_texts()
    numbers = [
        int(re.match(r"Figure 3\.(\d+)\. .{20}", caption)[1]) for caption in captions
    ]  # and no other number before
    assert len(numbers) >= 5 and numbers == sorted(set(numbers))


@pytest.mark.parametrize("name", ["index", "live", *(f"executed/{each}" for each in WITH_PHOTOGRAPHS)])
def test_photographers_are_named(visit, name):
    """On each page that shows a photograph, also where it stands beside a figure with a caption."""
    page, problems = visit(f"book/{name}.html")
    page.evaluate("() => document.querySelectorAll('details').forEach(each => { each.open = true; })")
    named = page.get_by_text("Stefan van der Walt (CC0")
    assert any(named.nth(i).is_visible() for i in range(named.count())) and not problems


def test_links_lead_to_figures(visit):
    page, problems = visit(PAGE)
    page.get_by_role("link", name="Figure 3.1").first.click()
    page.wait_for_function("() => location.hash === '#figure-3-1'")
    assert page.locator("figure#figure-3-1 img").is_visible() and not problems


def test_enlarged(visit):
    """On a telephone the file is shown at its own size, to be moved under the finger; Escape closes it."""
    page, problems = visit(PAGE, width=390)
    button, dialog = page.locator("button.enlarge:visible").first, page.locator("dialog.enlarged")
    shown = button.locator("img").evaluate("each => each.width")
    button.focus()
    page.keyboard.press("Enter")
    dialog.wait_for()
    assert dialog.locator("img").evaluate("each => each.width === each.naturalWidth") and shown < 390
    assert dialog.evaluate(
        "each => each.scrollWidth > each.clientWidth && getComputedStyle(each).overflowX === 'auto'"
    )
    page.keyboard.press("Escape")
    dialog.wait_for(state="hidden")
    button.click()
    dialog.get_by_role("button", name="Close").click()
    dialog.wait_for(state="hidden")
    assert not problems
