"""Claims that the report tests, as records.

``book/claims/PAGE.yaml`` has the claims that the notebook PAGE tests. :class:`Claim` documents the fields of
a record. :mod:`contrastlib.report.claims.judging` computes the verdicts.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import lru_cache
from pathlib import Path

import pandas as pd
import yaml

from contrastlib.report.claims.verdicts import Criterion
from contrastlib.report.results.provenance import REPOSITORY

FOLDER = REPOSITORY / "book" / "claims"
KINDS = ("stated", "implied", "ours")
THE_BOUND = "the bound"


@dataclass(frozen=True)
class Evidence:
    """Evidence from which the verdict on a claim is computed.

    Attributes:
        study: Name of the table, such as that of a study of :mod:`contrastlib.report.studies`.
        effects: Function of ``contrastlib.evaluation`` as "module.function", or of another module of
            ``contrastlib`` with its full name. From the selected rows of the table it computes one row for
            each cell, with ``network``, ``mean``, and ``low`` and ``high`` if the criterion needs intervals.
        criterion: Condition for an effect to support the claim.
        options: Keyword arguments of the function.
        select: Column -> values of the rows that count. A value, a list, "last" (the last value listed for
            each network) or a comparison such as "> 0.1".
        leave_out: Column -> values of the rows that do not count.
        count_once: Column in which methods with equal maps have equal values. Of such methods, the first
            counts. None counts all.
        fewest: Cells with fewer photographs than this do not count.
        format: Format of an effect in text, such as "+.3f" or ".0%".
    """

    study: str
    effects: str
    criterion: Criterion
    options: Mapping = field(default_factory=dict)
    select: Mapping = field(default_factory=dict)
    leave_out: Mapping = field(default_factory=dict)
    count_once: str | None = None
    fewest: int = 0
    format: str = "+.3f"

    @property
    def function(self) -> Callable[..., pd.DataFrame]:
        """The function that ``effects`` names."""
        return _function(self.effects)


@dataclass(frozen=True, eq=False)
class Claim:
    """A claim, and the result that would refute it.

    Attributes:
        id: Unique identifier, in words joined by hyphens.
        page: Notebook that tests the claim.
        paper: Key of the bibliography, or "ours".
        section: Section of the paper, with the table or figure. Empty for our own claims.
        text: The claim in words, as Markdown.
        kind: "stated" by the paper, "implied" by it, or "ours".
        population: Images and networks of the claim.
        measure: Measured quantity, in words.
        refuted: Result that would refute the claim.
        smallest_effect: Smallest effect of interest: a number with its unit, such as "0.05 of the cosine", or
            "the bound" and a remark, where the bound of the criterion is that effect. It is chosen by the
            measure and not by the result: the same unit has the same number in all claims.
        set_before: Whether claim and criterion were fixed before results were seen. If not, a text on what
            was decided later.
        evidence: Evidence of the claim. None if it was not tested.
        variants: Name -> modified evidence. Its verdict is shown with the main one, at the scales at which
            there are rows to leave out.
        untested: Scale -> reason for the lack of a verdict at that scale.
        note: Remark for readers of the verdict, as Markdown.
        main: Whether the claim is a main claim of its section, which the landing page shows.
    """

    id: str
    page: str
    paper: str
    section: str
    text: str
    kind: str
    population: str = ""
    measure: str = ""
    refuted: str = ""
    smallest_effect: str = THE_BOUND
    set_before: bool | str = True
    evidence: Evidence | None = None
    variants: Mapping[str, Evidence] = field(default_factory=dict)
    untested: Mapping[str, str] = field(default_factory=dict)
    note: str = ""
    main: bool = False

    @property
    def smallest(self) -> float | None:
        """The number of ``smallest_effect``. None if it is the bound.

        >>> Claim("a", "p", "ours", "", "…", "ours", smallest_effect="0.05 of the cosine").smallest
        0.05
        """
        return None if self.smallest_effect.startswith(THE_BOUND) else float(self.smallest_effect.split()[0])


@lru_cache
def claims(page: str | None = None, folder: Path = FOLDER) -> dict[str, Claim]:
    """Claims of a notebook, or of all notebooks, by their identifiers, in the order of the files.

    Args:
        page: Name of the notebook. None for all.
        folder: Folder of the files.

    Returns:
        Identifier -> claim.

    Raises:
        ValueError: A record is incomplete, or names something that does not exist. The message names file and
            claim.
    """
    paths = sorted(folder.glob("*.yaml")) if page is None else [folder / f"{page}.yaml"]
    found: dict[str, Claim] = {}
    for path in paths:
        for claim in _read(path):
            if claim.id in found:
                raise ValueError(f"{path.name}: two claims have the id {claim.id!r}")
            found[claim.id] = claim
    return found


@lru_cache
def _function(name: str) -> Callable[..., pd.DataFrame]:
    module, _, function = name.rpartition(".")
    path = module if module.startswith("contrastlib.") else f"contrastlib.evaluation.{module}"
    return getattr(importlib.import_module(path), function)


def _read(path: Path) -> list[Claim]:
    if not path.exists():
        raise ValueError(f"no claims of {path.stem}: {path} does not exist")
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    shared = content.get("shared", {})
    evidence = shared.pop("evidence", {})
    return [_claim(path, {**shared, **entry}, evidence) for entry in content["claims"]]


def _claim(path: Path, entry: dict, shared: Mapping) -> Claim:
    name = f"{path.name}, claim {entry.get('id', entry.get('text'))!r}"
    own, variants = entry.pop("evidence", None), entry.pop("variants", {})
    unknown = set(entry) - {each.name for each in fields(Claim)}
    missing = {"id", "paper", "section", "text", "kind"} - set(entry)
    if unknown or missing:
        raise ValueError(
            f"{name}: " + (f"unknown {sorted(unknown)}" if unknown else f"{sorted(missing)} missing")
        )
    if entry["kind"] not in KINDS:
        raise ValueError(f"{name}: kind is {entry['kind']!r}, not one of {', '.join(KINDS)}")
    tested = own is not None
    if tested and not (entry.get("refuted") and entry.get("measure")):
        raise ValueError(f"{name}: a tested claim says what is measured and what would refute it")
    if not tested and not entry.get("untested"):
        raise ValueError(f"{name}: a claim without evidence says for each scale why it was not tested")
    whole = {**shared, **(own or {})}
    claim = Claim(
        page=path.stem,
        **entry,
        evidence=_evidence(name, whole) if tested else None,
        variants={
            title: _evidence(f"{name}, {title}", {**whole, **changes}) for title, changes in variants.items()
        },
    )
    if tested:
        _check_smallest_effect(name, claim, stated="smallest_effect" in entry)
    return claim


def _check_smallest_effect(name: str, claim: Claim, stated: bool) -> None:
    if not stated or not re.match(rf"{THE_BOUND}\b|\d[\d.e-]* \D", claim.smallest_effect):
        raise ValueError(
            f"{name}: smallest_effect is a number with its unit, such as '0.05 of the cosine', or "
            f"'{THE_BOUND}'; got {claim.smallest_effect if stated else 'none'!r}"
        )
    criterion = claim.evidence.criterion
    if claim.smallest is not None and not 0 <= criterion.direction * criterion.bound <= claim.smallest:
        raise ValueError(
            f"{name}: an effect of {claim.smallest_effect} is measured from 0, but the bound is "
            f"{criterion.bound:g}; write smallest_effect: {THE_BOUND}"
        )


def _evidence(name: str, entry: Mapping) -> Evidence:
    try:
        evidence = Evidence(**{**entry, "criterion": Criterion(**entry["criterion"])})
        _ = evidence.function
    except (AttributeError, ImportError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{name}: {error}") from None
    return evidence
