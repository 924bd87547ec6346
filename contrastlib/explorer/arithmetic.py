"""The arithmetic of the browser in Python: weights of a contrast, and a map from a stack.

``arithmetic.js`` holds the same functions in JavaScript.
"""

from __future__ import annotations

from itertools import permutations, product

import numpy as np

from contrastlib.explorer.packing import Stack

INTERACTIVE = ("among", "own")
"""Contrasts that the reader defines, by foils ("among") or by weights ("own")."""


def pictures_of(state: dict) -> list[int]:
    """Return the indices of the pictures of the two maps: that of map B may be another one.

    >>> pictures_of({"picture": 2, "other": None}), pictures_of({"picture": 2, "other": 0})
    ([2, 2], [2, 0])
    """
    return [state["picture"], state["picture"] if state["other"] is None else state["other"]]


def weights(view: dict, pane: dict) -> np.ndarray:
    """Return the weights (K + R,) of a contrast over the listed classes and the rests.

    Args:
        view: Fields classes, rest and weights of a view in the explorer's header.
        pane: Fields rank, contrast, foils and weights of a pane in its state.

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
    found[listed : listed + 1] = -against[listed]
    return found


def shares(view: dict, pane: dict) -> np.ndarray:
    """Return the share of each class in what the target is contrasted with, (K + 1,).

    The last share is that of all classes that are not listed.

    Args:
        view: As for :func:`weights`.
        pane: As for :func:`weights`.

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
    """Return the probability of each listed class and, last, of all other classes together, (K + 1,).

    Args:
        view: As for :func:`weights`.
        among: Ranks of the classes among which probabilities are computed; all classes for None.

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
    """Return the number of rests of a view."""
    return view["rest"]["rows"] if view["rest"] else 0


def row_weights(kind: str, rows: int, view: dict, pane: dict) -> np.ndarray:
    """Return the weight (rows,) of each row of a stack in the map of a pane.

    Args:
        kind: Kind of the method, as defined in :mod:`contrastlib.explorer.packing`.
        rows: Number of rows.
        view: As for :func:`weights`.
        pane: As for :func:`weights`.

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
    found[start : start + rests(view)] = chosen[listed:]
    if kind == "scored":
        found[:listed] *= [each["logit"] for each in view["classes"]]
    return found


def map_of(entry: dict, stack: Stack, view: dict, pane: dict) -> np.ndarray:
    """Compute the map (h, w) of a pane.

    Args:
        entry: Entry of the method and layer in the view.
        stack: The stack that the entry refers to.
        view: As for :func:`weights`.
        pane: As for :func:`weights`.
    """
    heat = stack.maps(row_weights(entry["kind"], len(stack.coefficients), view, pane))
    if entry["kind"] == "relevance":
        return np.maximum(abs(view["classes"][pane["rank"]]["logit"]) * heat, 0)
    return heat


def probes(kind: str, rows: int, view: dict) -> np.ndarray:
    """Return the weights (N, rows) of the stored and the pairwise contrasts of all listed classes.

    Args:
        kind: Kind of the method, as defined in :mod:`contrastlib.explorer.packing`.
        rows: Number of rows of the stack.
        view: As for :func:`weights`.

    Returns:
        The weights.
    """
    ranks = range(len(view["classes"]))
    panes = [{"rank": rank, "contrast": contrast} for rank, contrast in product(ranks, view["weights"])]
    panes += [{"rank": one, "contrast": "among", "foils": [other]} for one, other in permutations(ranks, 2)]
    return np.stack([row_weights(kind, rows, view, pane) for pane in panes])
