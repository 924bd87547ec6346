"""The explorer in a page without a kernel: each control changes the picture as the arithmetic says."""

import base64
import functools
import io
import json
import re
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

import contrastlib
from contrastlib.explainers import upsample
from contrastlib.explorer import Explorer, bird, bird_scene

NAME = "tried"
FIXED = ("original", "mean", "maximum", "weighted", "rest")
CONTRASTS = (*FIXED, "among", "own")


@pytest.fixture(scope="session")
def explorer():
    return Explorer([bird(31), bird(4), bird_scene(7)], ["birds_vgg", "birds_vit"], classes=6, name=NAME)


@pytest.fixture(scope="session")
def address(explorer, tmp_path_factory):
    """A page that holds the explorer and nothing else, as a file."""
    page = tmp_path_factory.mktemp("explorer") / "page.html"
    head = '<!doctype html><html lang="en"><title>Explorer</title><meta name="viewport" content="width=device-width">'
    page.write_text(f"{head}<main><h1>Explorer</h1><h2>One</h2>{explorer.static_html()}</main></html>", encoding="utf-8")
    return page.as_uri()


@pytest.fixture
def opened(explorer, address, browser, request):
    """The page in the browser, once the first picture is there; any error in it fails the test."""
    pages = []

    def show(hash="", **options):
        page = browser.new_page(**{"viewport": {"width": 1000, "height": 900}} | options)
        page.set_default_timeout(120_000)
        problems = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda message: message.type == "error" and problems.append(message.text))
        page.on("request", lambda asked: asked.url.startswith("http") and problems.append(asked.url))
        page.goto(address + hash)
        if options.get("java_script_enabled", True):
            page.wait_for_selector(f"#{NAME}[data-ready]")
        pages.append((page, problems))
        return page

    yield show
    for page, problems in pages:
        page.close()
        assert not problems


def hash_of(state):
    """The address of a state, written as the explorer writes it."""
    panes = []
    for pane in state["panes"]:
        extra = {"among": pane.get("foils"), "own": pane.get("weights")}.get(pane["contrast"]) or []
        panes.append(",".join(map(str, [*(pane[key] for key in ("network", "method", "layer", "rank", "contrast")), *extra])))
    fields = {"picture": state["picture"], "a": panes[0], "b": panes[1], "opacity": round(100 * state["opacity"])}
    fields |= {key: 1 for key in ("shared", "difference") if state[key]}
    if state["keep"] != "all":
        fields["keep"] = f"{state['keep']},{state['fill']}"
    return f"#{NAME}?" + "&".join(f"{key}={value}" for key, value in fields.items())


def state_of(page, explorer):
    """The state that the page's address holds."""
    fields = dict(part.split("=") for part in page.evaluate("decodeURIComponent(location.hash)").split("?")[1].split("&"))
    panes = []
    for key in "ab":
        network, method, layer, rank, contrast, *extra = fields[key].split(",")
        pane = {"network": network, "method": method, "layer": layer, "rank": int(rank), "contrast": contrast,
                "foils": [int(each) for each in extra] if contrast == "among" else [],
                "weights": [float(each) for each in extra] if contrast == "own" else None}
        panes.append(pane)
    keep, _, fill = fields.get("keep", "all,blur").partition(",")
    return explorer.state | {"picture": int(fields["picture"]), "panes": panes, "opacity": int(fields["opacity"]) / 100,
                             "shared": "shared" in fields, "difference": "difference" in fields, "keep": keep, "fill": fill}


def canvases(page):
    """What the canvases show, (H, W, 3) each."""
    settle(page)
    drawn = page.evaluate(
        """() => [...document.querySelectorAll(".cx-picture canvas")].map(canvas => {
             const {width, height} = canvas, {data} = canvas.getContext("2d").getImageData(0, 0, width, height);
             const texts = Array.from({length: height}, (_, y) =>
               String.fromCharCode(...data.subarray(4 * y * width, 4 * (y + 1) * width)));
             return [height, width, btoa(texts.join(""))];
           })""")
    return [np.frombuffer(base64.b64decode(data), dtype=np.uint8).reshape(height, width, 4)[..., :3]
            for height, width, data in drawn]


def settle(page):
    """Wait until what was chosen is drawn."""
    page.evaluate("() => new Promise(done => setTimeout(done, 60))")


def go(page, hash):
    """Give the page another address, as a link in it would."""
    page.evaluate("hash => { location.hash = hash; }", hash)


@functools.cache
def decoded(data):
    return np.array(Image.open(io.BytesIO(data)).convert("RGB")).astype(float)


