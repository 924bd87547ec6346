"""The explorer in a page without a kernel: each control changes the picture as the arithmetic says."""

import functools
import json
import re
import zlib

import numpy as np
import pytest
import torch
from explorer_page import (
    CONTRASTS,
    FIXED,
    NAME,
    assert_agrees,
    canvases,
    decoded,
    go,
    hash_of,
    overlaid,
    settle,
    state_of,
    unfold,
)
from PIL import Image

import contrastlib
from contrastlib.explainers import upsample
from contrastlib.explorer import bird


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
        pane = {
            "network": network,
            "method": method,
            "layer": layer,
            "contrast": contrast,
            "foils": [1, 3, 6] if contrast == "among" else [],
        }
        panes = [
            pane | {"rank": 0, "weights": [0, 0.5, 0.25, 0, 0, 0, 0.25] if contrast == "own" else None},
            pane | {"rank": 2, "weights": [0.75, 0, 0, 0.25, 0, 0, 0] if contrast == "own" else None},
        ]
        go(page, hash_of(explorer.state | {"picture": 0, "panes": panes}))
        state = assert_agrees(page, explorer)
        assert [(p["method"], p["contrast"], p["rank"]) for p in state["panes"]] == [
            (method, contrast, 0),
            (method, contrast, 2),
        ]


def test_the_same_map_as_explain(opened, explorer):
    """From the canvas of the page back to contrastlib.explain."""
    page = opened()
    network = contrastlib.models.load("birds_vgg")
    image = bird(31).tensor(network)
    pane = explorer.header["state"]["panes"][0]
    go(page, hash_of(explorer.header["state"] | {"opacity": 1.0}))
    index = explorer.header["pictures"][0]["views"]["birds_vgg"]["classes"][pane["rank"]]["index"]
    heat = contrastlib.explain(
        network, image[None], index, pane["method"], pane["contrast"], pane["layer"], upsample=False
    )
    heat = upsample(heat, (256, 256))[0].double().numpy()
    wanted = overlaid(explorer, np.zeros((256, 256, 3)), heat, abs(heat).max(), 1.0)
    assert np.quantile(abs(canvases(page)[0] - wanted), 0.99) <= 5


def test_controls(opened, explorer):
    """Each control changes the address, and the canvases follow."""
    page = opened()
    unfold(page)
    first, second = page.locator(".cx-pane").nth(0), page.locator(".cx-pane").nth(1)
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
    first.get_by_label("Rival").select_option("2")
    assert assert_agrees_after()["panes"][0]["foils"] == [2]
    first.locator(".cx-bar input[type=range]").nth(0).fill("800")
    weights = assert_agrees_after()["panes"][0]["weights"]
    assert weights[0] == 0.8 and sum(weights) == pytest.approx(1, abs=1e-3)
    page.get_by_label("Opacity").fill("35")
    assert assert_agrees_after()["opacity"] == 0.35
    page.get_by_label("Same scale").check()
    assert assert_agrees_after()["shared"]
    page.get_by_role("checkbox", name="Difference").check()
    assert assert_agrees_after()["difference"] and page.locator(".cx-difference canvas").is_visible()
    second.get_by_label("Picture").select_option("0")
    state = assert_agrees_after()
    assert (
        state["other"] == 0
        and not state["difference"]
        and not page.get_by_label("Difference").first.is_visible()
    )
    for keep in ("positive", "negative"):
        page.get_by_label("Show").select_option(keep)
        for fill in ("blur", "zero", "mean"):
            page.get_by_label("Masked by").select_option(fill)
            state = assert_agrees_after()
            assert (state["keep"], state["fill"]) == (keep, fill)
    page.get_by_role("button", name="Reset").click()
    assert assert_agrees_after()["panes"] == preset_panes(explorer)


def test_the_picture_has_its_colours(opened, explorer):
    """At opacity 0: nothing of the map, and nothing grey."""
    page = opened(hash_of(explorer.header["state"] | {"opacity": 0}))
    shown = canvases(page)[0].astype(float)
    stored = decoded(explorer.chunks[explorer.header["pictures"][0]["image"]])
    assert abs(shown - stored).max() <= 1
    assert (shown.max(axis=2) - shown.min(axis=2)).max() > 50


