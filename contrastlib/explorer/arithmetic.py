"""What the browser computes, in Python: weights of a contrast, and a map from a stack. Twin of arithmetic.js."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np

from contrastlib.explorer.packing import Stack

INTERACTIVE = ("among", "own")
"""contrasts whose weights the reader sets: foils that are ticked, shares that are drawn by hand"""
DEFAULT = "weighted"


def weights(view: dict, pane: dict) -> np.ndarray:
    """The weights of a contrast over the listed classes and over the rests, (K + R,).

    Args:
        view: classes, rest and weights, as in the explorer's header.
        pane: rank, contrast, foils, weights, as in its state.

    >>> view = {"classes": [{"logit": 1.0}] * 2, "rest": None, "weights": {"mean": [[1, -1], [-1, 1]]}}
    >>> weights(view, {"rank": 1, "contrast": "mean"}).tolist()
    [-1.0, 1.0]
    """
    if pane["contrast"] not in INTERACTIVE:
        return np.array(view["weights"][pane["contrast"]][pane["rank"]], dtype=float)
    listed, against = len(view["classes"]), shares(view, pane)
    found = np.zeros(listed + rests(view))
    found[:listed] = -against[:listed]
    found[pane["rank"]] = 1
    found[listed:listed + 1] = -against[listed]
    return found


def shares(view: dict, pane: dict) -> np.ndarray:
    """The share of each listed class, and last of all others, in what the target is set against, (K + 1,).

    >>> view = {"classes": [{"logit": 2.0}, {"logit": 1.0}], "rest": {"count": 8, "logit": 1.0, "rows": 2}}
    >>> shares(view, {"rank": 0, "contrast": "among", "foils": [1, 2]}).tolist()
    [0.0, 0.5, 0.5]
    """
    rank, listed = pane["rank"], len(view["classes"])
    if pane["contrast"] == "own":
        return np.array(pane["weights"], dtype=float)
    if pane["contrast"] == "among":
        return probabilities(view, pane["foils"])
    found = weights(view, pane)
    against = -np.append(found[:listed], found[listed:].sum()) / (abs(found[rank]) or 1)
    against[rank] = 0
    return against


def probabilities(view: dict, among: list[int] | None = None) -> np.ndarray:
    """Probability of each listed class, and last of all others, among all or among those ranks, (K + 1,).

    >>> probabilities({"classes": [{"logit": 2.0}, {"logit": 2.0}], "rest": None}).tolist()
    [0.5, 0.5, 0.0]
    """
    rest = view["rest"] or {"logit": -np.inf}
    logits = np.array([each["logit"] for each in [*view["classes"], rest]])
    chosen = np.ones(len(logits), bool) if among is None else np.isin(np.arange(len(logits)), among)
    if not chosen.any():
        return np.zeros(len(logits))
    powers = np.where(chosen, np.exp(logits - logits[chosen].max()), 0)
    return powers / powers.sum()


def rests(view: dict) -> int:
    """How many merged maps there are of the classes that are not listed."""
    return view["rest"]["rows"] if view["rest"] else 0


def row_weights(kind: str, rows: int, view: dict, pane: dict) -> np.ndarray:
    """The weight of each of the rows of a stack in the map of a pane; kinds as in packing.py.

    >>> view = {"classes": [{"logit": 2.0}, {"logit": 1.0}], "rest": {"count": 8, "logit": 1.0, "rows": 1}}
    >>> row_weights("linear", 4, view, {"rank": 0, "contrast": "among", "foils": [1, 2]}).tolist()
    [1.0, -0.5, -0.5, 0.0]
    """
    found = np.zeros(rows)
    if kind == "table":
        names = list(view["weights"])
        found[len(names) * pane["rank"] + names.index(pane["contrast"])] = 1
        return found
    listed, chosen = len(view["classes"]), weights(view, pane)
    found[:listed] = chosen[:listed]
    start = listed + rests(view) * (kind == "scored")
    found[start:start + rests(view)] = chosen[listed:]
    if kind == "scored":
        found[:listed] *= [each["logit"] for each in view["classes"]]
    return found


def map_of(entry: dict, stack: Stack, view: dict, pane: dict) -> np.ndarray:
    """The map (h, w) of a pane."""
    heat = stack.maps(row_weights(entry["kind"], len(stack.mix), view, pane))
    if entry["kind"] == "relevance":
        return np.maximum(abs(view["classes"][pane["rank"]]["logit"]) * heat, 0)
    return heat


def probes(kind: str, rows: int, view: dict) -> np.ndarray:
    """Weights (N, rows) of the contrasts of each listed class, with all others and with each one."""
    ranks = range(len(view["classes"]))
    panes = [{"rank": rank, "contrast": contrast} for rank, contrast in product(ranks, view["weights"])]
    panes += [{"rank": one, "contrast": "among", "foils": [other]} for one, other in permutations(ranks, 2)]
    return np.stack([row_weights(kind, rows, view, pane) for pane in panes])