def expected(explorer, state):
    """The two panes and their difference as Python computes them from the packed data."""
    explorer.state = state
    picture = explorer.header["pictures"][state["picture"]]
    pixels = decoded(explorer.chunks[picture["image"]])
    maps = [upsample(torch.from_numpy(explorer.map(i))[None], pixels.shape[:2])[0].numpy() for i in (0, 1)]
    limits = [abs(each).max() for each in maps]
    a, b = state["panes"]
    alike = all(a[key] == b[key] for key in ("network", "method", "layer"))
    apart = maps[0] - maps[1] if alike else maps[0] / limits[0] - maps[1] / limits[1]
    shown = [max(limits)] * 2 if state["shared"] else limits
    if state["keep"] == "all":
        panes = [overlaid(explorer, pixels, each, limit, state["opacity"]) for each, limit in zip(maps, shown)]
    else:
        blurred = decoded(explorer.chunks[picture["blurred"]])
        fill = {"blur": blurred, "zero": 0 * pixels, "mean": 0 * pixels + picture["mean"]}[state["fill"]]
        sign = 1 if state["keep"] == "positive" else -1
        panes = [np.where(sign * each[..., None] > 0, pixels, fill) for each in maps]
    return [*panes, overlaid(explorer, pixels, apart, abs(apart).max(), state["opacity"])]


def overlaid(explorer, pixels, heat, limit, opacity):
    colours = np.array(explorer.header["colours"], dtype=float)
    place = np.clip(np.floor((heat / limit + 1) / 2 * len(colours)), 0, len(colours) - 1).astype(int)
    return (1 - opacity) * pixels.mean(axis=2, keepdims=True) + opacity * colours[place]


def assert_agrees(page, explorer):
    """The canvases show what Python computes for the state in the address."""
    seen, state = canvases(page), state_of(page, explorer)
    # a value on the border between two colours may fall on either side, by one colour of 256
    for drawn, wanted in list(zip(seen, expected(explorer, state)))[: 3 if state["difference"] else 2]:
        apart = abs(drawn - wanted).max(axis=2)
        assert np.quantile(apart, 0.99) <= 1.5, apart.max()
        assert apart.max() <= 8 or state["keep"] != "all"
    return state


def combinations(explorer):
    for network in ("birds_vgg", "birds_vit"):
        maps = explorer.header["pictures"][0]["views"][network]["maps"]
        for method, layer, kind in dict.fromkeys((m["method"], m["layer"], m["kind"]) for m in maps):
            for contrast in FIXED if kind == "table" else CONTRASTS:
                yield network, method, layer, contrast


def test_every_method_and_contrast(opened, explorer):
    """Pixel by pixel, at the first and at the third class."""
    page = opened()
    for network, method, layer, contrast in combinations(explorer):
        pane = {"network": network, "method": method, "layer": layer, "contrast": contrast,
                "foils": [1, 3, 6] if contrast == "among" else []}
        panes = [pane | {"rank": 0, "weights": [0, 0.5, 0.25, 0, 0, 0, 0.25] if contrast == "own" else None},
                 pane | {"rank": 2, "weights": [0.75, 0, 0, 0.25, 0, 0, 0] if contrast == "own" else None}]
        go(page, hash_of(explorer.state | {"picture": 0, "panes": panes}))
        state = assert_agrees(page, explorer)
        assert [(p["method"], p["contrast"], p["rank"]) for p in state["panes"]] == [(method, contrast, 0), (method, contrast, 2)]


def test_the_same_map_as_explain(opened, explorer):
    """From the canvas of the page back to contrastlib.explain."""
    page = opened()
    network = contrastlib.models.load("birds_vgg")
    image = bird(31).tensor(network)
    pane = explorer.header["state"]["panes"][0]
    go(page, hash_of(explorer.header["state"] | {"opacity": 1.0}))
    index = explorer.header["pictures"][0]["views"]["birds_vgg"]["classes"][pane["rank"]]["index"]
    heat = contrastlib.explain(network, image[None], index, pane["method"], pane["contrast"], pane["layer"], upsample=False)
    heat = upsample(heat, (256, 256))[0].double().numpy()
    wanted = overlaid(explorer, np.zeros((256, 256, 3)), heat, abs(heat).max(), 1.0)
    assert np.quantile(abs(canvases(page)[0] - wanted), 0.99) <= 5


