"""What the browser computes, in Python: weights of a contrast, and a map from a stack. Twin of arithmetic.js."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np

from contrastlib.explorer.packing import Stack

CONTRASTS = ("original", "mean", "maximum", "weighted", "among", "own")
TABULATED = CONTRASTS[:4]
"""what a table has"""


def shares(view: dict, pane: dict, count: int) -> np.ndarray:
    """The share of each listed class, and last of all others, in what the target is set against.

    Args:
        view: classes and rest, as in the explorer's header.
        pane: rank, contrast, foils, weights, as in its state.
        count: of all classes of the network.

    >>> view = {"classes": [{"logit": 2.0}, {"logit": 1.0}], "rest": {"count": 8, "logit": 1.0}}
    >>> shares(view, {"rank": 0, "contrast": "weighted"}, 10).tolist()
    [0.0, 0.5, 0.5]
    """
    rest = view["rest"] or {"count": 0, "logit": -np.inf}
    logits = np.array([each["logit"] for each in [*view["classes"], rest]])
    ranks = np.arange(len(logits))
    others, contrast = ranks != pane["rank"], pane["contrast"]
    if contrast == "own":
        return np.array(pane["weights"], dtype=float)
    if contrast == "mean":
        sizes = np.where(ranks < len(view["classes"]), others, rest["count"])
        return sizes / (count - 1)
    chosen = {
        "original": np.zeros_like(others),
        "maximum": ranks == (pane["rank"] == 0),
        "weighted": others,
        "among": np.isin(ranks, pane.get("foils", [])),
    }[contrast]
    if not chosen.any():
        return np.zeros(len(logits))
    powers = np.where(chosen, np.exp(logits - logits[chosen].max()), 0)
    return powers / powers.sum()


def row_weights(kind: str, rows: int, view: dict, pane: dict, count: int) -> np.ndarray:
    """The weight of each of the rows of a stack in the map of a pane; kinds as in packing.py.

    >>> view = {"classes": [{"logit": 2.0}, {"logit": 1.0}], "rest": {"count": 8, "logit": 1.0}}
    >>> row_weights("linear", 4, view, {"rank": 0, "contrast": "weighted"}, 10).tolist()
    [1.0, -0.5, -0.5, 0.0]
    """
    weights = np.zeros(rows)
    if kind == "table":
        weights[len(TABULATED) * pane["rank"] + TABULATED.index(pane["contrast"])] = 1
        return weights
    listed, against = len(view["classes"]), shares(view, pane, count)
    weights[:listed] = -against[:listed]
    weights[pane["rank"]] += 1
    if view["rest"]:
        weights[listed + 2 * (kind == "scored") + (pane["contrast"] == "mean")] = -against[listed]
    if kind == "scored":
        weights[:listed] *= [each["logit"] for each in view["classes"]]
    return weights


def map_of(entry: dict, stack: Stack, view: dict, pane: dict, count: int) -> np.ndarray:
    """The map (h, w) of a pane."""
    heat = stack.maps(row_weights(entry["kind"], len(stack.mix), view, pane, count))
    if entry["kind"] == "relevance":
        return np.maximum(abs(view["classes"][pane["rank"]]["logit"]) * heat, 0)
    return heat


def probes(kind: str, rows: int, view: dict, count: int) -> np.ndarray:
    """Weights (N, rows) of the contrasts of each listed class, with all others and with each one."""
    ranks = range(len(view["classes"]))
    panes = [{"rank": rank, "contrast": contrast} for rank, contrast in product(ranks, TABULATED)]
    panes += [{"rank": one, "contrast": "among", "foils": [other]} for one, other in permutations(ranks, 2)]
    return np.stack([row_weights(kind, rows, view, pane, count) for pane in panes])
