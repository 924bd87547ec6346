"""Claims as records: what is read, what is refused, and how tables become verdicts."""

import json
import re

import pandas as pd
import pytest
import yaml

from contrastlib.report import claims, claims_page, verdict_tables
from contrastlib.report.verdicts import Criterion, verdict

ENTRY = {
    "id": "toy", "paper": "ours", "section": "", "kind": "ours", "text": "Maps are small.", "measure": "size",
    "refuted": "they are large", "evidence": {
        "study": "sizes", "effects": "statistics.means", "options": {"value": "size", "by": ["network", "method"]},
        "criterion": {"intervals": "below", "bound": 1}, "select": {"layer": "last", "p_2": "> {threshold}"},
    },
}


def table(**columns):
    """Two images for each network and method, of which ``columns`` says more."""
    rows = [{"network": network, "method": method, "image": image, "group": image, "p_2": 0.2, "layer": "a", "size": 0.5}
            for network in ("birds_vgg", "birds_resnet") for method in ("m", "n") for image in (0, 1)]
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
    assert "✓ supported (4 of 4)" in shown.markdown()
    assert "they are large" in shown.markdown()
    data, metadata = shown._repr_mimebundle_()
    notebook = {"cells": [{"outputs": [{"data": data, "metadata": json.loads(json.dumps(metadata))}]}]}
    (tmp_path / "99_toy.ipynb").write_text(json.dumps(notebook))
    record = claims_page.executed_claims(tmp_path)["toy"]
    assert record["findings"]["quick"]["counted"] == "supported (4 of 4)"
    assert "| Maps are small. | ✓ supported (4 of 4) | not run |" in claims_page.table([record], "executed")
    pages = claims_page.by_page([record, record | {"page": "99_other"}], "executed")
    assert pages.count("<details") == pages.count("</details>") == 2 and ": 1 claim (quick ✓ 1; real – 1)</summary>" in pages


def test_claims_without_verdicts_are_named(tmp_path, monkeypatch):
    """A notebook that was executed before the claim was written cannot pass for one that judged it."""
    read(tmp_path, ENTRY)
    monkeypatch.setattr(claims_page, "claims", lambda: claims.claims(None, tmp_path))
    (tmp_path / "99_toy.ipynb").write_text('{"cells": []}')
    with pytest.raises(ValueError, match="toy of 99_toy: run `make book`"):
        claims_page.executed_claims(tmp_path)


def test_a_cell_without_a_value_supports_nothing_and_has_no_effect(tmp_path):
    evidence = {"study": "gaps", "effects": "statistics.each_row", "options": {"value": "gap"},
                "criterion": {"value": "more_than", "bound": 0}}
    claim = read(tmp_path, {**ENTRY, "evidence": evidence})["toy"]
    gaps = pd.DataFrame({"network": ["birds_vgg", "birds_resnet"], "gap": [0.5, float("nan")]})
    found = claims.judge(claim, {"quick": gaps})["quick"]
    assert found.counted == "mixed (1 of 2)" and found.effects == {"birds_vgg": 0.5}
    json.dumps(claims.as_records(claim, {"quick": found}), allow_nan=False)


def test_selection(tmp_path):
    """Rows are selected by value, by the last layer and by a comparison that follows a parameter; others are left out."""
    claim = read(tmp_path, ENTRY)["toy"]
    seldom = table(size=7.0, layer="b", p_2=0.15).query("image == 0").assign(image=2, group=2)
    two = pd.concat([table(size=5.0, layer="a"), table(layer="b"), seldom])
    assert claims.judge(claim, {"quick": two}, threshold=0.16)["quick"].effects == {"birds_vgg": 0.5, "birds_resnet": 0.5}
    assert claims.judge(claim, {"quick": two}, threshold=0.1)["quick"].effects["birds_vgg"] > 2
    with pytest.raises(ValueError, match="no row of sizes"):
        claims.judge(claim, {"quick": two}, threshold=0.4)
    with pytest.raises(ValueError, match="no column 'p_2'"):
        claims.judge(claim, {"quick": table().drop(columns="p_2")}, threshold=0.1)


