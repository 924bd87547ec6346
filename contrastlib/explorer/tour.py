"""The tour of an explorer: four steps, each a state of the explorer and a text."""

from __future__ import annotations

ALONE, AGAINST = {"contrast": "original"}, {"contrast": "among", "foils": [1]}
"""Choices of a pane: the logit of the first class, and the first class against the second."""
TEXTS = {
    "One logit": "A shows what raises the logit of {target}, B what raises that of {rival}. Neither map "
    "knows the other class. The cosine below the maps says how alike they are.",
    "Against the rival": "A is the logit of {target} as before. B asks: why {target} and not {rival}? Blue "
    "now marks what speaks for {rival} instead.",
    "Against a third class": "The rival is part of the question. A sets {target} against {rival}, B sets it "
    "against {third}. What changed?",
    "Masking": "Only red pixels are left, the others are blurred. If red speaks for {target}, its "
    "probability should rise, alone or against the rival. The numbers say whether it does.",
}
"""Title and text of each step."""
PANES = {
    "One logit": (ALONE, {"contrast": "original", "rank": 1}),
    "Against the rival": (ALONE, AGAINST),
    "Against a third class": (AGAINST, {"contrast": "among", "foils": [2]}),
    "Masking": (ALONE, AGAINST),
}
"""Choices of both panes in each step."""


def steps(header: dict) -> list[dict]:
    """Describe the steps for the first picture, the first network and its first linear method.

    The target is the most probable class, and the rival the second one. The step with a third class is left
    out if only two classes are listed.

    Args:
        header: The explorer's header.

    Returns:
        Fields title, text and state of each step.

    Raises:
        ValueError: No method of the network is linear.
    """
    network, view = next(iter(header["pictures"][0]["views"].items()))
    linear = [entry for entry in view["maps"] if entry["kind"] != "table"]
    if not linear:
        raise ValueError(f"the tour needs a linear method, and {network} has none here: leave the tour out")
    names = dict(zip(("target", "rival", "third"), (each["name"] for each in view["classes"])))
    fixed = {
        "network": network,
        "method": linear[0]["method"],
        "layer": linear[0]["layer"],
        "rank": 0,
        "contrast": "original",
        "foils": [],
        "weights": None,
    }
    found = []
    for title, text in TEXTS.items():
        if "third" in names or "{third}" not in text:
            common = {"other": None, "opacity": 0.6, "shared": False, "fill": "blur", "difference": False}
            keep = "positive" if title == "Masking" else "all"
            panes = [fixed | chosen for chosen in PANES[title]]
            state = {"picture": 0, "panes": panes, "keep": keep, **common}
            found.append({"title": title, "text": text.format_map(names), "state": state})
    return found
