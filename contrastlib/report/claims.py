"""The claims that the report tests, as records, and the one way from a record and a study's tables to a verdict.

``book/claims/PAGE.yaml`` holds the claims that the notebook PAGE tests; :class:`Claim` says what a record holds.
:func:`judge` turns a claim and tables into a :class:`Finding` for each scale. Verdict tables of the notebooks
(:mod:`contrastlib.report.verdict_tables`), the claims page and ``claims.json`` (:mod:`contrastlib.report.claims_page`) are
made from these.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from functools import lru_cache
from pathlib import Path

import pandas as pd
import yaml

from contrastlib.evaluation.statistics import distinct_methods
from contrastlib.report.provenance import REPOSITORY
from contrastlib.report.verdicts import Criterion, verdict

FOLDER = REPOSITORY / "book" / "claims"
KINDS = ("stated", "implied", "ours")
SCALES = ("quick", "real", "paper")
NOTHING = "no cell to judge"


@dataclass(frozen=True)
class Evidence:
    """What a claim is computed from.

    Attributes:
        study: name of the table, such as that of a study of :mod:`contrastlib.report.studies`.
        effects: a function of ``contrastlib.evaluation`` as "module.function", or of another module of ``contrastlib``
            with its full name. From the selected rows of the table it computes one row for each cell, with
            ``network``, ``mean``, and ``low`` and ``high`` where the criterion asks for intervals.
        criterion: which values of a cell support the claim.
        options: keyword arguments of that function.
        select: column -> the values of the rows that count: one, a list, "last" (the last value listed for each network)
            or a comparison such as "> 0.1".
        leave_out: column -> values of the rows that do not count.
        count_once: column that tells methods apart whose maps may be the same; of such methods the first counts. None
            counts all.
        fewest: cells that rest on fewer photographs than this do not count.
        format: of an effect in text, such as "+.3f" or ".0%".
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


