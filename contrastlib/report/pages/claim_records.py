"""Claims as released in ``claims.json``: each with its verdict at the scale nearest to the papers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from sphinx.application import Sphinx

from contrastlib.report.claims.populations import POPULATIONS, is_drawn
from contrastlib.report.pages.claims import EXECUTED, executed_claims

FIELD, EFFECT = "overall", "the mean over families of networks"
"""Field of a finding that has the effect of a claim and its interval, and what it is in words."""


def write_claims(app: Sphinx, error: Exception | None) -> None:
    """Write ``claims.json`` to the folder of the pages of the book. Called by Sphinx at the end."""
    of_the_book = (Path(app.srcdir) / "book" / "claims").exists()
    if error is None and app.builder.format == "html" and of_the_book:
        records = [released(record) for record in executed_claims(Path(app.srcdir) / EXECUTED).values()]
        text = json.dumps(records, indent=1, ensure_ascii=False)
        (Path(app.outdir) / "claims.json").write_text(text + "\n", encoding="utf-8")


def released(record: Mapping) -> dict:
    """Return the record of a claim with six more fields.

    - ``scale``: the scale nearest to the papers at which there is a verdict, or None
    - ``verdict``: the word of the verdict at this scale, about the networks that were run, or None
    - ``generalisation``: what is said of other networks, in a phrase, or None
    - ``effect``: what ``EFFECT`` says, or None
    - ``interval``: its 95 % interval, lower end first, or None if it has none
    - ``toy``: whether all verdicts rest on networks that were trained on drawn birds

    Args:
        record: As from :func:`contrastlib.report.pages.claims.executed_claims`.

    >>> found = {"word": "supported", FIELD: [0.3, 0.1, 0.4], "effects": {"birds_vgg": 0.3}}
    >>> findings = {"quick": {**found, "variants": {}}, "real": {"word": "a theorem"}}
    >>> record = released({"id": "a", "findings": findings})
    >>> record["scale"], record["verdict"], record["effect"], record["interval"], record["toy"]
    ('quick', 'supported', 0.3, [0.1, 0.4], True)
    """
    scale = next(iter(judged_scales(record)), None)
    found = record["findings"].get(scale, {})
    effect, *interval = found.get(FIELD) or [None]
    return {
        **record,
        "scale": scale,
        "verdict": found.get("word"),
        "generalisation": found.get("generalisation") or None,
        "effect": effect,
        "interval": interval or None,
        "toy": scale is not None and all(map(is_drawn, networks(record))),
    }


def judged_scales(record: Mapping) -> list[str]:
    """Scales at which there is a verdict on a claim, the one nearest to the papers first."""
    return [scale for scale in POPULATIONS if record["findings"].get(scale, {}).get("effects")]


def networks(record: Mapping, scale: str = "") -> list[str]:
    """Names of the networks on which a claim is judged, at one scale or at all of them."""
    scales = [scale] if scale else judged_scales(record)
    return list(dict.fromkeys(name for each in scales for name in record["findings"][each]["effects"]))