def test_variants_and_networks(tmp_path):
    """A variant judges other rows; a verdict that hangs on one network says on which."""
    entry = {**ENTRY, "variants": {"without the ResNet": {"leave_out": {"network": "birds_resnet"}}}}
    claim = read(tmp_path, entry)["toy"]
    mixed = table()
    mixed.loc[mixed["network"] == "birds_resnet", "size"] = 2.0
    found = claims.judge(claim, {"quick": mixed}, threshold=0.1)["quick"]
    assert found.counted == "mixed (2 of 4, 2 against)"
    assert found.variants["without the ResNet"].counted == "supported (2 of 2)"
    assert found.without == {"birds_resnet": "supported", "birds_vgg": "refuted"}


def test_methods_with_the_same_map_count_once(tmp_path):
    """Of methods that give one and the same value the first counts."""
    entry = {**ENTRY, "evidence": ENTRY["evidence"] | {"count_once": "size"}}
    found = claims.judge(read(tmp_path, entry)["toy"], {"quick": table()}, threshold=0.1)["quick"]
    assert found.counted == "supported (2 of 2)"


def test_too_few_photographs(tmp_path):
    """Cells that rest on fewer photographs than asked for do not count."""
    entry = {**ENTRY, "evidence": ENTRY["evidence"] | {"fewest": 3}}
    assert claims.judge(read(tmp_path, entry)["toy"], {"quick": table()}, threshold=0.1)["quick"].word == "too few photographs"


def test_untested(tmp_path):
    """A claim that cannot be tested at a scale says why; one that is not tested at all needs no table."""
    entry = {key: value for key, value in ENTRY.items() if key != "evidence"} | {"untested": {"real": "no boxes"}}
    found = claims.judge(read(tmp_path, entry)["toy"], {})
    assert {scale: each.counted for scale, each in found.items()} == {"real": "no boxes"}


@pytest.mark.parametrize(("change", "message"), [
    ({"kind": "guessed"}, "kind is 'guessed'"),
    ({"colour": "red"}, "unknown .'colour'."),
    ({"refuted": ""}, "what would refute it"),
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


def test_verdict_needs_a_cell():
    """Nothing cannot be undecided."""
    with pytest.raises(ValueError, match="at least one cell"):
        verdict(pd.DataFrame({"low": [], "high": []}), Criterion(intervals="above"))


@pytest.mark.parametrize(("low", "high", "word"), [
    ([1, 1], [2, 2], "supported"), ([1, 1, -1], [2, 2, 1], "mostly supported"), ([1, -1], [2, 1], "undecided"),
    ([1, -2], [2, -1], "mixed"), ([1, -2, -2], [2, -1, -1], "refuted"),
])  # fmt: skip
def test_words_of_intervals(low, high, word):
    """The five words, and the same on the other side of the bound."""
    cells = pd.DataFrame({"low": low, "high": high})
    assert verdict(cells, Criterion(intervals="above"))[0] == word
    mirrored = pd.DataFrame({"low": -cells["high"], "high": -cells["low"]})
    assert verdict(mirrored, Criterion(intervals="below"))[0] == word


def test_the_population_follows_the_parameters(tmp_path, monkeypatch):
    """A record names a parameter of the notebook in braces."""
    read(tmp_path, {**ENTRY, "population": "images with $p_2 > {threshold}$"})
    monkeypatch.setattr(verdict_tables, "claims", lambda page: claims.claims(page, tmp_path))
    shown = verdict_tables.verdict_table("99_toy", {"sizes": {"quick": table()}}, threshold=0.05, resamples=10)
    assert "Population: images with $p_2 > 0.05$." in shown.markdown()
