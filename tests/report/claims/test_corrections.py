"""Corrections as records: what is refused, what a notebook shows, what page and letters are made of."""

import json
import re
from textwrap import indent

import nbformat
import pytest
import yaml

from contrastlib.report.claims import correction_records, corrections
from contrastlib.report.claims.verdict_tables import PAPERS
from contrastlib.report.notebooks import execution
from contrastlib.report.pages import corrections as corrections_page
from contrastlib.report.pages.claims import claims_in
from contrastlib.report.pages.claims import table as claims_table

PAPER = {"authors": "A. Author", "title": "A title", "not_read": "Its appendix.", "asks": ["Which layer?"]}
ENTRY = {
    "number": 1,
    "id": "one",
    "title": "A clamp",
    "section": "§1",
    "status": "error in an equation",
    "printed": "$$x$$",
    "corrected": "$y$",
    "derivation": "Since $x$.",
    "published_numbers": "not affected",
    "published_why": "None uses it.",
    "consequence": "None.",
    "credit": "Us.",
    "tests": ["tests/a.py::test_a"],
    "page": "05_corrections",
    "code": [{"repository": "o/r", "commit": "0481589a", "file": "u.py", "line": 7, "shows": "the clamp"}],
}


@pytest.fixture
def written(tmp_path):
    """Writes records to a folder that stands for book/corrections, and returns it."""

    def write(*entries, paper="wang2022", **general):
        text = yaml.safe_dump({**PAPER, **general, "corrections": list(entries)})
        (tmp_path / f"{paper}.yaml").write_text(text, encoding="utf-8")
        correction_records.papers.cache_clear()
        return tmp_path

    yield write
    correction_records.papers.cache_clear()


@pytest.mark.parametrize(
    "change, message",
    [
        ({"status": "wrong"}, r"correction 1: status is 'wrong', not one of error in an equation, .*holds"),
        (
            {"published_numbers": "maybe"},
            r"published_numbers is 'maybe', not one of affected, not affected, not known",
        ),
        ({"verdict": "bad"}, r"correction 1: unknown \['verdict'\]"),
        ({"credit": None}, r"correction 1: \['credit'\] missing"),
        ({"page": None}, r"name the page that measures the effect, or say in unmeasured"),
        ({"tests": []}, r"name the tests that prove it, or say in unmeasured"),
        (
            {"code": [{"repository": "o/r"}]},
            r"correction 1, code: \['commit', 'file', 'line', 'shows'\] missing",
        ),
    ],
)
def test_a_bad_record_is_named(written, change, message):
    entry = {key: value for key, value in {**ENTRY, **change}.items() if value is not None}
    with pytest.raises(ValueError, match=rf"wang2022\.yaml, .*{message}"):
        correction_records.papers(written(entry))


@pytest.mark.parametrize("name, again", [("number", {"id": "two"}), ("id", {"number": 2})])
def test_a_number_and_an_identifier_belong_to_one_record(written, name, again):
    written(ENTRY)
    with pytest.raises(ValueError, match=rf"two corrections have the {name}"):
        correction_records.corrections(written({**ENTRY, **again}, paper="gu2018"))


def test_what_a_paper_lacks_is_named(written):
    folder = written(ENTRY)
    (folder / "wang2022.yaml").write_text(
        yaml.safe_dump({"authors": "A", "corrections": [ENTRY]}), encoding="utf-8"
    )
    with pytest.raises(ValueError, match=r"wang2022\.yaml: \['asks', 'not_read', 'title'\] missing"):
        correction_records.papers(folder)


def test_records_without_an_effect_can_say_why(written):
    entry = {key: value for key, value in ENTRY.items() if key not in ("page", "tests")} | {
        "unmeasured": "A label."
    }
    assert correction_records.corrections(written(entry))[1].unmeasured == "A label."


def test_an_effect_is_shown_and_kept():
    effect = corrections.Effect(6, "0.0029 of blur")
    data, metadata = effect._repr_mimebundle_()
    assert data["text/markdown"] == "**Effect.** 0.0029 of blur" and repr(effect) == data["text/plain"]
    notebook = {"cells": [{"outputs": [{"data": data, "metadata": json.loads(json.dumps(metadata))}]}]}
    assert corrections.effects_in(notebook) == {6: ["0.0029 of blur"]}


@pytest.mark.parametrize(
    "number, text, message",
    [
        (999, "0.1", r"no correction has the number 999; there are 1 to \d+"),
        (6, " ", "effect of erratum 6 is empty"),
    ],
)
def test_an_effect_belongs_to_a_correction_and_says_something(number, text, message):
    with pytest.raises(ValueError, match=message):
        corrections.Effect(number, text)


def test_a_notebook_that_measures_nothing_is_named(tmp_path):
    (tmp_path / "05_corrections.ipynb").write_text('{"cells": []}', encoding="utf-8")
    with pytest.raises(
        ValueError, match=r"corrections have no measured effect yet, among them erratum 1 in 05_corrections"
    ):
        corrections.executed_effects(tmp_path)


def test_stored_notebooks_measure_every_correction_that_names_them():
    found = {
        path.stem: corrections.effects_in(nbformat.read(path, as_version=4)) for path in execution.find([])
    }
    named = {(each.page, number) for number, each in correction_records.corrections().items() if each.page}
    assert named <= {(page, number) for page, effects in found.items() for number in effects}
    assert all(
        any(map(str.isdigit, text))
        for effects in found.values()
        for texts in effects.values()
        for text in texts
    )