@dataclass(frozen=True, eq=False)
class Claim:
    """One claim, and what would refute it.

    Attributes:
        id: unique, in words joined by hyphens.
        page: the notebook that tests it.
        paper: key of the bibliography, or "ours".
        section: of the paper, with the table or figure; "" for our own.
        text: the claim in words, Markdown.
        kind: "stated" by the paper, "implied" by it, or "ours".
        population: images and networks that it is about.
        measure: what is measured, in words.
        refuted: what would refute it.
        smallest_effect: the smallest effect of interest in words; "none set" where any effect on the claimed side counts.
        set_before: whether claim and criterion were fixed before results were seen; else what was decided after.
        evidence: None for a claim that was not tested.
        variants: name -> changes of the evidence. Their verdicts are given beside the main one, at the scales where
            there is something to leave out.
        untested: scale -> why there is no verdict at that scale.
        note: what a reader of the verdict should know, Markdown.
        main: whether it is the main claim of its section, one of those that the landing page shows.
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
    smallest_effect: str = "none set"
    set_before: bool | str = True
    evidence: Evidence | None = None
    variants: Mapping[str, Evidence] = field(default_factory=dict)
    untested: Mapping[str, str] = field(default_factory=dict)
    note: str = ""
    main: bool = False


@dataclass(frozen=True)
class Finding:
    """What the tables of one scale say of a claim.

    Attributes:
        word: see :func:`contrastlib.report.verdicts.verdict`; or the reason why there is none.
        supporting, opposing, cells: how many cells lie on the claimed side, on the other one, and count at all. 0 cells
            where there is no verdict.
        intervals: whether the cells were judged by intervals.
        effects: network -> mean over its cells.
        images: how many images of all networks; None where the effects do not say.
        variants: name of a variant -> its finding.
        without: network -> the word without that network, where it is another one. Such a verdict hangs on one network.
    """

    word: str
    supporting: int = 0
    opposing: int = 0
    cells: int = 0
    intervals: bool = False
    effects: Mapping[str, float] = field(default_factory=dict)
    images: int | None = None
    variants: Mapping[str, Finding] = field(default_factory=dict)
    without: Mapping[str, str] = field(default_factory=dict)

    @property
    def counted(self) -> str:
        """The word, and of how many cells it is made; of intervals also how many lie on the other side.

        >>> Finding("mixed", 2, 1, 3, True).counted
        'mixed (2 of 3, 1 against)'
        >>> Finding("supported", 1, 0, 1).counted
        'supported'
        """
        if self.cells < 2:
            return self.word
        against = f", {self.opposing} against" if self.intervals and self.opposing else ""
        return f"{self.word} ({self.supporting} of {self.cells}{against})"


@lru_cache
def claims(page: str | None = None, folder: Path = FOLDER) -> dict[str, Claim]:
    """The claims of a notebook, or of all of them, by their ids, in the order of their files.

    Raises:
        ValueError: a record is not complete, or names what does not exist; with the file and the claim.
    """
    paths = sorted(folder.glob("*.yaml")) if page is None else [folder / f"{page}.yaml"]
    found: dict[str, Claim] = {}
    for path in paths:
        for claim in _read(path):
            if claim.id in found:
                raise ValueError(f"{path.name}: two claims have the id {claim.id!r}")
            found[claim.id] = claim
    return found


def judge(claim: Claim, tables: Mapping[str, pd.DataFrame], **parameters) -> dict[str, Finding]:
    """Verdicts on a claim at each scale.

    Args:
        claim: the record.
        tables: scale -> table of the study that the claim's evidence names.
        parameters: of the notebook. They fill in ``{name}`` in the values that the evidence selects, and those that
            are options of the function of effects are handed to it.
    """
    scales = [scale for scale in SCALES if scale in tables or scale in claim.untested]
    return {scale: _finding(claim, scale, tables.get(scale), parameters) for scale in scales}


def selected(table: pd.DataFrame, evidence: Evidence, parameters: Mapping) -> pd.DataFrame:
    """The rows of a table that count; none where all those selected are left out.

    Raises:
        ValueError: the table has no such column, or none of its rows is selected.
    """
    for column, wanted in (*evidence.select.items(), *evidence.leave_out.items()):
        if column not in table:
            raise ValueError(f"{evidence.study} has no column {column!r} to select {wanted!r} in; it has {', '.join(table)}")
    for column, wanted in evidence.select.items():
        table = table[_matches(table, column, wanted, parameters)]
    if table.empty:
        raise ValueError(f"no row of {evidence.study} has {dict(evidence.select)}")
    for column, unwanted in evidence.leave_out.items():
        table = table[~table[column].isin(_list(unwanted))]
    return table


def as_records(claim: Claim, findings: Mapping[str, Finding]) -> dict:
    """A claim and its findings as plain values, for ``claims.json``."""
    record = {key: value for key, value in asdict(claim).items() if key not in ("evidence", "variants")}
    record["findings"] = {scale: asdict(finding) | {"counted": finding.counted} for scale, finding in findings.items()}
    if claim.evidence:
        record["study"], record["format"] = claim.evidence.study, claim.evidence.format
        record["criterion"] = claim.evidence.criterion.sentence()
    return record


def _finding(claim: Claim, scale: str, table: pd.DataFrame | None, parameters: Mapping) -> Finding:
    if scale in claim.untested:
        return Finding(claim.untested[scale])
    variants = {
        name: _judged(evidence, table, parameters) for name, evidence in claim.variants.items()
        if _leaves_out_rows(evidence, claim.evidence, table)
    }
    return replace(_judged(claim.evidence, table, parameters), variants=variants)


def _leaves_out_rows(variant: Evidence, main: Evidence, table: pd.DataFrame) -> bool:
    """Whether a variant that leaves out other rows finds any; one without a network needs that network."""
    if variant.leave_out == main.leave_out:
        return True
    return any(table[column].isin(_list(unwanted)).any() for column, unwanted in variant.leave_out.items())


def _judged(evidence: Evidence, table: pd.DataFrame, parameters: Mapping) -> Finding:
    rows = selected(table, evidence, parameters)
    if rows.empty:
        return Finding(NOTHING)
    function = _function(evidence.effects)
    options = _accepted(function, parameters) | dict(evidence.options)
    effects = function(rows, **options)
    if evidence.count_once:
        keys = [key for key in (*options.get("by", ()), "contrast", "image") if key in rows and key not in ("network", "method")]
        effects = effects.merge(distinct_methods(rows, evidence.count_once, list(dict.fromkeys(keys))))
    if evidence.fewest:
        effects = effects[effects["groups"] >= evidence.fewest]
        if effects.empty:
            return Finding("too few photographs")
    if effects.empty:
        return Finding(NOTHING)
    word, supporting, opposing = verdict(effects, evidence.criterion)
    return Finding(
        word, supporting, opposing, len(effects), evidence.criterion.intervals,
        {name: float(value) for name, value in effects.groupby("network", sort=False)["mean"].mean().dropna().items()},
        int(rows.groupby("network")["image"].nunique().sum()) if "image" in rows else None,
        without=_without_one(effects, evidence.criterion, word),
    )


def _without_one(effects: pd.DataFrame, criterion: Criterion, word: str) -> dict[str, str]:
    """Network -> the verdict's word without it, where that differs from the word with all networks."""
    names = effects["network"].unique()
    rest = {name: effects[effects["network"] != name] for name in names if len(names) > 1}
    words = {name: verdict(part, criterion)[0] for name, part in rest.items()}
    return {name: other for name, other in words.items() if other != word}