def test_controls(opened, explorer):
    """Each control changes the address, and the canvases follow."""
    page = opened()
    first = page.locator(".cx-pane").nth(0)
    assert_agrees_after = functools.partial(assert_agrees, page, explorer)
    page.locator(".cx-pictures input").nth(2).check(force=True)
    assert assert_agrees_after()["picture"] == 2
    first.get_by_label("Network").select_option("birds_vit")
    assert assert_agrees_after()["panes"][0]["network"] == "birds_vit"
    first.get_by_label("Layer").select_option("block.2")
    assert assert_agrees_after()["panes"][0]["layer"] == "block.2"
    first.get_by_label("Network").select_option("birds_vgg")
    first.get_by_label("Method").select_option("xgradcam")
    assert assert_agrees_after()["panes"][0]["method"] == "xgradcam"
    first.get_by_label("Class").select_option("1")
    assert assert_agrees_after()["panes"][0]["rank"] == 1
    for contrast in CONTRASTS:
        first.get_by_label("Contrast").select_option(contrast)
        assert assert_agrees_after()["panes"][0]["contrast"] == contrast
    first.locator(".cx-bar input[type=checkbox]").nth(3).check()
    first.locator(".cx-bar input[type=checkbox]").nth(5).check()
    assert assert_agrees_after()["panes"][0]["foils"] == [4, 6]
    first.locator(".cx-bar input[type=range]").nth(0).fill("800")
    weights = assert_agrees_after()["panes"][0]["weights"]
    assert weights[0] == 0.8 and sum(weights) == pytest.approx(1, abs=1e-3)
    page.get_by_label("Opacity").fill("35")
    assert assert_agrees_after()["opacity"] == 0.35
    page.get_by_label("Same scale for both").check()
    assert assert_agrees_after()["shared"]
    page.get_by_role("checkbox", name="Difference").check()
    assert assert_agrees_after()["difference"] and page.locator(".cx-difference canvas").is_visible()
    for keep in ("positive", "negative"):
        page.get_by_label("Show").select_option(keep)
        for fill in ("blur", "zero", "mean"):
            page.get_by_label("Masked by").select_option(fill)
            state = assert_agrees_after()
            assert (state["keep"], state["fill"]) == (keep, fill)
    page.get_by_role("button", name="Reset").click()
    assert assert_agrees_after()["panes"] == preset_panes(explorer)


def preset_panes(explorer):
    return json.loads(json.dumps(explorer.header["state"]["panes"]))


def test_contrasts_differ(opened):
    """The pictures of two contrasts are not the same: what the other tests compare can differ."""
    page = opened()
    before = canvases(page)[0]
    page.locator(".cx-pane").nth(0).get_by_label("Contrast").select_option("maximum")
    after = canvases(page)[0]
    page.locator(".cx-pane").nth(0).get_by_label("Contrast").select_option("original")
    assert (before != after).any() and (after != canvases(page)[0]).any()


def test_shares_are_those_of_the_contrast(opened, explorer):
    page = opened()
    view = explorer.header["pictures"][0]["views"]["birds_vgg"]
    logits = torch.tensor([each["logit"] for each in view["classes"]] + [view["rest"]["logit"]], dtype=torch.float64)
    page.locator(".cx-pane").nth(0).get_by_label("Contrast").select_option("weighted")
    drawn = [float(bar) / 1000 for bar in page.locator(".cx-pane").nth(0).locator("input[type=range]").evaluate_all(
        "all => all.map(each => each.value)")]
    assert drawn == pytest.approx(logits[1:].softmax(dim=0).tolist(), abs=1e-3)


def test_address_is_restored(opened, explorer):
    """A link shows what its author saw, and one that has gone wrong shows something sensible."""
    first = opened()
    first.locator(".cx-pictures input").nth(1).check(force=True)
    first.locator(".cx-pane").nth(1).get_by_label("Method").select_option("lrp")
    first.locator(".cx-pane").nth(1).locator(".cx-bar input[type=checkbox]").nth(2).check()
    first.get_by_role("checkbox", name="Difference").check()
    again = opened(first.evaluate("location.hash"))
    assert state_of(again, explorer) == state_of(first, explorer)
    for one, other in zip(canvases(first), canvases(again)):
        assert (one == other).all()
    broken = opened(f"#{NAME}?picture=99&a=nobody,gradcam,x,77,own,1,2&opacity=seven&keep=everything")
    assert not (canvases(broken)[0] == 0).all()


def test_keyboard_alone(opened, explorer):
    """Tab reaches every control; arrows choose; a map is read out."""
    page = opened()
    reached, chosen = set(), False
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("() => `${document.activeElement.tagName} ${document.activeElement.name || document.activeElement.textContent.trim().slice(0, 12)}`"))
        if page.evaluate("() => document.activeElement.matches('.cx-pictures input')") and not chosen:
            chosen = True
            page.keyboard.press("ArrowRight")
        if page.evaluate("() => document.activeElement.matches('.cx-pane canvas')"):
            page.keyboard.press("ArrowRight")
            assert " · " in page.locator(".cx-readout").inner_text()
    assert state_of(page, explorer)["picture"] == 1
    for control in ("SELECT network", "SELECT method", "SELECT rank", "SELECT contrast", "SELECT keep", "INPUT opacity",
                    "INPUT shared", "INPUT difference", "BUTTON Save picture", "BUTTON Copy Python", "BUTTON Copy link"):
        assert control in reached, sorted(reached)