def test_a_row_has_all_of_a_record():
    for number, each in correction_records.corrections().items():
        text = corrections_page.row(each, {each.page: ["0.5 of all"]} if each.page else {}, [], "executed")
        assert f":name: erratum-{number}\n" in text
        assert (
            f":class-container: correction paper-{each.paper} status-{each.status.replace(' ', '-')}\n"
            in text
        )
        assert ("0.5 of all ([measured here](executed/" in text) == bool(each.page)
        assert all(test in text for test in each.tests) and each.credit.strip()[:40] in text
        assert all(place.address in text for place in each.code)
        assert ".ipynb#erratum" not in text and "](0" not in text  # links that only a notebook understands


def test_formulas_lists_and_code_begin_their_own_line():
    text = corrections_page.row(correction_records.corrections()[1], {}, [], "executed")
    assert "**Printed.**\n\n$$" in text and "**Code.**" not in text and "**Check it.**\n\n```bash\n" in text
    assert "**Code.**\n\n- [yipei-wang" in corrections_page.row(
        correction_records.corrections()[4], {}, [], "executed"
    )


def test_a_notebook_shows_an_entry_and_the_list_with_targets():
    assert "**Corrected.**\n\n$$" in corrections.entry(1).data and "<details>" in corrections.entry(1).data
    assert (
        "](05_corrections.ipynb#erratum-15)" in corrections.entry(15).data
        and "](#" not in corrections.entry(15).data
    )
    text = corrections.listed().data
    assert text.startswith("<details open>") and text.count("<details>") == len(
        correction_records.corrections()
    )
    for (
        number,
        each,
    ) in correction_records.corrections().items():  # a target can be seen, and so be scrolled to
        assert f'<span id="erratum-{number}"></span>\n\n<details><summary>{number}. ' in text, each.title


def test_the_summary_counts_every_record():
    rows = [
        line.strip("| ").split(" | ")
        for line in corrections_page.summary(correction_records.corrections()).splitlines()[2:]
    ]
    assert sum(int(cell) for row in rows for cell in row[1:]) == len(correction_records.corrections())
    assert {row[0] for row in rows} <= set(PAPERS.values())


@pytest.fixture(scope="module")
def claimed():
    """Records of the claims of the stored notebooks."""
    return {
        name: each
        for path in execution.find([])
        for name, each in claims_in(nbformat.read(path, as_version=4)).items()
    }


@pytest.mark.parametrize("paper", correction_records.papers())
def test_a_letter_says_that_it_was_not_sent_and_names_every_entry_and_the_command(paper, claimed):
    record = correction_records.papers()[paper]
    text = corrections_page.letter(record, claimed)
    assert "has not been sent" in text and "Replies would be printed" in text
    assert all(f"](#{each.anchor})" in text for each in record.corrections) and all(
        ask[:40] in text for ask in record.asks
    )
    for each in record.corrections:  # what was found, what it means, whether published numbers depend on it
        published = f"{each.published_numbers.capitalize()}. {each.published_why}"
        for said in (each.corrected, each.consequence, published, each.credit, each.not_read):
            assert corrections_page.linked(indent(said.strip(), "  "), "../executed").strip() in text
    of_others = [each for each in correction_records.corrections().values() if paper in each.also]
    assert all(f"](#{each.anchor}): {PAPERS[each.paper]}, " in text for each in of_others)
    block = text.partition("make install\n.venv/bin/python -m pytest ")[2].partition("```")[0]
    assert block.replace("\\", "").split() == sorted(
        {test for each in (*record.corrections, *of_others) for test in each.tests}
    )
    page = correction_records.REPOSITORY / "book" / "letters" / f"{paper}.md"
    assert f"```{{letter}} {paper}\n" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("paper", correction_records.papers())
def test_a_letter_says_what_held_before_what_did_not(paper, claimed):
    text = corrections_page.letter(correction_records.papers()[paper], claimed)
    before = text.partition("**Error in ")[0]
    tested, supported = map(
        int,
        re.search(
            r"Of the (\d+) main claims of the paper that we could test, (\d+) (?:is|are) supported", before
        ).groups(),
    )
    main = [each for each in claimed.values() if each["paper"] == paper and each["main"]]
    assert 0 < supported <= tested <= len(main)
    assert before.count("\n- ") == supported == sum(f"- {each['text']} ([page](" in before for each in main)
    assert "**First seen by.** " in text


def test_the_page_names_every_file_of_tests(claimed):
    text = corrections_page.command({"tests/b.py", "tests/a.py"})
    assert text == ".venv/bin/python -m pytest \\\n  tests/a.py \\\n  tests/b.py"
    assert "```{corrections} command\n" in (
        correction_records.REPOSITORY / "book" / "corrections.md"
    ).read_text(encoding="utf-8")


def test_a_claim_links_to_the_corrections_that_name_it():
    record = {
        "id": "maps-original-alike",
        "text": "t",
        "section": "",
        "paper": "wang2022",
        "page": "03_maps",
        "findings": {},
    }
    assert "[Activation maps](executed/03_maps.ipynb), [erratum 32](#erratum-32)" in claims_table(
        [record], "executed"
    )


def test_a_verdict_of_no_claim_is_named():
    with pytest.raises(ValueError, match=r"erratum 32: no claim has the id 'maps-original-alike'"):
        corrections_page.verdicts_of(correction_records.corrections()[32], {})


@pytest.mark.parametrize(
    "words", ["wrong on both", "refuted as stated", "accused", "turns their sign", "false in float"]
)
def test_the_tone_of_the_records(words):
    texts = [path.read_text(encoding="utf-8") for path in correction_records.FOLDER.glob("*.yaml")]
    assert texts and not any(words in text for text in texts)
