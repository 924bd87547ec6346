"""Variants of a claim that leave out networks."""

import pandas as pd
import pytest

from contrastlib.report.claims.judging import judge
from contrastlib.report.claims.records import Claim, Evidence
from contrastlib.report.claims.verdicts import Criterion

MAIN = {
    "study": "s",
    "effects": "conservation.medians",
    "criterion": Criterion(value="more_than", bound=0.5),
    "options": {"value": "v"},
}


@pytest.mark.parametrize("networks, variants", [(["lossy", "whole"], {"without lossy"}), (["whole"], set())])
def test_a_variant_without_a_network_is_given_where_the_network_is(networks, variants):
    claim = Claim(
        "a",
        "p",
        "ours",
        "",
        "…",
        "ours",
        evidence=Evidence(**MAIN),
        variants={"without lossy": Evidence(**MAIN, leave_out={"network": ["lossy"]})},
    )
    found = judge(
        claim,
        {"quick": pd.DataFrame({"network": networks, "v": [float(name == "whole") for name in networks]})},
    )["quick"]
    assert set(found.variants) == variants
    assert all(variant.word == "supported" for variant in found.variants.values())
    assert found.word == ("differs between networks" if "lossy" in networks else "supported")


def test_nothing_is_judged_where_all_networks_are_left_out():
    claim = Claim(
        "a", "p", "ours", "", "…", "ours", evidence=Evidence(**MAIN, leave_out={"network": ["lossy"]})
    )
    table = pd.DataFrame({"network": ["lossy"], "v": [1.0]})
    assert judge(claim, {"quick": table})["quick"].word == "no cell to judge"
    with pytest.raises(ValueError, match="no row of s has"):
        missing = Evidence(**MAIN, select={"network": "another"})
        judge(Claim("a", "p", "ours", "", "…", "ours", evidence=missing), {"quick": table})


def test_a_variant_that_leaves_out_everything_is_not_given():
    claim = Claim(
        "a",
        "p",
        "ours",
        "",
        "…",
        "ours",
        evidence=Evidence(**MAIN),
        variants={"others alone": Evidence(**MAIN, leave_out={"network": ["lossy"]})},
    )
    assert judge(claim, {"quick": pd.DataFrame({"network": ["lossy"], "v": [1.0]})})["quick"].variants == {}
