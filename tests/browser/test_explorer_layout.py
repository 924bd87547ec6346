"""The explorer's layout: what stands beside what, on a desk and on a phone, and how large it is."""

import pytest
from explorer_page import go, hash_of, settle, unfold

DESK, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
TOUCH = {"viewport": PHONE, "has_touch": True, "is_mobile": True}
MAPS = ".cx-pane:not(.cx-difference) canvas[role=img]"
SMALL = """least => [
    ...document.querySelectorAll(".cx :is(a, button, select, input, summary, canvas[tabindex])")
  ]
  .filter(each => each.checkVisibility({visibilityProperty: true}))
  .map(each => [
    each.tagName,
    each.name || each.textContent.slice(0, 20),
    (each.closest("label:has([type=checkbox])") ?? each).getBoundingClientRect(),
  ])
  .filter(([, , box]) => Math.min(box.width, box.height) < least - 0.01)
  .map(([tag, name, box]) => [tag, name, box.width, box.height])"""


def tops(page):
    return page.locator(MAPS).evaluate_all("all => all.map(each => each.getBoundingClientRect().top)")


@pytest.mark.parametrize("width", [390, 640, 760, 1280])
def test_the_maps_are_aligned(opened, explorer, width):
    """Whatever is asked: the question of A takes one line, that of B many."""
    page = opened(viewport={"width": width, "height": 900})
    pane = explorer.header["state"]["panes"][0]
    long = pane | {"contrast": "among", "foils": [1, 2, 3, 4, 5, 6]}
    for panes in ([pane, long], [long, pane]):
        go(page, hash_of(explorer.header["state"] | {"panes": panes}))
        settle(page)
        heights = page.locator(".cx-question").evaluate_all(
            "all => all.map(each => each.getClientRects()[0].height)"
        )
        assert max(heights) > min(heights) + 15
        assert tops(page)[0] == tops(page)[1]


@pytest.mark.parametrize("keep", ["all", "positive"])
def test_a_comparison_fits_a_screen(opened, explorer, keep):
    """All of the explorer on a desk, with its folded choices; controls to effects and read-out on a phone."""
    page = opened(hash_of(explorer.header["tour"][2]["state"] | {"keep": keep}), viewport=DESK)
    assert page.locator(".cx").bounding_box()["height"] <= 800
    phone = opened(hash_of(explorer.header["tour"][2]["state"] | {"keep": keep}), **TOUCH)
    top, ends = (
        phone.locator(".cx-tools").bounding_box()["y"],
        phone.locator(".cx-effect:visible, .cx-readout"),
    )
    bottoms = ends.evaluate_all("all => all.map(each => each.getBoundingClientRect().bottom + scrollY)")
    assert len(bottoms) == (1 if keep == "all" else 3) and top < min(bottoms)
    assert max(bottoms) - top <= PHONE["height"]
    assert phone.locator(".cx-tour").bounding_box()["y"] < top


@pytest.mark.parametrize("least, options", [(24, {"viewport": DESK}), (44, TOUCH)])
def test_targets_are_large_enough(opened, least, options):
    page = opened(**options)
    unfold(page)
    assert page.evaluate(SMALL, least) == []
    page.get_by_label("Show").select_option("positive")
    assert page.evaluate(SMALL, least) == []


def shown(page):
    """Which of the maps lie within the window."""
    return page.locator(MAPS).evaluate_all(
        """all => all.map(each => {
          const {left, right} = each.getBoundingClientRect();
          return left >= 0 && right <= innerWidth;
        })"""
    )


def test_a_tab_or_a_swipe_shows_the_other_map(opened):
    page = opened(**TOUCH)
    tabs = page.locator(".cx-tabs button")
    assert shown(page) == [True, False] and tabs.nth(0).get_attribute("aria-pressed") == "true"
    tabs.nth(1).tap()
    page.wait_for_function("() => document.querySelectorAll('.cx-tabs button')[1].ariaPressed === 'true'")
    page.wait_for_timeout(500)
    assert shown(page) == [False, True]
    swipe(page, 100, 300)
    page.wait_for_function("() => document.querySelectorAll('.cx-tabs button')[0].ariaPressed === 'true'")
    page.wait_for_timeout(500)
    assert shown(page) == [True, False]
    page.get_by_label("Show").select_option("negative")
    page.locator(".cx-effect").first.wait_for()


def swipe(page, start, end):
    """With one finger over the map."""
    y, client = page.locator(".cx-panes").bounding_box()["y"] + 250, page.context.new_cdp_session(page)
    client.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": start, "y": y}]})
    for x in range(start + 10, end, 15):
        client.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [{"x": x, "y": y}]})
        page.wait_for_timeout(16)
    client.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def test_on_a_desk_there_are_no_tabs(opened):
    page = opened(viewport=DESK)
    assert not page.locator(".cx-tabs").is_visible() and shown(page) == [True, True]


@pytest.mark.parametrize("width", [320, 390, 700, 1280])
def test_no_sideways_scrolling(opened, width):
    page = opened(viewport={"width": width, "height": 800})
    unfold(page)
    page.get_by_role("checkbox", name="Difference").check()
    assert page.evaluate("() => document.documentElement.scrollWidth") <= width
    outside = page.evaluate(
        """width => [...document.querySelectorAll('.cx *')].filter(e =>
          e.getBoundingClientRect().right > width + 1
          && !e.closest('.cx-code, .cx-tour, .cx-pictures')
          && !(width < 600 && e.closest('.cx-panes'))
        ).map(e => e.className)""",
        width,
    )
    assert not outside


def test_instructions_stand_before_the_maps(opened):
    page = opened()
    page.get_by_label("Show").select_option("positive")
    say = page.locator(".cx-say")
    assert say.inner_text().startswith("Red speaks for the class, blue against it.")
    assert say.bounding_box()["y"] < tops(page)[0]
    unfold(page)
    assert 'contrast "among"' in page.locator(".cx-choices").first.inner_text()
    assert 'contrast "own"' in page.locator(".cx-choices").first.inner_text()


def test_the_tour_moves_the_explorer(opened, explorer):
    """Each step is a link that shows its state, also in another page; its text stands above the maps."""
    page = opened()
    links = page.locator(".cx-tour a")
    assert links.count() == len(explorer.header["tour"]) == 4
    for number, step in enumerate(explorer.header["tour"]):
        links.nth(number).click()
        settle(page)
        assert page.locator(".cx-say").inner_text() == step["text"]
        assert links.nth(number).get_attribute("aria-current") == "step"
        assert page.evaluate("location.hash") == links.nth(number).get_attribute("href")
        page.locator(".cx-effect").first.wait_for(
            state="hidden" if step["state"]["keep"] == "all" else "visible"
        )
        cited = opened(page.evaluate("location.hash"))
        assert cited.locator(".cx-tour a[aria-current]").inner_text() == links.nth(number).inner_text()
    page.get_by_label("Class").first.select_option("2")
    assert page.locator(".cx-tour a[aria-current]").count() == 0
