"""The page on random inputs: its tables say what the committed counts and findings say."""

import json
import re
from pathlib import Path

import pytest
import yaml

from contrastlib.report.pages import fuzz

ROOT = Path(__file__).parents[3]
RECORD = json.loads((ROOT / fuzz.COUNTS).read_text(encoding="utf-8"))
KINDS = ["contrasts", "explain", "command line", "profiles", "addresses"]


def test_the_totals_of_the_table_are_those_of_the_record():
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in fuzz.counts(RECORD).splitlines()[2:]
    ]
    assert [row[0] for row in rows] == [*KINDS, "**all**"]

    def number(text):
        return int(re.match(r"[\d,]+", text)[0].replace(",", ""))

    for column in (1, 2, 3):
        assert sum(number(row[column]) for row in rows[:-1]) == number(rows[-1][column])
    assert (
        number(rows[-1][3])
        == RECORD["inputs"]
        == sum(sum(kind.values()) for kind in RECORD["kinds"].values())
    )
    for kind, row in zip(KINDS, rows):
        assert number(row[1]) == RECORD["kinds"][kind]["result"] and number(row[3]) == sum(
            RECORD["kinds"][kind].values()
        )


def test_a_record_whose_numbers_do_not_add_up_is_refused():
    with pytest.raises(ValueError, match=r"names \d+ inputs, and its kinds sum to \d+"):
        fuzz.counts({**RECORD, "inputs": RECORD["inputs"] + 1})


def test_the_page_names_the_run():
    said = fuzz.conditions(RECORD)
    assert f"{RECORD['inputs']:,} inputs" in said and RECORD["provenance"]["commit"][:10] in said
    assert f"--inputs {RECORD['asked']} --seed {RECORD['seed']}`" in said


def test_every_finding_is_a_row():
    found = yaml.safe_load((ROOT / fuzz.FINDINGS).read_text(encoding="utf-8"))
    rows = fuzz.findings(found).splitlines()[2:]
    assert found and len(rows) == len(found) and all(row.count("|") == 4 for row in rows)


def test_the_page_shows_all_of_it():
    page = (ROOT / "book" / "fuzz.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\{random-inputs\} (\w+)", page)) == {"run", "counts", "findings"}
    assert all(f"| {kind} |" in page for kind in KINDS)
