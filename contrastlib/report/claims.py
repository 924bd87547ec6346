"""Claims that the report tests, as records, and their verdicts.

``book/claims/PAGE.yaml`` has the claims that the notebook PAGE tests. :class:`Claim` documents the fields of
a record. :func:`judge` computes a :class:`Finding` for each scale from a claim and tables. These are the
basis of the verdict tables of the notebooks (:mod:`contrastlib.report.verdict_tables`), of the claims page
and of ``claims.json`` (:mod:`contrastlib.report.claims_page`).
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

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
    """Evidence from which the verdict on a claim is computed.

    Attributes:
        study: Name of the table, such as that of a study of :mod:`contrastlib.report.studies`.
        effects: Function of ``contrastlib.evaluation`` as "module.function", or of another module of
            ``contrastlib`` with its full name. From the selected rows of the table it computes one row for
            each cell, with ``network``, ``mean``, and ``low`` and ``high`` if the criterion needs intervals.
        criterion: Condition for a cell to support the claim.
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
        smallest_effect: Smallest effect of interest in words. "none set" if any effect on the claimed side
            counts.
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
    smallest_effect: str = "none set"
    set_before: bool | str = True
    evidence: Evidence | None = None
    variants: Mapping[str, Evidence] = field(default_factory=dict)
    untested: Mapping[str, str] = field(default_factory=dict)
    note: str = ""
    main: bool = False


