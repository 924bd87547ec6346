"""Claims as records: what is read, what is refused, and how tables become verdicts."""

import json
import re

import numpy as np
import pandas as pd
import pytest
import yaml

from contrastlib.report.claims import judging, multiplicity, verdict_tables
from contrastlib.report.claims import records as claims
from contrastlib.report.claims.estimates import family_of
from contrastlib.report.pages import claims as claims_page

ENTRY = {
    "id": "toy",
    "paper": "ours",
    "section": "",
    "kind": "ours",
    "text": "Maps are small.",
    "measure": "size",
    "refuted": "they are large",
    "smallest_effect": "the bound",
    "evidence": {
        "study": "sizes",
        "effects": "statistics.means",
        "options": {"value": "size", "by": ["network", "method"]},
        "criterion": {"intervals": "below", "bound": 1},
        "select": {"layer": "last", "p_2": "> {threshold}"},
    },
}


def table(**columns):
    """Two images for each network and method, of which ``columns`` says more."""
    rows = [
        {
            "network": network,
            "method": method,
            "image": image,
            "group": image,
            "p_2": 0.2,
            "layer": "a",
            "size": 0.5,
        }
        for network in ("birds_vgg", "birds_resnet")
        for method in ("m", "n")
        for image in (0, 1)
    ]
    return pd.DataFrame(rows).assign(**columns)


def read(tmp_path, *entries, **shared):
    (tmp_path / "99_toy.yaml").write_text(yaml.safe_dump({"shared": shared, "claims": list(entries)}))
    return claims.claims("99_toy", tmp_path)


def test_one_file_adds_a_claim(tmp_path, monkeypatch):
    """A record alone brings a claim into the notebook's verdicts, the claims page and claims.json."""
    read(tmp_path, ENTRY)
    monkeypatch.setattr(verdict_tables, "claims", lambda page: claims.claims(page, tmp_path))
    monkeypatch.setattr(claims_page, "claims", lambda: claims.claims(None, tmp_path))
    shown = verdict_tables.verdict_table("99_toy", {"sizes": {"quick": table()}}, threshold=0.1, resamples=10)
    assert repr(shown) == "toy: quick supported"
    assert "✓ supported (2 of 2 networks for it)" in shown.markdown()
    assert "measured is the size. The claim is that the effect is less than 1." in shown.markdown()
    assert "- small VGG, small ResNet: trained by this project" in shown.markdown()
    data, metadata = shown._repr_mimebundle_()
    notebook = {"cells": [{"outputs": [{"data": data, "metadata": json.loads(json.dumps(metadata))}]}]}
    (tmp_path / "99_toy.ipynb").write_text(json.dumps(notebook))
    record = claims_page.executed_claims(tmp_path)["toy"]
    assert record["findings"]["quick"]["said"] == "supported (2 of 2 networks for it)"
    assert "| Maps are small. | ✓ supported (2 of 2 networks for it) | not run |" in claims_page.table(
        [record], "executed"
    )
    pages = claims_page.by_page([record, record | {"page": "99_other"}], "executed")
    assert (
        pages.count("<details") == pages.count("</details>") == 2
        and ": 1 claim (quick ✓ 1; real – 1)</summary>" in pages
    )


def test_claims_without_verdicts_are_named(tmp_path, monkeypatch):
    """A notebook that was executed before the claim was written cannot pass for one that judged it."""
    read(tmp_path, ENTRY)
    monkeypatch.setattr(claims_page, "claims", lambda: claims.claims(None, tmp_path))
    (tmp_path / "99_toy.ipynb").write_text('{"cells": []}')
    with pytest.raises(ValueError, match="toy of 99_toy: run `make book`"):
        claims_page.executed_claims(tmp_path)


def test_a_network_without_a_value_supports_nothing_and_has_no_effect(tmp_path):
    evidence = {
        "study": "gaps",
        "effects": "statistics.each_row",
        "options": {"value": "gap"},
        "criterion": {"value": "more_than", "bound": 0},
    }
    claim = read(tmp_path, {**ENTRY, "evidence": evidence})["toy"]
    gaps = pd.DataFrame({"network": ["birds_vgg", "birds_resnet"], "gap": [0.5, float("nan")]})
    found = judging.judge(claim, {"quick": gaps})["quick"]
    assert found.said == "differs between networks (1 of 2 networks for it, 1 against)" and found.effects == {
        "birds_vgg": 0.5
    }
    json.dumps(judging.as_records(claim, {"quick": found}), allow_nan=False)


