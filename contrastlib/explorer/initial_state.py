"""Checks of the explorer's arguments, and its initial state."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any

from contrastlib._choices import DEFAULT_CONTRAST
from contrastlib.explorer.arithmetic import INTERACTIVE

FIELDS = ("network", "method", "layer", "rank", "contrast", "foils", "weights")
"""Fields of a pane."""
FIRST = ({"contrast": "original"}, {"contrast": DEFAULT_CONTRAST})
"""Default presets of the two panes."""
COMMON = {"other": None, "opacity": 0.6, "shared": False, "keep": "all", "fill": "blur", "difference": False}
"""Default values of the fields that both panes have in common."""
KNOWN = {
    "shared": (False, True),
    "keep": ("all", "positive", "negative"),
    "fill": ("blur", "zero", "mean"),
    "difference": (False, True),
}
"""Possible values of these fields, except of the opacity and of the other picture."""


def check_lists(**given: Any) -> None:
    """Check that arguments are lists, and not a single picture or network.

    Args:
        **given: Name -> argument.

    Raises:
        TypeError: An argument is no list.

    >>> check_lists(networks="birds_vgg")
    Traceback (most recent call last):
    TypeError: networks must be a list, got 'birds_vgg': write networks=['birds_vgg']
    """
    for name, value in given.items():
        if isinstance(value, str) or not isinstance(value, Sequence):
            shown = repr(value) if isinstance(value, str) else f"a {type(value).__name__}"
            inner = shown if isinstance(value, str) else "..."
            raise TypeError(f"{name} must be a list, got {shown}: write {name}=[{inner}]")


def check(pictures: Sequence, names: Sequence[str], layers: Iterable[str], classes: int, name: str) -> None:
    """Check the arguments of an explorer.

    Args:
        pictures: The pictures.
        names: Names of the networks.
        layers: Names of the networks for which layers are given.
        classes: Number of classes to list.
        name: Name of the explorer.

    Raises:
        TypeError: The number of classes is not a whole number, or the name is not text.
        ValueError: An argument is invalid; the message says what to change.
    """
    if not pictures:
        raise ValueError("there is no picture: give at least one, such as contrastlib.explorer.bird(31)")
    if not names:
        raise ValueError("there is no network: give at least one, such as 'birds_vgg'")
    if len(set(names)) < len(names):
        raise ValueError(f"two networks have the same name: {', '.join(names)}; name them differently")
    unknown = [each for each in layers if each not in names]
    if unknown:
        raise ValueError(f"layers are given for {unknown[0]!r}; the networks are {', '.join(names)}")
    if isinstance(classes, bool) or not isinstance(classes, Integral):
        raise TypeError(f"classes is {classes!r}: give the number of classes to list, such as 12")
    if classes < 2:
        raise ValueError(f"classes is {classes}: a contrast needs at least 2")
    if not isinstance(name, str):
        raise TypeError(f"name is {name!r}: give text, such as 'explore'")
    if not re.fullmatch(r"[A-Za-z][\w-]*", name, re.ASCII):
        raise ValueError(
            f"name is {name!r}: use letters, digits, _ and -, with a letter first, because it "
            "is part of the page's address"
        )


def state(panes: Sequence[dict] | None, view: dict | None, header: dict) -> dict:
    """Return the initial state, which shows the first picture.

    Args:
        panes: Presets of the two panes; the default ones for None.
        view: Preset of the fields that both panes have in common.
        header: The explorer's header.

    Raises:
        TypeError: The presets are not dictionaries, or foils or weights are not sequences of numbers.
        ValueError: There are not two presets, a field is unknown, or the first picture does not have its
            value.
    """
    panes = FIRST if panes is None else panes
    if not _is_list(panes) or not all(isinstance(preset, Mapping) for preset in panes):
        raise TypeError(f"panes is {panes!r}: give a list of two dictionaries, one for each map")
    if len(panes) != 2:
        raise ValueError(f"panes holds {len(panes)} presets: there are two maps, give a dictionary for each")
    if view is not None and not isinstance(view, Mapping):
        raise TypeError(f"view is {view!r}: give a dictionary, such as {{'opacity': 0.6}}")
    common = COMMON | _view(view or {}, len(header["pictures"]))
    if common["other"] is not None and common["difference"]:
        raise ValueError("view has other and difference: there is no difference of maps of two pictures")
    views = [header["pictures"][index]["views"] for index in (0, common["other"] or 0)]
    return {"picture": 0, "panes": [_pane(*both) for both in zip(panes, views)], **common}


def _view(preset: dict, pictures: int) -> dict:
    for field in preset:
        _choice("field", field, list(COMMON), "view")
    return {field: _common(field, value, pictures) for field, value in preset.items()}


def _common(field: str, value: Any, pictures: int) -> Any:
    if field == "other":
        return None if value is None else _choice("other", value, range(pictures), "view") or None
    if field != "opacity":
        return _choice(field, value, KNOWN[field], "view")
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= value <= 1:
        raise ValueError(f"opacity is {value!r} in view: choose one from 0 to 1")
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
    contrast = _choice("contrast", preset.get("contrast", DEFAULT_CONTRAST), known)
    ranks = [each for each in range(len(view["classes"]) + bool(view["rest"])) if each != rank]
    foils = [_choice("foil", foil, ranks) for foil in _numbers("foils", preset.get("foils"))]
    if (contrast == "among") != bool(foils):
        raise ValueError('foils and the contrast "among" belong together: give both, or neither')
    weights = preset.get("weights")
    if (contrast == "own") != (weights is not None):
        raise ValueError('weights and the contrast "own" belong together: give both, or neither')
    return {
        "network": network,
        "method": method,
        "layer": layer,
        "rank": rank,
        "contrast": contrast,
        "foils": foils,
        "weights": None if weights is None else _normalised(weights, ranks, len(view["classes"]) + 1),
    }


def _normalised(weights: Sequence[float], ranks: list[int], count: int) -> list[float]:
    weights = _numbers("weights", weights)
    if len(weights) != count:
        raise ValueError(
            f"there are {len(weights)} weights: give {count}, one for each listed class and one "
            "for all others"
        )
    kept = [weight if rank in ranks else 0 for rank, weight in enumerate(weights)]
    if min(kept) < 0 or not 0 < sum(kept) < math.inf:  # false for NaN too
        raise ValueError(
            "weights must be finite and not negative, and one besides the target's must be positive"
        )
    return [weight / sum(kept) for weight in kept]


def _choice(what: str, value: Any, known: Sequence, where: str = "panes") -> Any:
    """Return the known value that equals this one, or the first for None; raise a ValueError for others."""
    if value is None:
        return known[0]
    if value not in known:
        raise ValueError(f"unknown {what} {value!r} in {where}; choose one of {', '.join(map(str, known))}")
    return known[known.index(value)]  # for 1.0 it is 1, which can be an index


def _numbers(what: str, values: Any) -> Sequence[float]:
    """Return a list of numbers, which is empty for None; raise a TypeError for anything else."""
    values = () if values is None else values
    if not _is_list(values) or any(isinstance(each, bool) or not isinstance(each, Real) for each in values):
        raise TypeError(f"{what} in panes is {values!r}: give a list of numbers")
    return values


def _is_list(values: Any) -> bool:
    return isinstance(values, Sequence) and not isinstance(values, (str, bytes))