def test_two_pictures(opened, explorer):
    """Map B may be of another picture: its classes are its own, and the class stays where both list it."""
    page = opened()
    unfold(page)
    second = page.locator(".cx-pane").nth(1)
    second.get_by_label("Picture").select_option("2")
    state = assert_agrees(page, explorer)
    assert state["other"] == 2
    explorer.state = state
    assert page.locator(".cx-question").all_text_contents() == [explorer.question(0), explorer.question(1)]
    captions = [explorer.header["pictures"][i]["caption"] for i in (0, 2)]
    assert page.locator(".cx-caption").inner_text() == " B: ".join(captions)
    again = opened(page.evaluate("location.hash"))
    assert state_of(again, explorer) == state
    for one, other in zip(canvases(page)[:2], canvases(again)):
        assert (one == other).all()
    second.get_by_label("Picture").select_option("")
    assert assert_agrees(page, explorer)["other"] is None


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
    logits = torch.tensor(
        [each["logit"] for each in view["classes"]] + [view["rest"]["logit"]], dtype=torch.float64
    )
    page.locator(".cx-pane").nth(0).get_by_label("Contrast").select_option("weighted")
    drawn = [
        float(bar) / 1000
        for bar in page.locator(".cx-pane")
        .nth(0)
        .locator("input[type=range]")
        .evaluate_all("all => all.map(each => each.value)")
    ]
    assert drawn == pytest.approx(logits[1:].softmax(dim=0).tolist(), abs=1e-3)
    page.locator(".cx-pane").nth(0).get_by_label("Contrast").select_option("maximum")
    written = page.locator(".cx-pane").nth(0).locator(".cx-bar output").all_text_contents()
    assert written == ["100.0 %", *["0.0 %"] * 5]


def test_own_weights_begin_with_probabilities_where_the_contrast_has_no_shares(opened, explorer):
    page = opened()
    contrast = page.locator(".cx-pane").nth(0).get_by_label("Contrast")
    contrast.select_option("original")
    contrast.select_option("own")
    assert contrast.input_value() == "own"
    view = explorer.header["pictures"][0]["views"]["birds_vgg"]
    logits = [each["logit"] for each in (*view["classes"][1:], view["rest"])]
    pane = assert_agrees(page, explorer)["panes"][0]
    assert pane["weights"] == pytest.approx([0, *torch.tensor(logits).softmax(dim=0).tolist()], abs=1e-4)


def test_own_weights_end_where_the_picture_changes(opened, explorer):
    """Map B keeps them while it shows the same picture, whatever map A shows."""
    page = opened()
    unfold(page)
    first, second = page.locator(".cx-pane").nth(0), page.locator(".cx-pane").nth(1)
    second.get_by_label("Picture").select_option("2")
    for pane in (first, second):
        pane.get_by_label("Contrast").select_option("weighted")
        pane.get_by_label("Contrast").select_option("own")
    weights = assert_agrees(page, explorer)["panes"][1]["weights"]
    for picture, contrasts in (
        ("1", ["weighted", "own"]),
        ("2", ["weighted", "own"]),
        ("0", ["weighted"] * 2),
    ):
        first.get_by_label("Picture").select_option(picture)
        panes = state_of(page, explorer)["panes"]
        assert [pane["contrast"] for pane in panes] == contrasts
        assert panes[1]["weights"] == (weights if contrasts[1] == "own" else None)


def test_address_is_restored(opened, explorer):
    """A link shows what its author saw, and one that has gone wrong shows something sensible."""
    first = opened()
    first.locator(".cx-pictures input").nth(1).check(force=True)
    unfold(first)
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
    for _ in range(90):
        page.keyboard.press("Tab")
        if page.evaluate("() => document.activeElement.matches('.cx-fold[aria-expanded=false]')"):
            page.keyboard.press("Enter")
            page.keyboard.press("Shift+Tab")
            page.locator(".cx-pictures input").nth(0).focus()
        reached.add(
            page.evaluate(
                """() => {
                  const { tagName, name, textContent } = document.activeElement;
                  return `${tagName} ${name || textContent.trim().slice(0, 12)}`;
                }"""
            )
        )
        if page.evaluate("() => document.activeElement.matches('.cx-pictures input')") and not chosen:
            chosen = True
            page.keyboard.press("ArrowRight")
        if page.evaluate("() => document.activeElement.matches('.cx-pane canvas')"):
            page.keyboard.press("ArrowRight")
            assert " · " in page.locator(".cx-readout").inner_text()
    assert state_of(page, explorer)["picture"] == 1
    for control in (
        "SELECT network",
        "SELECT method",
        "SELECT rank",
        "SELECT contrast",
        "SELECT keep",
        "INPUT opacity",
        "INPUT shared",
        "INPUT difference",
        "BUTTON Save picture",
        "BUTTON Copy Python",
        "BUTTON Copy link",
    ):
        assert control in reached, sorted(reached)


