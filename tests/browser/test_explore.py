"""The page Explore as its readers meet it: not too heavy, and quickly there also on a slow machine."""

import pytest

from contrastlib import assets

PAGE = "book/executed/11_explore.html"
SEEN = """new MutationObserver((_, observer) => {
  if (!document.querySelector(".contrast-explorer[data-ready]")) return;
  window.firstPicture = performance.now();
  observer.disconnect();
}).observe(document, {subtree: true, childList: true, attributes: true});"""


@pytest.mark.data
def test_weight_and_first_picture(browser, site):
    """At most 6 MB without the photographs of others, and the first picture before the rest has been read.

    So it is where the processor is four times slower.
    """
    shares = []
    for _ in range(3):  # the best of three: other work on the machine is not the page's
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(120_000)
        page.add_init_script(SEEN)
        page.context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": 4})
        page.goto(site + PAGE, wait_until="commit")
        page.wait_for_function("() => window.firstPicture")
        page.wait_for_load_state("load")
        shares.append(
            page.evaluate(
                "() => window.firstPicture / performance.getEntriesByType('navigation')[0].domInteractive"
            )
        )
        weight = page.evaluate(
            "() => performance.getEntries().reduce((sum, entry) => sum + (entry.decodedBodySize ?? 0), 0)"
        )
        larger = page.locator(
            "#explore-bird-photographs, #explore-imagenet"
        ).count()  # of the photographs of others
        page.close()
        assert 3e6 < weight < 6e6 + 250_000 * larger
    assert min(shares) < 1


@pytest.mark.data
def test_what_is_shown(visit):
    """Five photographs, twelve drawn birds or more, two in one picture; the larger sets, or folded lines."""
    page, problems = visit(PAGE)
    page.wait_for_function(
        "() => [...document.querySelectorAll('.contrast-explorer')].every(e => 'ready' in e.dataset)"
    )
    assert titles(page, "explore-photographs") == ["tabby", "espresso", "missile", "tripod", "space shuttle"]
    birds = titles(page, "explore-birds")
    assert len(birds) >= 12 and sum(" and " in title for title in birds) >= 3
    captions = []
    for button in page.locator("#explore-birds .cx-pictures input").all():
        button.check(force=True)
        captions.append(page.locator("#explore-birds .cx-caption").inner_text())
    for kind in ("differ in one part", "differ in several parts", "dominates"):
        assert sum(kind in caption for caption in captions) >= 2, captions
    larger = page.locator("#explore-bird-photographs, #explore-imagenet").count()
    assert larger == (2 if assets.available("imagenet_sample_1000.zip") else 0)
    assert page.locator("details.left-out").count() == 2 - larger
    assert not problems


@pytest.mark.data
def test_the_opening_example(visit):
    """The cat: what raises the logit of tiger cat, and tiger cat against Egyptian cat."""
    page, _ = visit(PAGE)
    page.wait_for_selector("#explore-photographs[data-ready]")
    panes = page.locator("#explore-photographs .cx-pane:has(select)").all()
    assert [pane.locator("select[name=contrast]").input_value() for pane in panes] == ["original", "among"]
    asked = panes[1].inner_text()
    assert "Why tiger cat" in asked and "and not Egyptian cat" in asked


def titles(page, explorer):
    return page.locator(f"#{explorer} .cx-pictures img").evaluate_all("all => all.map(image => image.alt)")
