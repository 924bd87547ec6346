"""What an explorer's page shows, read from its canvases and its address, and what Python computes for it."""

import base64
import functools
import io

import numpy as np
import torch
from PIL import Image

from contrastlib.explainers import upsample

NAME = "tried"
FIXED = ("original", "mean", "maximum", "weighted", "rest")
CONTRASTS = (*FIXED, "among", "own")


def hash_of(state):
    """The address of a state, written as the explorer writes it."""
    panes = []
    for pane in state["panes"]:
        extra = {"among": pane.get("foils"), "own": pane.get("weights")}.get(pane["contrast"]) or []
        panes.append(
            ",".join(
                map(str, [*(pane[key] for key in ("network", "method", "layer", "rank", "contrast")), *extra])
            )
        )
    both = [state["picture"]] + [state["other"]] * (state["other"] is not None)
    fields = {
        "picture": ",".join(map(str, both)),
        "a": panes[0],
        "b": panes[1],
        "opacity": round(100 * state["opacity"]),
    }
    fields |= {key: 1 for key in ("shared", "difference") if state[key]}
    if state["keep"] != "all":
        fields["keep"] = f"{state['keep']},{state['fill']}"
    return f"#{NAME}?" + "&".join(f"{key}={value}" for key, value in fields.items())


def state_of(page, explorer):
    """The state that the page's address holds."""
    fields = dict(
        part.split("=")
        for part in page.evaluate("decodeURIComponent(location.hash)").split("?")[1].split("&")
    )
    panes = []
    for key in "ab":
        network, method, layer, rank, contrast, *extra = fields[key].split(",")
        pane = {
            "network": network,
            "method": method,
            "layer": layer,
            "rank": int(rank),
            "contrast": contrast,
            "foils": [int(each) for each in extra] if contrast == "among" else [],
            "weights": [float(each) for each in extra] if contrast == "own" else None,
        }
        panes.append(pane)
    keep, _, fill = fields.get("keep", "all,blur").partition(",")
    picture, *other = map(int, fields["picture"].split(","))
    return explorer.state | {
        "picture": picture,
        "other": other[0] if other else None,
        "panes": panes,
        "opacity": int(fields["opacity"]) / 100,
        "shared": "shared" in fields,
        "difference": "difference" in fields,
        "keep": keep,
        "fill": fill,
    }


def canvases(page):
    """What the canvases show, (H, W, 3) each."""
    settle(page)
    drawn = page.evaluate(
        """() => [...document.querySelectorAll(".cx-picture canvas")].map(canvas => {
             const {width, height} = canvas;
             const {data} = canvas.getContext("2d").getImageData(0, 0, width, height);
             const texts = Array.from({length: height}, (_, y) =>
               String.fromCharCode(...data.subarray(4 * y * width, 4 * (y + 1) * width)));
             return [height, width, btoa(texts.join(""))];
           })"""
    )
    return [
        np.frombuffer(base64.b64decode(data), dtype=np.uint8).reshape(height, width, 4)[..., :3]
        for height, width, data in drawn
    ]


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
    """The two panes and their difference, if there is one, as Python computes them from the packed data."""
    explorer.state = state
    pictures = [
        explorer.header["pictures"][i]
        for i in (state["picture"], state["picture"] if state["other"] is None else state["other"])
    ]
    pixels = [decoded(explorer.chunks[picture["image"]]) for picture in pictures]
    maps = [upsample(torch.from_numpy(explorer.map(i))[None], pixels[i].shape[:2])[0].numpy() for i in (0, 1)]
    limits = [abs(each).max() for each in maps]
    shown = [max(limits)] * 2 if state["shared"] else limits
    if state["keep"] == "all":
        panes = [overlaid(explorer, *each, state["opacity"]) for each in zip(pixels, maps, shown)]
    else:
        panes = [kept(explorer, *each, state) for each in zip(pictures, pixels, maps)]
    if state["other"] is not None:
        return panes
    a, b = state["panes"]
    alike = all(a[key] == b[key] for key in ("network", "method", "layer"))
    apart = maps[0] - maps[1] if alike else maps[0] / limits[0] - maps[1] / limits[1]
    return [*panes, overlaid(explorer, pixels[0], apart, abs(apart).max(), state["opacity"])]


def kept(explorer, picture, pixels, heat, state):
    """The picture where the map has the kept sign, and the fill elsewhere."""
    fill = {
        "blur": decoded(explorer.chunks[picture["blurred"]]),
        "zero": 0 * pixels,
        "mean": 0 * pixels + picture["mean"],
    }
    sign = 1 if state["keep"] == "positive" else -1
    return np.where(sign * heat[..., None] > 0, pixels, fill[state["fill"]])


def overlaid(explorer, pixels, heat, limit, opacity):
    colours = np.array(explorer.header["colours"], dtype=float)
    place = np.clip(np.floor((heat / limit + 1) / 2 * len(colours)), 0, len(colours) - 1).astype(int)
    faded = (1 - opacity) * pixels + opacity * pixels.mean(axis=2, keepdims=True)
    return (1 - opacity) * faded + opacity * colours[place]


def assert_agrees(page, explorer):
    """The canvases show what Python computes for the state in the address."""
    seen, state = canvases(page), state_of(page, explorer)
    # a value on the border between two colours may fall on either side, by one colour of 256
    for drawn, wanted in list(zip(seen, expected(explorer, state)))[: 3 if state["difference"] else 2]:
        apart = abs(drawn - wanted).max(axis=2)
        assert np.quantile(apart, 0.99) <= 1.5, apart.max()
        assert apart.max() <= 8 or state["keep"] != "all"
    return state


def unfold(page):
    """Open the choices that are folded."""
    page.locator(".cx-fold").click()
