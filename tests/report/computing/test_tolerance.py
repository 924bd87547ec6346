"""Tables of other batches and numbers of threads agree to the tolerance, and no verdict depends on it."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from shard_work import STUDIES

from contrastlib.report import studies
from contrastlib.report.claims.records import claims
from contrastlib.report.claims.verdict_tables import verdict_table
from contrastlib.report.computing import batches, shards
from contrastlib.report.results.storage import REPOSITORY

PAGES = {"02_input_space": {}, "04_masking": {"threshold": 0.1}, "14_interventions": {}}
SETTINGS = 50
"""Columns with at most so many values are settings, which no rounding changes."""


def table(name, cache, batch):
    """The table of a small study, in an order that does not depend on the batches."""
    study = replace(studies.STUDIES[name], batch=batch)
    made = studies.run(study, {"birds_alexnet": ["birds", 12]}, cache=cache, **STUDIES[name])
    settings = list(made.select_dtypes(exclude=["float", "bool"]))
    return made.sort_values(settings, kind="stable", ignore_index=True)


@pytest.mark.slow
@pytest.mark.parametrize("name", STUDIES)
def test_tables_of_halved_batches_and_of_more_threads_agree_to_the_tolerance(tmp_path, one_thread, name):
    """Section 5.1, Table 1 and interventions, with the batches that are left after memory ran out twice."""
    whole = table(name, tmp_path / "whole", 8)
    for batch in (4, 2):
        pd.testing.assert_frame_equal(
            table(name, tmp_path / str(batch), batch), whole, check_exact=False, **shards.TOLERANCE
        )
    torch.set_num_threads(2)
    pd.testing.assert_frame_equal(
        table(name, tmp_path / "threads", 8), whole, check_exact=False, **shards.TOLERANCE
    )


def moved(table, seed):
    """The table with each measured number moved by the tolerance, up or down."""
    signs = np.random.default_rng(seed)
    changed = {}
    for name, column in table.select_dtypes("float").items():
        if column.nunique() > SETTINGS:
            most = shards.TOLERANCE["atol"] + shards.TOLERANCE["rtol"] * column.abs()
            changed[name] = column + most * signs.choice([-1, 1], size=len(column))
    assert changed
    return table.assign(**changed)


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_no_verdict_depends_on_the_tolerance(page):
    names = {claim.evidence.study for claim in claims(page).values() if claim.evidence}
    kept = {name: studies.recorded(studies.STUDIES[name]) for name in names}
    words = repr(
        verdict_table(
            page, {name: {"real": each} for name, each in kept.items()}, **PAGES[page], resamples=1000
        )
    )
    assert "real supported" in words
    for seed in (0, 1):
        tables = {name: {"real": moved(each, seed)} for name, each in kept.items()}
        assert repr(verdict_table(page, tables, **PAGES[page], resamples=1000)) == words


def test_the_page_on_reruns_names_the_studies_whose_batches_are_never_halved():
    said = re.search(r"In five studies .*", (REPOSITORY / "book/rerun.md").read_text(encoding="utf-8"))[0]
    whole = {name for name, study in studies.STUDIES.items() if study.whole_batches}
    assert set(re.findall(r"`(\w+)`", said)) == whole and len(whole) == 5


def test_rows_of_a_mosaic_depend_on_the_batch(tmp_path):
    whole, halves = (
        studies.run(
            replace(studies.mosaic_pointing, batch=batch),
            {"birds_alexnet": ["birds", 8]},
            cache=tmp_path / str(batch),
        )
        for batch in (8, 4)
    )
    assert len(whole) != len(halves) or not np.allclose(
        whole.select_dtypes("float"), halves.select_dtypes("float")
    )


def test_batches_lie_inside_of_shards():
    """So that the size of shards changes no batch, but for three studies that the page on reruns names."""
    dividing = {name for name, study in studies.STUDIES.items() if batches.SHARD % study.batch == 0}
    assert set(studies.STUDIES) - dividing == {"pointing", "relevance_received", "two_objects"}
