"""Execution of studies on networks and image sets.

:func:`run` returns a table with a row for each image and setting, and its provenance in
``table.attrs["provenance"]``. The columns ``image`` (index in the set), ``group`` (photograph, the unit of
resampling) and ``label`` identify the rows.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import pandas as pd

from contrastlib.assets.registry import datasets
from contrastlib.report.computing import batches
from contrastlib.report.computing.shards import sharded
from contrastlib.report.results.kept import path_of, reusable
from contrastlib.report.results.provenance import summary
from contrastlib.report.results.storage import RESULTS, joined, load, save
from contrastlib.report.studies.records import Study


def run(
    study: Study,
    networks: Mapping[str, Sequence],
    profile: str = "quick",
    force: bool = False,
    cache: Path | None = None,
    **options: Any,
) -> pd.DataFrame:
    """Run a study for several networks.

    Args:
        study: A study of :mod:`contrastlib.report.studies.records`.
        networks: Network -> [dataset, count] or [dataset, count, options of this network]. The count is the
            number of images that represent the set (:meth:`contrastlib.datasets.base.ImageSet.sample`), or
            None for all.
        profile: Results of any profile but "quick" are kept in data/results/<profile>, in a file for each
            network. A kept result is used, with a message, if study, version, parameters, data and libraries
            are the same (:func:`contrastlib.report.results.kept.reusable`).
        force: Compute kept results again.
        cache: Folder of the shards, see :func:`contrastlib.report.computing.shards.sharded`.
        **options: Options of the evaluation for all networks that differ from its defaults, and ``loading``
            for options of the set (:func:`contrastlib.report.computing.batches.load_dataset`).

    Returns:
        The table, with the columns network and dataset.

    Raises:
        DataError: Data or weights are missing or damaged. Results of finished networks are kept.
    """
    tables = []
    defaults = {name: each.default for name, each in inspect.signature(study.evaluation).parameters.items()}
    options = {key: value for key, value in options.items() if key not in defaults or defaults[key] != value}
    for network, (dataset, count, *changes) in networks.items():
        chosen = {**study.options, **options, **(changes[0] if changes else {})}
        variants = _variants(study, dataset)
        shards = {
            choice: batches.shards(
                study.evaluation, network, dataset, count, {**chosen, **variant}, study.batch
            )
            for choice, variant in variants.items()
        }
        data = batches.checksums(study.evaluation, network, dataset, chosen)
        registry = batches.registered(network, dataset, *batches.other_networks(chosen))
        path = path_of(study.name, network, RESULTS / profile)
        keep = profile != "quick"
        table = (
            reusable(
                path,
                study.version,
                chain(*shards.values()),
                data,
                registry,
                variants if study.choices else None,
                study.whole_batches,
            )
            if keep and not force
            else None
        )
        if table is not None:
            print(f"{study.name} of {network}: the kept {profile} result fits and is not computed again")
        else:
            table = _compute(study, shards, data, registry, cache, f"{network} on {dataset}")
            table = table.assign(network=network, dataset=dataset)
            if study.choices:
                table.attrs["provenance"]["choices"] = {key: dict(each) for key, each in variants.items()}
            if keep:
                save(table, path)
        tables.append(table)
    return _joined(tables)


def _variants(study: Study, dataset: str) -> dict[str | None, dict[str, Any]]:
    """Choice -> options, for a study with choices those of the study and the other resizings of the set."""
    if not study.choices:
        return {None: {}}
    record = datasets().get(dataset)
    resizings = record.other_resizings if record else {}
    return study.choices | {choice: {"loading": loading} for choice, loading in resizings.items()}


def recorded_scale(profile: str) -> str:
    """Profile whose results are kept: quick keeps none, and its pages show those of real beside its own.

    >>> recorded_scale("quick"), recorded_scale("paper")
    ('real', 'paper')
    """
    return "real" if profile == "quick" else profile


def recorded_tables(
    tables: Mapping[str, Mapping[str, pd.DataFrame]], profile: str
) -> dict[str, pd.DataFrame]:
    """Of several results, the tables whose scale is kept, see :func:`recorded_scale`.

    Args:
        tables: Name -> scale -> table, as of :func:`measure`.
        profile: Name of the profile.

    Returns:
        Name -> table. A result without that scale is left out.

    >>> recorded_tables({"masking": {"quick": 1, "real": 2}, "parts": {"quick": 3}}, "quick")
    {'masking': 2}
    """
    scale = recorded_scale(profile)
    return {name: table[scale] for name, table in tables.items() if scale in table}


def recorded(study: Study, profile: str = "real") -> pd.DataFrame:
    """Kept results of a study for all networks, with the summary of their provenances in ``attrs``.

    Args:
        study: A study of :mod:`contrastlib.report.studies.records`.
        profile: Name of the profile.

    Returns:
        The table, with the columns network and dataset.

    Raises:
        FileNotFoundError: No result is kept. The message has the command that creates it.
        DamagedResult: A result is damaged. The message names its file.
    """
    folder = RESULTS / profile
    sys.audit("contrastlib.file", folder)  # which may not exist, see contrastlib.report.notebooks.staleness
    paths = sorted(folder.glob(path_of(study.name, "*", folder).name))
    if not paths:
        raise FileNotFoundError(f"no {profile} results of {study.name} in {folder}: run `make {profile}`")
    return _joined([load(path) for path in paths])


def measure(
    study: Study,
    networks: Mapping[str, Sequence],
    profile: str = "quick",
    beside: bool = True,
    **options: Any,
) -> dict[str, pd.DataFrame]:
    """Run a study at the scale of a profile.

    For the quick profile, the recorded results of the real scale are added.

    Args:
        study: As in :func:`run`.
        networks: As in :func:`run`. Without networks, nothing is run.
        profile: As in :func:`run`.
        beside: Whether recorded results are added. False for a study without recorded results.
        **options: As in :func:`run`.

    Returns:
        Scale -> table.
    """
    tables = {profile: run(study, networks, profile, **options)} if networks else {}
    return tables | ({"real": recorded(study)} if beside and profile == "quick" else {})


def measure_or_recall(
    study: Study, networks: Mapping[str, Sequence], profile: str = "quick", **options: Any
) -> dict[str, pd.DataFrame]:
    """:func:`measure`, with recorded results only if there are any; without both, no table.

    Args:
        study: As in :func:`measure`.
        networks: As in :func:`measure`.
        profile: As in :func:`measure`.
        **options: As in :func:`measure`.

    Returns:
        Scale -> table.
    """
    folder = RESULTS / "real"
    sys.audit("contrastlib.file", folder)
    found = any(folder.glob(path_of(study.name, "*", folder).name))
    return measure(study, networks, profile, beside=found, **options)


def _compute(
    study: Study,
    shards: Mapping[str | None, list[dict]],
    data: Mapping[str, str],
    registry: str,
    cache: Path | None,
    title: str,
) -> pd.DataFrame:
    work = partial(batches.evaluate, study.evaluation)
    tables = {
        choice: sharded(
            study.name, study.version, work, each, data, cache, title, registry, not study.whole_batches
        )
        for choice, each in shards.items()
    }
    if not study.choices:
        return tables[None]
    return _joined([table.assign(choice=choice) for choice, table in tables.items()])


def _joined(tables: list[pd.DataFrame]) -> pd.DataFrame:
    records = [table.attrs["provenance"] for table in tables]
    together = joined([_bare(table) for table in tables])
    together.attrs["provenance"] = summary(records)
    return together


def _bare(table: pd.DataFrame) -> pd.DataFrame:
    table = table.copy(deep=False)
    table.attrs = {}  # pandas compares attrs when it concatenates
    return table
