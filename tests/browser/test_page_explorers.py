"""The explorer on each page of results: it starts with its page's preset, and is small."""

import re

import pytest
from built import HTML

PRESETS = {  # method, rank and contrast of either map, and what differs from the usual
    "02_input_space": (("input_x_gradient", 0, "original"), ("input_x_gradient", 0, "weighted"), {}),
    "03_maps": (("gradcam", 0, "weighted"), ("gradcam", 1, "weighted"), {}),
    "04_masking": (("gradcam", 0, "original"), ("gradcam", 0, "weighted"), {"keep": "positive"}),
    "06_three_classes": (("gradcam", 2, "mean"), ("gradcam", 2, "weighted"), {}),
    "07_dominance": (("gradcam", 0, "original"), ("gradcam", 0, "weighted"), {"shared": True}),
    "08_fullgrad": (("fullgrad", 0, "weighted"), ("fullgrad", 1, "weighted"), {}),
    "09_transformers": (("vit_gradcam", 0, "weighted"), ("gradient_attention_rollout", 0, "weighted"), {}),
    "10_lrp": (("lrp", 0, "original"), ("clrp1", 0, "mean"), {}),
    "18_layers": (
        ("gradcam", 0, "original"),
        ("gradcam", 0, "original"),
        {"keep": "negative", "fill": "zero"},
    ),
}
LAYERS = {
    "09_transformers": ["norm.3", "tokens"],
    "18_layers": ["network.features.18", "network.features.20"],
}
MOST = 450_000  # bytes of an explorer's HTML
COLOURS = """canvas => {
  const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  return new Set(new Uint32Array(pixels.buffer)).size;
}"""
every_page = pytest.mark.parametrize("page_name", PRESETS)


def opened(visit, name, width=1280):
    page, problems = visit(f"book/executed/{name}.html", width=width)
    explorer = page.locator(".contrast-explorer")
    assert explorer.count() == 1 and explorer.get_attribute("id") == "explore-" + name[3:].replace("_", "-")
    explorer.scroll_into_view_if_needed()
    page.wait_for_selector(".contrast-explorer[data-ready]")
    return explorer, problems


@every_page
def test_explorer_and_static_images(visit, page_name):
    """The explorer starts with its page's preset and moves; figures with controls are stills."""
    explorer, problems = opened(visit, page_name)
    assert_preset(explorer, page_name)
    assert_moves(explorer)
    assert_static_images(explorer.page)
    assert not problems


@every_page
def test_explorer_on_a_phone(visit, page_name):
    explorer, problems = opened(visit, page_name, width=390)
    assert_preset(explorer, page_name)
    assert not problems


def assert_preset(explorer, page_name):
    *panes, besides = PRESETS[page_name]
    besides = {"keep": "all", "fill": "blur", "shared": False, "difference": False} | besides
    shown = [
        {
            each: pane.locator(f"select[name={each}]").input_value()
            for each in ("method", "rank", "contrast", "layer")
        }
        for pane in explorer.locator(".cx-pane:has(select)").all()
    ]
    assert [(each["method"], int(each["rank"]), each["contrast"]) for each in shown] == panes
    if page_name in LAYERS:
        assert [each["layer"] for each in shown] == LAYERS[page_name]
    for field, value in besides.items():
        control = explorer.locator(f"[name={field}]")
        assert (control.is_checked() if isinstance(value, bool) else control.input_value()) == value
    assert 2 <= explorer.locator(".cx-pictures input").count() <= 3
    for canvas in explorer.locator(".cx-pane:has(select) canvas[role=img]").all():
        assert canvas.evaluate(COLOURS) > 100


def assert_moves(explorer):
    """Another picture and another class change the first map."""
    canvas = explorer.locator(".cx-pane:has(select) canvas[role=img]").first
    seen = {canvas.evaluate("canvas => canvas.toDataURL()")}
    for act in (
        lambda: explorer.locator(".cx-pictures input").nth(1).check(force=True),
        lambda: explorer.locator("select[name=rank]").first.select_option("1"),
    ):
        act()
        explorer.page.evaluate("() => new Promise(done => setTimeout(done, 60))")
        seen.add(canvas.evaluate("canvas => canvas.toDataURL()"))
    assert len(seen) == 3


def assert_static_images(page):
    """A picture with a text, a sentence on what moves where, and nothing that looks as if it moved here."""
    stills = page.locator("figure.controls")
    assert stills.count() or "18_layers" in page.url  # where the explorer has all there is to set
    for still in stills.all():
        assert still.locator("img").evaluate("image => image.naturalWidth") > 200
        assert len(still.locator("img").get_attribute("alt")) > 40
        said = still.text_content()  # also where it is folded
        assert ". The controls (" in said and "make lab" in said
        assert still.locator("input, select, button:not(.enlarge)").count() == 0
    assert page.locator(".jupyter-widgets, .widget-subarea").count() == 0


@every_page
def test_is_small(page_name, site):
    page = (HTML / "book" / "executed" / f"{page_name}.html").read_text(encoding="utf-8")
    start = page.index('<div class="contrast-explorer"')
    end = re.compile(r'mountStatic\("explore-[\w-]+"[^)]*\);\s*\}\)\(\)</script>').search(page, start).end()
    assert end - start < MOST
