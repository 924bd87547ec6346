"""What the browser computes, in Python: the weights of a contrast, and a map from a stack. Twin of arithmetic.js."""

from __future__ import annotations

from itertools import product

import numpy as np

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
    logits = np.array([each["logit"] for each in view["classes"]] + [view["rest"]["logit"] if view["rest"] else -np.inf])
    ranks = np.arange(len(logits))
    others, contrast = ranks != pane["rank"], pane["contrast"]
    if contrast == "own":
        return np.array(pane["weights"], dtype=float)
    if contrast == "mean":
        sizes = np.where(ranks < len(view["classes"]), others, view["rest"]["count"] if view["rest"] else 0)
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


def plane_weights(kind: str, planes: int, view: dict, pane: dict, count: int) -> np.ndarray:
    """The weight of each of the planes of a stack in the map of a pane; kinds as in packing.py.

    >>> view = {"classes": [{"logit": 2.0}, {"logit": 1.0}], "rest": {"count": 8, "logit": 1.0}}
    >>> plane_weights("linear", 5, view, {"rank": 0, "contrast": "weighted"}, 10).tolist()
    [0.0, 1.0, -0.5, -0.5, 0.0]
    """
    weights = np.zeros(planes)
    if kind == "table":
        weights[len(TABULATED) * pane["rank"] + TABULATED.index(pane["contrast"])] = 1
        return weights
    listed, scored = len(view["classes"]), kind == "scored"
    against = shares(view, pane, count)
    own = -against[:listed]
    own[pane["rank"]] += 1
    if scored:
        own *= [each["logit"] for each in view["classes"]]
    weights[1 : 1 + listed] = own
    weights[0] = own.sum() - (0 if scored else against[listed])
    if view["rest"]:
        weights[1 + listed + 2 * scored + (pane["contrast"] == "mean")] = -against[listed]
    return weights


def map_of(entry: dict, planes: np.ndarray, view: dict, pane: dict, count: int) -> np.ndarray:
    """The map (h, w) of a pane from the integers (planes, h, w) of a stack."""
    weights = plane_weights(entry["kind"], len(planes), view, pane, count) * entry["scales"]
    heat = np.tensordot(weights, planes, 1)
    if entry["kind"] == "relevance":
        return np.maximum(abs(view["classes"][pane["rank"]]["logit"]) * heat, 0)
    return heat


def probes(kinds: list[str], planes: int, view: dict, count: int) -> np.ndarray:
    """Weights (N, planes) of the contrasts of each listed class, with all others and with each one."""
    if "table" in kinds:
        return np.eye(planes)
    ranks = range(len(view["classes"]))
    panes = [{"rank": rank, "contrast": contrast} for rank, contrast in product(ranks, TABULATED)]
    panes += [{"rank": rank, "contrast": "among", "foils": [foil]} for rank, foil in product(ranks, ranks) if rank != foil]
    return np.stack([plane_weights(kind, planes, view, pane, count) for kind, pane in product(kinds, panes)])