def _accepted(function: Callable, parameters: Mapping) -> dict:
    """The parameters that a function names; ``resamples`` also where it hands further options on."""
    known = inspect.signature(function).parameters
    names = set(known) | ({"resamples"} if any(each.kind is each.VAR_KEYWORD for each in known.values()) else set())
    return {key: value for key, value in parameters.items() if key in names}


def _matches(table: pd.DataFrame, column: str, wanted, parameters: Mapping) -> pd.Series:
    if wanted == "last":
        return table[column] == table.groupby("network")[column].transform("last")
    if isinstance(wanted, str):
        wanted = wanted.format_map(parameters)
        compared = re.fullmatch(r"([<>]=?)\s*([-+.\deE]+)", wanted)
        if compared:
            return table.eval(f"`{column}` {compared[1]} {float(compared[2])!r}")
    return table[column].isin(_list(wanted))


def _list(value) -> Sequence:
    return value if isinstance(value, (list, tuple)) else [value]


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
        raise ValueError(f"{name}: " + (f"unknown {sorted(unknown)}" if unknown else f"{sorted(missing)} missing"))
    if entry["kind"] not in KINDS:
        raise ValueError(f"{name}: kind is {entry['kind']!r}, not one of {', '.join(KINDS)}")
    tested = own is not None
    if tested and not (entry.get("refuted") and entry.get("measure")):
        raise ValueError(f"{name}: a claim that is tested says what is measured and what would refute it")
    if not tested and not entry.get("untested"):
        raise ValueError(f"{name}: a claim without evidence says for each scale why it was not tested")
    whole = {**shared, **(own or {})}
    return Claim(
        page=path.stem, **entry, evidence=_evidence(name, whole) if tested else None,
        variants={title: _evidence(f"{name}, {title}", {**whole, **changes}) for title, changes in variants.items()},
    )


def _evidence(name: str, entry: Mapping) -> Evidence:
    try:
        evidence = Evidence(**{**entry, "criterion": Criterion(**entry["criterion"])})
        _function(evidence.effects)
    except (AttributeError, ImportError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{name}: {error}") from None
    return evidence


def scales_of(tables: Mapping[str, Mapping[str, pd.DataFrame]]) -> list[str]:
    """The scales that tables are there for, in order.

    >>> scales_of({"study": {"real": pd.DataFrame(), "quick": pd.DataFrame()}})
    ['quick', 'real']
    """
    return [scale for scale in SCALES if any(scale in each for each in tables.values())]