def test_selection(tmp_path):
    """Rows are selected by value, by the last layer, and by a comparison that follows a parameter."""
    claim = read(tmp_path, ENTRY)["toy"]
    seldom = table(size=7.0, layer="b", p_2=0.15).query("image == 0").assign(image=2, group=2)
    two = pd.concat([table(size=5.0, layer="a"), table(layer="b"), seldom])
    assert judging.judge(claim, {"quick": two}, threshold=0.16)["quick"].effects == {
        "birds_vgg": 0.5,
        "birds_resnet": 0.5,
    }
    assert judging.judge(claim, {"quick": two}, threshold=0.1)["quick"].effects["birds_vgg"] > 2
    with pytest.raises(ValueError, match="no row of sizes"):
        judging.judge(claim, {"quick": two}, threshold=0.4)
    with pytest.raises(ValueError, match="no column 'p_2'"):
        judging.judge(claim, {"quick": table().drop(columns="p_2")}, threshold=0.1)


def test_variants_and_networks(tmp_path):
    """A variant judges other rows; a verdict that hangs on one network says on which."""
    entry = {**ENTRY, "variants": {"without the ResNet": {"leave_out": {"network": "birds_resnet"}}}}
    claim = read(tmp_path, entry)["toy"]
    mixed = table()
    mixed.loc[mixed["network"] == "birds_resnet", "size"] = 2.0
    found = judging.judge(claim, {"quick": mixed}, threshold=0.1)["quick"]
    assert found.said == "differs between networks (1 of 2 networks for it, 1 against)"
    assert found.before == "mixed (2 of 4, 2 against)"
    assert found.variants["without the ResNet"].said == "supported"
    assert found.without == {"birds_resnet": "supported", "birds_vgg": "refuted"}


def test_methods_with_the_same_map_count_once(tmp_path):
    """Of methods that give one and the same value the first counts."""
    entry = {**ENTRY, "evidence": ENTRY["evidence"] | {"count_once": "size"}}
    found = judging.judge(read(tmp_path, entry)["toy"], {"quick": table()}, threshold=0.1)["quick"]
    assert found.before == "supported (2 of 2)"


def test_too_few_photographs(tmp_path):
    """Cells that rest on fewer photographs than asked for do not count."""
    entry = {**ENTRY, "evidence": ENTRY["evidence"] | {"fewest": 3}}
    assert (
        judging.judge(read(tmp_path, entry)["toy"], {"quick": table()}, threshold=0.1)["quick"].word
        == "too few photographs"
    )


def test_untested(tmp_path):
    """A claim that cannot be tested at a scale says why; one that is not tested at all needs no table."""
    entry = {key: value for key, value in ENTRY.items() if key != "evidence"} | {
        "untested": {"real": "no boxes"}
    }
    found = judging.judge(read(tmp_path, entry)["toy"], {})
    assert {scale: each.said for scale, each in found.items()} == {"real": "no boxes"}


@pytest.mark.parametrize(("change", "message"), [
    ({"kind": "guessed"}, "kind is 'guessed'"),
    ({"colour": "red"}, "unknown .'colour'."),
    ({"refuted": ""}, "what would refute it"),
    ({"smallest_effect": "none set"}, "a number with its unit, such as '0.05 of the cosine'"),
    ({"smallest_effect": "0.05"}, "a number with its unit"),
    ({"smallest_effect": "0.05 of the size"},
     "measured from 0, but the bound is 1; write smallest_effect: the bound"),
    ({"evidence": None}, "why it was not tested"),
    ({"evidence": ENTRY["evidence"] | {"effects": "statistics.medians"}}, "medians"),
    ({"evidence": ENTRY["evidence"] | {"criterion": {"value": "near"}}}, "values are at_least"),
    ({"evidence": ENTRY["evidence"] | {"criterion": {}}}, "one of intervals"),
])  # fmt: skip
def test_incomplete_records_are_refused(tmp_path, change, message):
    """The message names the file and the claim."""
    with pytest.raises(ValueError, match=rf"99_toy.yaml, claim 'toy'.*{message}"):
        read(tmp_path, {**ENTRY, **change})


def test_records_of_the_report():
    """Every claim of the report can be read, belongs to a notebook, and says what would refute it."""
    every = claims.claims()
    assert len(every) >= 8
    for claim in every.values():
        assert (claims.REPOSITORY / "notebooks" / f"{claim.page}.ipynb").exists()
        assert claim.paper in verdict_tables.PAPERS
        assert re.fullmatch(r"[a-z0-9-]+", claim.id)
        assert claim.evidence or claim.untested


def test_one_measure_has_one_smallest_effect():
    """It is chosen by the measure: claims with the same unit have the same number."""
    sizes = {}
    for claim in claims.claims().values():
        if claim.evidence and claim.smallest is not None:
            number, _, unit = claim.smallest_effect.partition(" ")
            assert sizes.setdefault(unit, number) == number, claim.id
    assert len(sizes) > 5


def differences(shift, networks=("birds_vgg", "birds_resnet", "birds_alexnet"), images=40):
    """A table of differences of about ``shift``, equal in the networks but for noise."""
    rng = np.random.default_rng(0)
    rows = [
        {
            "network": network,
            "method": "m",
            "image": image,
            "group": image,
            "size": shift + rng.normal(scale=0.1),
        }
        for network in networks
        for image in range(images)
    ]
    return pd.DataFrame(rows)


