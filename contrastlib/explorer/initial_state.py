"""The explorer's arguments checked, and what it shows first."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

from contrastlib.explorer.arithmetic import DEFAULT, INTERACTIVE

FIELDS = ("network", "method", "layer", "rank", "contrast", "foils", "weights")
FIRST = ({"contrast": "original"}, {"contrast": DEFAULT})
BESIDES = {"opacity": 0.6, "shared": False, "keep": "all", "fill": "blur", "difference": False}
KNOWN = {"shared": (False, True), "keep": ("all", "positive", "negative"), "fill": ("blur", "zero", "mean"),
         "difference": (False, True)}


def check(pictures: Sequence, names: Sequence[str], layers: Iterable[str], classes: int, name: str) -> None:
    """ValueError for what no explorer can be made of."""
    if not pictures:
        raise ValueError("there is no picture: give at least one, such as contrastlib.explorer.bird(31)")
    if not names:
        raise ValueError("there is no network: give at least one, such as 'birds_vgg'")
    if len(set(names)) < len(names):
        raise ValueError(f"two networks have the same name: {', '.join(names)}; name them differently")
    unknown = [each for each in layers if each not in names]
    if unknown:
        raise ValueError(f"layers are given for {unknown[0]!r}; the networks are {', '.join(names)}")
    if classes < 2:
        raise ValueError(f"classes is {classes}: a contrast needs at least 2")
    if not re.fullmatch(r"[A-Za-z][\w-]*", name, re.ASCII):
        raise ValueError(f"name is {name!r}: use letters, digits, _ and -, with a letter first, as it stands in "
                         "the page's address")


def state(panes: Sequence[dict] | None, view: dict | None, header: dict) -> dict:
    """The state that the presets of the two panes and of what they share describe, for the first picture.

    Raises:
        ValueError: not two presets, an unknown field, or a value that the first picture does not have.
    """
    panes = FIRST if panes is None else panes
    if len(panes) != 2:
        raise ValueError(f"panes holds {len(panes)} presets: there are two maps, give a dictionary for each")
    views = header["pictures"][0]["views"]
    return {"picture": 0, "panes": [_pane(pane, views) for pane in panes], **BESIDES, **_view(view or {})}


def _view(preset: dict) -> dict:
    return {_choice("field", field, list(BESIDES), "view"): _shared(field, value) for field, value in preset.items()}


def _shared(field: str, value):
    if field != "opacity":
        return _choice(field, value, KNOWN[field], "view")
    if not 0 <= value <= 1:
        raise ValueError(f"opacity is {value} in view: choose one from 0 to 1")
    return value


def _pane(preset: dict, views: dict) -> dict:
    for field in preset:
        _choice("field", field, FIELDS)
    network = _choice("network", preset.get("network"), list(views))
    view = views[network]
    methods = dict.fromkeys(entry["method"] for entry in view["maps"])
    method = _choice("method", preset.get("method"), list(methods))
    entries = {entry["layer"]: entry for entry in view["maps"] if entry["method"] == method}
    layer = _choice("layer", preset.get("layer"), list(entries))
    rank = _choice("rank", preset.get("rank"), range(len(view["classes"])))
    known = [*view["weights"], *(INTERACTIVE if entries[layer]["kind"] != "table" else ())]
    contrast = _choice("contrast", preset.get("contrast", DEFAULT), known)
    ranks = [each for each in range(len(view["classes"]) + bool(view["rest"])) if each != rank]
    foils = [_choice("foil", foil, ranks) for foil in preset.get("foils", [])]
    if (contrast == "among") != bool(foils):
        raise ValueError('foils and the contrast "among" belong together: give both, or neither')
    weights = preset.get("weights")
    if (contrast == "own") != (weights is not None):
        raise ValueError('weights and the contrast "own" belong together: give both, or neither')
    return {
        "network": network, "method": method, "layer": layer, "rank": rank, "contrast": contrast, "foils": foils,
        "weights": weights and _normalised(weights, ranks, len(view["classes"]) + 1),
    }


def _normalised(weights: Sequence[float], ranks: list[int], count: int) -> list[float]:
    if len(weights) != count:
        raise ValueError(f"there are {len(weights)} weights: give {count}, one for each listed class and one for "
                         "all others")
    left = [weight if rank in ranks else 0 for rank, weight in enumerate(weights)]
    if min(left) < 0 or not 0 < sum(left) < math.inf:  # a sum tells of NaN too
        raise ValueError("weights must be finite and not negative, and one besides the target's must be positive")
    return [weight / sum(left) for weight in left]


def _choice(what: str, value, known: Sequence, where: str = "panes"):
    """The value, or the first that there is; ValueError when it is none of them."""
    if value is None:
        return known[0]
    if value not in known:
        raise ValueError(f"unknown {what} {value!r} in {where}; choose one of {', '.join(map(str, known))}")
    return value