def test_readout(opened, explorer):
    """The pointer reads out the values of both maps and the part of the bird."""
    page = opened()
    picture = explorer.header["pictures"][0]
    labels = np.frombuffer(zlib.decompress(explorer.chunks[picture["parts"]["labels"]]), np.uint8).reshape(
        256, 256
    )
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
    shown = np.array(
        Image.fromarray(canvases(page)[0]).resize((side, side), Image.Resampling.BILINEAR)
    ).astype(float)
    top = next(
        y
        for y in range(image.shape[0] - side)
        if abs(image[y : y + side, margin : margin + side] - shown).mean() < 4
    )
    assert (image[top + side + 5 :, :] < 128).any(), "no caption"


def rounded(lines):
    return re.sub(r"\d+\.\d{9,}(e-\d+)?", lambda found: f"{float(found[0]):.9g}", lines)


def test_python_lines(opened, explorer):
    """The lines that the page offers give the map that it shows, to 1e-3 of its range."""
    page = opened()
    for network, method, layer, contrast in combinations(explorer):
        weights = [0, 0.5, 0.25, 0, 0, 0, 0.25] if contrast == "own" else None
        pane = {
            "network": network,
            "method": method,
            "layer": layer,
            "rank": 0,
            "contrast": contrast,
            "foils": [1, 6] if contrast == "among" else [],
            "weights": weights,
        }
        go(page, hash_of(explorer.state | {"picture": 0, "panes": [pane, pane]}))
        settle(page)
        explorer.state = state_of(page, explorer)
        both = page.locator(".cx-code").text_content()
        twin = "\n\n".join(
            f"# {title}: {explorer.question(i)}\n{explorer.code(i)}" for i, title in enumerate("AB")
        )
        assert rounded(both) == rounded(twin)
        scope = {}
        exec(both.split("# B:")[0], scope)
        shown = torch.from_numpy(explorer.map(0))
        maps = scope["maps"].double()
        shown = upsample(shown[None], maps.shape[-2:]) if maps.shape[1:] != shown.shape else shown[None]
        assert float((maps - shown).abs().max()) < 1e-3 * float(shown.max() - shown.min()), (method, contrast)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessible(opened, scheme):
    from built import AXE

    page = opened(color_scheme=scheme)
    page.add_style_tag(content=":root { color-scheme: light dark; }")
    page.get_by_role("checkbox", name="Difference").check()
    page.locator(".cx-tour a").last.click()
    unfold(page)
    page.add_script_tag(path=AXE)
    found = page.evaluate(
        """() => axe.run(document.querySelector('.cx'), {
          resultTypes: ['violations'],
          rules: {'target-size': {enabled: true}},
        })"""
    )["violations"]
    assert not [(rule["help"], [node["html"][:150] for node in rule["nodes"]]) for rule in found]


def test_touch(opened, explorer):
    """A tap reads out; the page can still be scrolled over a map."""
    page = opened(viewport={"width": 390, "height": 800}, has_touch=True, is_mobile=True)
    page.locator(".cx-pane canvas").nth(0).tap()
    assert " · " in page.locator(".cx-readout").inner_text()
    assert (
        page.locator(".cx-pane canvas").nth(0).evaluate("e => getComputedStyle(e).touchAction")
        == "pan-x pan-y"
    )


def test_without_scripts(opened):
    """A static image and a sentence stand there."""
    page = opened(java_script_enabled=False)
    assert page.locator(".cx-still img").is_visible()
    assert len(page.locator(".cx-still p").inner_text()) > 40