@dataclass(frozen=True)
class Finding:
    """Verdict on a claim from the tables of one scale.

    Attributes:
        word: Verdict, see :func:`contrastlib.report.verdicts.verdict`, or the reason for the lack of one.
        supporting: Number of cells on the claimed side.
        opposing: Number of cells on the other side.
        cells: Number of all cells that count. 0 if there is no verdict.
        intervals: Whether the cells were judged by intervals.
        effects: Network -> mean over its cells.
        spans: Network -> lowest and highest end of the intervals of its cells. Empty if they have none.
        middle: Mean, and ends of the interval if there is one, of the cell with the median mean. Of an even
            number of cells, it is the lower one of the two in the middle.
        images: Number of images of all networks. None if the table has no images.
        variants: Name of a variant -> its finding.
        without: Network -> verdict without that network, if it is another one. Such a verdict depends on one
            network.
    """

    word: str
    supporting: int = 0
    opposing: int = 0
    cells: int = 0
    intervals: bool = False
    effects: Mapping[str, float] = field(default_factory=dict)
    spans: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    middle: tuple[float, ...] = ()
    images: int | None = None
    variants: Mapping[str, Finding] = field(default_factory=dict)
    without: Mapping[str, str] = field(default_factory=dict)

    @property
    def counted(self) -> str:
        """The verdict and the numbers of cells on which it is based.

        If it is based on intervals, the number of opposing cells is included.

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


def judge(claim: Claim, tables: Mapping[str, pd.DataFrame], **parameters: Any) -> dict[str, Finding]:
    """Verdicts on a claim at each scale.

    Args:
        claim: The record.
        tables: Scale -> table of the study that the evidence of the claim names.
        **parameters: Parameters of the notebook. They replace ``{name}`` in the values that the evidence
            selects. Those that are options of the function of effects are passed to it.

    Returns:
        Scale -> finding.
    """
    scales = [scale for scale in SCALES if scale in tables or scale in claim.untested]
    return {scale: _finding(claim, scale, tables.get(scale), parameters) for scale in scales}


def selected(table: pd.DataFrame, evidence: Evidence, parameters: Mapping) -> pd.DataFrame:
    """Rows of a table that count. There are none if all selected rows are left out.

    Args:
        table: Table of a study.
        evidence: Evidence that selects rows.
        parameters: Parameters of the notebook.

    Returns:
        The selected rows.

    Raises:
        ValueError: The table lacks a column, or no row is selected.
    """
    for column, wanted in (*evidence.select.items(), *evidence.leave_out.items()):
        if column not in table:
            raise ValueError(
                f"{evidence.study} has no column {column!r} to select {wanted!r} in; it has "
                f"{', '.join(table)}"
            )
    for column, wanted in evidence.select.items():
        table = table[_matches(table, column, wanted, parameters)]
    if table.empty:
        raise ValueError(f"no row of {evidence.study} has {dict(evidence.select)}")
    for column, unwanted in evidence.leave_out.items():
        table = table[~table[column].isin(_list(unwanted))]
    return table


def as_records(claim: Claim, findings: Mapping[str, Finding]) -> dict:
    """Convert a claim and its findings to plain values for ``claims.json``."""
    record = {key: value for key, value in asdict(claim).items() if key not in ("evidence", "variants")}
    record["findings"] = {
        scale: asdict(finding) | {"counted": finding.counted} for scale, finding in findings.items()
    }
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
    variants = {name: found for name, found in variants.items() if found.word != NOTHING}
    return replace(_judged(claim.evidence, table, parameters), variants=variants)


def _leaves_out_rows(variant: Evidence, main: Evidence, table: pd.DataFrame) -> bool:
    """Whether a variant leaves out other rows than the main evidence and the table has any of them.

    A variant without a certain network applies only if the table has that network.
    """
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
        keys = [
            key
            for key in (*options.get("by", ()), "contrast", "image")
            if key in rows and key not in ("network", "method")
        ]
        effects = effects.merge(distinct_methods(rows, evidence.count_once, list(dict.fromkeys(keys))))
    if evidence.fewest:
        effects = effects[effects["groups"] >= evidence.fewest]
        if effects.empty:
            return Finding("too few photographs")
    if effects.empty:
        return Finding(NOTHING)
    word, supporting, opposing = verdict(effects, evidence.criterion)
    means = effects.groupby("network", sort=False)["mean"].mean().dropna()
    return Finding(
        word,
        supporting,
        opposing,
        len(effects),
        evidence.criterion.intervals,
        {name: float(value) for name, value in means.items()},
        _spans(effects),
        _middle(effects),
        int(rows.groupby("network")["image"].nunique().sum()) if "image" in rows else None,
        without=_without_one(effects, evidence.criterion, word),
    )


def _spans(effects: pd.DataFrame) -> dict[str, tuple[float, float]]:
    """Network -> lowest and highest end of the intervals of its cells."""
    if not {"low", "high"} <= set(effects):
        return {}
    ends = effects.groupby("network", sort=False).agg({"low": "min", "high": "max"}).dropna()
    return {name: (float(low), float(high)) for name, low, high in ends.itertuples()}


def _middle(effects: pd.DataFrame) -> tuple[float, ...]:
    """Mean, and ends of the interval if it has one, of the cell in the middle."""
    cells = effects.dropna(subset="mean").sort_values("mean", kind="stable")
    if cells.empty:
        return ()
    cell = cells.iloc[(len(cells) - 1) // 2]
    values = [float(cell[name]) for name in ("mean", "low", "high") if name in cells]
    return tuple(values) if pd.notna(values).all() else (values[0],)


def _without_one(effects: pd.DataFrame, criterion: Criterion, word: str) -> dict[str, str]:
    """Network -> verdict without it, if that differs from the verdict with all networks."""
    names = effects["network"].unique()
    rest = {name: effects[effects["network"] != name] for name in names if len(names) > 1}
    words = {name: verdict(part, criterion)[0] for name, part in rest.items()}
    return {name: other for name, other in words.items() if other != word}


def _accepted(function: Callable, parameters: Mapping) -> dict:
    """The parameters that a function has. ``resamples`` is included if the function accepts any options."""
    known = inspect.signature(function).parameters
    names = set(known) | (
        {"resamples"} if any(each.kind is each.VAR_KEYWORD for each in known.values()) else set()
    )
    return {key: value for key, value in parameters.items() if key in names}


def _matches(table: pd.DataFrame, column: str, wanted: Any, parameters: Mapping) -> pd.Series:
    if wanted == "last":
        return table[column] == table.groupby("network")[column].transform("last")
    if isinstance(wanted, str):
        wanted = wanted.format_map(parameters)
        compared = re.fullmatch(r"([<>]=?)\s*([-+.\deE]+)", wanted)
        if compared:
            return table.eval(f"`{column}` {compared[1]} {float(compared[2])!r}")
    return table[column].isin(_list(wanted))


def _list(value: Any) -> Sequence:
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
    return Claim(
        page=path.stem,
        **entry,
        evidence=_evidence(name, whole) if tested else None,
        variants={
            title: _evidence(f"{name}, {title}", {**whole, **changes}) for title, changes in variants.items()
        },
    )


def _evidence(name: str, entry: Mapping) -> Evidence:
    try:
        evidence = Evidence(**{**entry, "criterion": Criterion(**entry["criterion"])})
        _function(evidence.effects)
    except (AttributeError, ImportError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{name}: {error}") from None
    return evidence


def scales_of(tables: Mapping[str, Mapping[str, pd.DataFrame]]) -> list[str]:
    """Scales that occur in tables, in order.

    >>> scales_of({"study": {"real": pd.DataFrame(), "quick": pd.DataFrame()}})
    ['quick', 'real']
    """
    return [scale for scale in SCALES if any(scale in each for each in tables.values())]
