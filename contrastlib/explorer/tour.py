"""The tour of an explorer: four steps, each a state of the explorer and a text."""

from __future__ import annotations

MASKED = "positive"
"""Sign that the last step keeps."""


def steps(header: dict) -> list[dict]:
    """Describe the steps for the first picture, the first network and its first linear method.

    The target is the most probable class, and the rival the second one. The step with a third class is left
    out if only two classes are listed.

    Args:
        header: The explorer's header, with its initial state.

    Returns:
        Fields title, text and state of each step.

    Raises:
        ValueError: No method of the network is linear.
    """
    network, view = next(iter(header["pictures"][0]["views"].items()))
    linear = [entry for entry in view["maps"] if entry["kind"] != "table"]
    if not linear:
        raise ValueError(f"the tour needs a method that is linear, and {network} has none here: leave it out")
    names = [each["name"] for each in view["classes"]]

    def step(title: str, text: str, one: dict, other: dict, keep: str = "all") -> dict:
        panes = [_pane(network, linear[0], **one), _pane(network, linear[0], **other)]
        common = {"other": None, "opacity": 0.6, "shared": False, "keep": keep, "fill": "blur"}
        state = {"picture": 0, "panes": panes, **common, "difference": False}
        return {"title": title, "text": text, "state": state}

    target, rival, *third = names[:3]
    alone, against = {"contrast": "original"}, {"foils": [1]}
    found = [
        step("One logit", f"A shows what raises the logit of {target}, B what raises that of {rival}. Neither "
             "map knows the other class. The cosine below the maps says how alike they are.",
             alone, {"contrast": "original", "rank": 1}),
        step("Against the rival", f"A is the logit of {target} as before. B asks: why {target} and not {rival}? "
             f"Blue now marks what speaks for {rival} instead.", alone, against),
    ]  # fmt: skip
    if third:
        found.append(step("Against a third class", f"The rival is part of the question. A sets {target} against "
                          f"{rival}, B sets it against {third[0]}. What changed?", against, {"foils": [2]}))
    found.append(step("Masking", f"Only red pixels are left, the others are blurred. If red speaks for {target}, its "
                      "probability should rise, alone or relative to the rival. The numbers below say whether it does.",
                      alone, against, MASKED))
    return found


def _pane(network: str, entry: dict, rank: int = 0, contrast: str = "among", foils: list[int] | None = None) -> dict:
    return {"network": network, "method": entry["method"], "layer": entry["layer"], "rank": rank,
            "contrast": contrast, "foils": foils or [], "weights": None}