def test_readout(opened, explorer):
    """The pointer reads out the values of both maps and the part of the bird."""
    page = opened()
    picture = explorer.header["pictures"][0]
    labels = np.frombuffer(zlib.decompress(explorer.chunks[picture["parts"]["labels"]]), np.uint8).reshape(256, 256)
    part = picture["parts"]["names"].index("crown")
    y, x = (int(each) for each in np.argwhere(labels == part)[5])
    box = page.locator(".cx-pane canvas").nth(0).bounding_box()
    page.mouse.move(box["x"] + (x + 0.5) / 256 * box["width"], box["y"] + (y + 0.5) / 256 * box["height"])
    text = page.locator(".cx-readout").inner_text()
    explorer.state = dict(explorer.header["state"])
    heat = upsample(torch.from_numpy(explorer.map(0))[None], (256, 256))[0]
    assert f"at {x}, {y}" in text and "crown" in text
    assert float(text.split()[1]) == pytest.approx(float(heat[y, x]), rel=1e-2)


def test_save_picture(opened):
    page = opened()
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save picture").click()
    assert saved.value.suggested_filename == f"{NAME}.png"
    image = np.array(Image.open(saved.value.path()).convert("RGB")).astype(float)
    assert image.shape[0] > 500 and image.shape[1] > 900
    side, margin = 480, 20
    shown = np.array(Image.fromarray(canvases(page)[0]).resize((side, side), Image.Resampling.BILINEAR)).astype(float)
    top = next(y for y in range(image.shape[0] - side) if abs(image[y : y + side, margin : margin + side] - shown).mean() < 4)
    assert (image[top + side + 5 :, :] < 128).any(), "no caption"


def rounded(lines):
    return re.sub(r"\d+\.\d{9,}(e-\d+)?", lambda found: f"{float(found[0]):.9g}", lines)


def test_python_lines(opened, explorer):
    """The lines that the page offers give the map that it shows, to 1e-3 of its range."""
    page = opened()
    for network, method, layer, contrast in combinations(explorer):
        weights = [0, 0.5, 0.25, 0, 0, 0, 0.25] if contrast == "own" else None
        pane = {"network": network, "method": method, "layer": layer, "rank": 0, "contrast": contrast,
                "foils": [1, 6] if contrast == "among" else [], "weights": weights}
        go(page, hash_of(explorer.state | {"picture": 0, "panes": [pane, pane]}))
        settle(page)
        explorer.state = state_of(page, explorer)
        both = page.locator(".cx-code").text_content()
        twin = "\n\n".join(f"# {title}: {explorer.question(i)}\n{explorer.code(i)}" for i, title in enumerate("AB"))
        assert rounded(both) == rounded(twin)
        scope = {}
        exec(both.split("# B:")[0], scope)
        shown = torch.from_numpy(explorer.map(0))
        maps = scope["maps"].double()
        shown = upsample(shown[None], maps.shape[-2:]) if maps.shape[1:] != shown.shape else shown[None]
        assert float((maps - shown).abs().max()) < 1e-3 * float(shown.max() - shown.min()), (method, contrast)


@pytest.mark.parametrize("width", [320, 390, 700, 1280])
def test_no_sideways_scrolling(opened, width):
    page = opened(viewport={"width": width, "height": 800})
    page.get_by_role("checkbox", name="Difference").check()
    assert page.evaluate("() => document.documentElement.scrollWidth") <= width
    outside = page.evaluate(
        "width => [...document.querySelectorAll('.cx *')].filter(e => e.getBoundingClientRect().right > width + 1"
        " && !e.closest('.cx-code')).map(e => e.className)", width)
    assert not outside


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessible(opened, scheme):
    from built import AXE

    page = opened(color_scheme=scheme)
    page.add_style_tag(content=":root { color-scheme: light dark; }")
    page.get_by_role("checkbox", name="Difference").check()
    page.add_script_tag(path=AXE)
    found = page.evaluate("() => axe.run(document.querySelector('.cx'), {resultTypes: ['violations']})")["violations"]
    assert not [(rule["help"], [node["html"][:150] for node in rule["nodes"]]) for rule in found]


def test_touch(opened, explorer):
    """A tap reads out; the page can still be scrolled over a map."""
    page = opened(viewport={"width": 390, "height": 800}, has_touch=True, is_mobile=True)
    page.locator(".cx-pane canvas").nth(0).tap()
    assert " · " in page.locator(".cx-readout").inner_text()
    assert page.locator(".cx-pane canvas").nth(0).evaluate("e => getComputedStyle(e).touchAction") == "pan-y"


def test_without_scripts(opened):
    """A still picture and a sentence stand there."""
    page = opened(java_script_enabled=False)
    assert page.locator(".cx-still img").is_visible()
    assert len(page.locator(".cx-still p").inner_text()) > 40
