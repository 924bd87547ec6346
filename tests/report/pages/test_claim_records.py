"""Claims as they are released."""

import json

from contrastlib.report.claims.populations import is_drawn
from contrastlib.report.pages.claim_records import FIELD, networks


def test_each_claim_has_a_verdict_or_a_reason(records):
    assert json.loads(json.dumps(records, allow_nan=False))
    for record in records:
        if record["verdict"] is None:
            assert all(found["word"] for found in record["findings"].values()) and record["effect"] is None
        else:
            assert record["population"] and record["verdict"] == record["findings"][record["scale"]]["word"]


def test_photographs_come_before_drawn_birds(records):
    assert {record["scale"] for record in records} >= {"real", "quick"}
    both = [each for each in records if each["scale"] == "real" and each["findings"]["quick"]["effects"]]
    assert all(
        each["effect"] == each["findings"]["real"][FIELD][0] for each in both if each["effect"] is not None
    )


def test_toys_are_judged_on_drawn_birds_only(records):
    toys = {record["id"]: record for record in records if record["toy"]}
    assert "interventions-original-asks-for-the-logit" in toys and "masking-positive-by-sign" not in toys
    for record in records:
        assert record["toy"] == (bool(networks(record)) and all(map(is_drawn, networks(record))))


def test_an_interval_has_two_ends(records):
    ends = [record["interval"] for record in records if record["interval"]]
    assert ends and all(len(each) == 2 and each[0] <= each[1] for each in ends)