DIFFERENCE = ENTRY | {
    "smallest_effect": "0.2 of the size",
    "evidence": {
        "study": "sizes",
        "effects": "statistics.means",
        "options": {"value": "size", "by": ["network"]},
        "criterion": {"intervals": "above"},
    },
}


@pytest.mark.parametrize(
    "shift, word", [(1.0, "supported"), (0.0, "no effect that matters"), (-1.0, "refuted")]
)
def test_data_with_a_known_effect(tmp_path, shift, word):
    found = judging.judge(read(tmp_path, DIFFERENCE)["toy"], {"quick": differences(shift)}, resamples=500)[
        "quick"
    ]
    assert found.word == word == found.general and found.families == 3 and found.p < 0.05
    low, high = found.overall[1:]
    assert low < shift < high and all(
        ends[0] < found.effects[name] < ends[1] for name, ends in found.intervals.items()
    )


def test_networks_of_a_family_and_seeds_are_one(tmp_path):
    """Four ResNets of CIFAR-10, and the seeds of one network, speak for one family."""
    names = [f"cifar10_resnet{depth}" for depth in (20, 32, 44, 56)]
    assert {family_of(name) for name in names} == {"ResNet"} and family_of("birds_vgg-seed1") == family_of(
        "birds_vgg"
    )
    claim = read(tmp_path, DIFFERENCE)["toy"]
    one = judging.judge(claim, {"quick": differences(1.0, names)}, resamples=500)["quick"]
    assert one.families == 1 and one.said == "supported (4 of 4 networks for it)"
    assert one.general == "" and one.generalisation == "one family of networks"


def test_what_is_said_of_other_networks_is_corrected_on_its_own(tmp_path):
    records = list(read(tmp_path, *({**ENTRY, "id": f"toy-{i}"} for i in range(3))).values())
    each = judging.Finding("supported", {"a": 1.0}, families=3, general="supported", general_p=0.02, p=0.001)
    page = multiplicity.corrected({record: {"real": each} for record in records})
    found = page[records[0]]["real"]
    assert (found.word, found.adjusted, found.uncorrected) == ("supported", 0.003, "")
    assert (found.general, found.general_p) == ("undecided", pytest.approx(0.06))
    assert judging.as_records(records[0], {"real": found})["findings"]["real"]["generalisation"] == (
        "over 3 families of networks: undecided, too few families"
    )


def test_the_number_of_claims_is_corrected_for(tmp_path):
    """What one claim in a page of its own supports is undecided beside nine that are about noise."""
    each = judging.Finding("supported", {"a": 1.0}, p=0.01)
    noise = judging.Finding("undecided", {"a": 0.0}, p=1.0)
    records = list(read(tmp_path, *({**ENTRY, "id": f"toy-{i}"} for i in range(10))).values())
    alone = multiplicity.corrected({records[0]: {"quick": each}})[records[0]]["quick"]
    assert (alone.word, alone.adjusted, alone.uncorrected) == ("supported", 0.01, "")
    page = multiplicity.corrected(
        {record: {"quick": noise if i else each} for i, record in enumerate(records)}
    )
    found = page[records[0]]["quick"]
    assert (found.word, found.uncorrected) == ("undecided", "supported") and found.adjusted == pytest.approx(
        0.1
    )
    exact = multiplicity.corrected(
        {records[0]: {"quick": each}, records[1]: {"quick": judging.Finding("supported")}}
    )
    assert exact[records[0]]["quick"].adjusted == 0.01  # a bound that decides is no test


def test_verdicts_by_the_rule_used_before_are_beside_the_present_ones(tmp_path, monkeypatch):
    claim = read(tmp_path, DIFFERENCE)["toy"]
    found = judging.judge(claim, {"quick": differences(0.05)}, resamples=500)
    record = judging.as_records(claim, found)
    said = (
        "| supported (3 of 3) | = no effect that matters (0 of 3 networks for it, 3 too small to matter), "
        "over 3 families of networks: no effect that matters, +0.0"
    )
    assert said in claims_page.compared([record], "executed")
    assert len(claims_page.compared([], "executed").splitlines()) == 2


def test_the_population_follows_the_parameters(tmp_path, monkeypatch):
    """A record names a parameter of the notebook in braces."""
    read(tmp_path, {**ENTRY, "population": "images with $p_2 > {threshold}$"})
    monkeypatch.setattr(verdict_tables, "claims", lambda page: claims.claims(page, tmp_path))
    shown = verdict_tables.verdict_table(
        "99_toy", {"sizes": {"quick": table()}}, threshold=0.05, resamples=10
    )
    assert "Population: images with $p_2 > 0.05$." in shown.markdown()
