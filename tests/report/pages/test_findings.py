"""The first page: which claims it shows, and that no number on it is typed by hand."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from contrastlib.report.claims.records import claims
from contrastlib.report.notebooks.execution import find, read
from contrastlib.report.pages import decision_table, findings
from contrastlib.report.pages.claims import claims_in

BOOK = Path(findings.REPOSITORY) / "book"
RULE, QUESTIONS = findings.questions()
BRIEF = findings.in_brief()
# names that have digits
NO_NUMBERS = {
    "Table 1", "32-bit", "float32", "CIFAR-10", "CC0", "CLRP1", "CLRP2", "Lite0", "MobileNet V2",
    "95 % interval",
}  # fmt: skip


@pytest.fixture(scope="module")
def records():
    """Records of the stored notebooks."""
    found = {}
    for path in find([]):
        found |= claims_in(read(path))
    return found


# counts that the question sets, and that no measurement could change
ASKED = (
    "two logits", "two maps side by side", "three doors", "two rival classes", "two most probable classes",
    "two species", "two objects", "two classes", "two animals", "the two maps",
)  # fmt: skip
WORDS = (
    "two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|fifty|hundred|thousand|half|halves"
    "|thirds?|quarters?|twice|thrice"
)
IN_WORDS = re.compile(rf"\b(?:{WORDS})\b", re.IGNORECASE)


def record(name, word, supporting=0, opposing=0, main=True):
    effects = {str(number): 0.0 for number in range(10)}
    kept = {"word": word, "supporting": supporting, "opposing": opposing, "effects": effects, "variants": {}}
    return {"id": name, "main": main, "findings": {"real": kept}}


def test_the_least_favourable_claim_is_shown():
    """The worst word, then the smaller share of networks for it, then the larger share against it."""
    question = findings.Question("?", dict.fromkeys(["a", "b", "c"], "judge"), "undecided", "", "")
    known = {
        "a": record("a", "supported", 9),
        "b": record("b", "undecided", 8),
        "c": record("c", "no effect that matters", 9),
    }
    assert findings.chosen(question, known)["id"] == "c"
    known |= {"a": record("a", "no effect that matters", 5), "b": record("b", "no effect that matters", 5, 1)}
    assert findings.chosen(question, known)["id"] == "b"
    with pytest.raises(ValueError, match="a: a finding is a main claim"):
        findings.chosen(question, known | {"a": record("a", "refuted", main=False)})


def test_a_verdict_without_effects_of_networks_is_no_finding():
    none = record("a", "undecided")
    none["findings"]["real"]["effects"] = {}
    with pytest.raises(ValueError, match="claim a has no verdict with effects"):
        findings.best_scale(none)
    none["findings"]["quick"] = record("a", "refuted")["findings"]["real"]
    assert findings.best_scale(none)[0] == "quick"


def test_candidates_are_all_main_claims_on_their_pages_that_are_about_the_question():
    """A page that asks one question has all of its main claims among the candidates."""
    asked = [name for question in QUESTIONS for name in question.candidates]
    assert len(QUESTIONS) == 5 and len(asked) == len(set(asked))
    main = {claim.id for claim in claims("03_maps").values() if claim.main}
    assert main <= set(asked)


def test_what_did_not_hold_is_among_the_findings(records):
    words = [findings.best_scale(findings.chosen(question, records))[1].word for question in QUESTIONS]
    assert set(words) - {"supported"} and len(words) == 5


def typed(text):
    """Numbers in a text, as digits or words, without those named in braces, in links, code or formulas."""
    text = re.sub(
        r"```(\{(figure|include)\}.*)?|:\w+: .*|\{[^{}]*\}`[^`]*`|\{\w+ [\w -]+\}|`[^`]*`|\]\([^)]*\)|^:.*",
        "",
        text,
        flags=re.MULTILINE,
    )
    for name in NO_NUMBERS:
        text = text.replace(name, "")
    for phrase in ASKED:
        text = re.sub(phrase, "", text, flags=re.IGNORECASE)
    return re.findall(r"\d[\d.,]*", text) + IN_WORDS.findall(text)


def test_numbers_are_found_as_digits_and_as_words():
    assert typed("a cosine of one half, on four photographs with two animals, 12 of them") == [
        "12",
        "half",
        "four",
    ]
    assert not typed("maps of two rival classes; one of them, the second network, and no one else")


@pytest.mark.parametrize("text", [
    *(f"{each.title} {each.text} {'. '.join(each.candidates.values())}" for each in QUESTIONS),
    *(each.text for each in BRIEF),
    *(" ".join(row.values()) for row in yaml.safe_load(decision_table.FILE.read_text())),
])  # fmt: skip
def test_no_number_is_typed(text):
    assert not typed(text), text


def test_numbers_of_the_first_page_come_from_directives():
    page = (BOOK / "index.md").read_text()
    assert not typed(page)
    assert "```{findings}" in page and "```{decision-table}" in page


def test_every_number_comes_from_a_record(records):
    """What the directives insert is the effect of a network in a record, and links to its page."""
    for question in QUESTIONS:
        text = findings.shown_finding(1, question, records)
        assert f"Judge: {question.candidates[findings.chosen(question, records)['id']]}. " in text
        assert re.search(r"[\d,]+ images a network on average \(", text)
        assert "{range" not in text and f"executed/{findings.chosen(question, records)['page']}.ipynb" in text
    table = decision_table.decision_table(yaml.safe_load(decision_table.FILE.read_text()), records)
    without_shares = (replace(each, text=re.sub(r"\{share .*?\}", "", each.text)) for each in BRIEF)
    table += "".join(findings.shown_in_brief(sentence, records) for sentence in without_shares)
    for said, page in re.findall(r"\[([-+\d.%]+)(?: to [-+\d.%]+)?\]\(executed/(\w+)\.ipynb\)", table):
        own = [each for each in records.values() if each["page"] == page and each.get("format")]
        effects = {
            said
            for each in own
            for found in each["findings"].values()
            for value in found["effects"].values()
            for said in (f"{value:{each['format']}}", f"{abs(value):{each['format'].replace('+', '')}}")
        }
        assert said in effects
    assert table.count("executed/") >= 10


def test_each_layer_of_the_decision_table_links_to_what_backs_it(records):
    for row in yaml.safe_load(decision_table.FILE.read_text()):
        assert "](executed/" in findings.filled(row["layer"], records), row["want"]


def test_a_share_is_of_the_same_network():
    one = {
        "id": "a",
        "page": "03_maps",
        "format": "+.2f",
        "findings": {"real": {"word": "undecided", "effects": {"x": 1.0, "y": 3.0}, "variants": {}}},
    }
    whole = one | {
        "id": "b",
        "findings": {"real": {"word": "undecided", "effects": {"y": 4.0, "x": 10.0}, "variants": {}}},
    }
    assert findings.filled("{share a b}", {"a": one, "b": whole}) == "[10% to 75%](executed/03_maps.ipynb)"
    with pytest.raises(ValueError, match="a number is a range"):
        findings.filled("{mean a}", {"a": one})


@pytest.mark.parametrize("whole, message", [
    ({"x": 2.0}, r"\{share a b\}: the effect of y on claim b is missing"),
    ({"x": 0.0, "y": 2.0}, r"\{share a b\}: the effect of x on claim b is 0"),
])  # fmt: skip
def test_a_share_that_cannot_be_named(whole, message):
    def claim(effects):
        return {
            "id": "a",
            "page": "03_maps",
            "format": "+.2f",
            "findings": {"real": {"word": "undecided", "effects": effects, "variants": {}}},
        }

    with pytest.raises(ValueError, match=message):
        findings.filled("{share a b}", {"a": claim({"x": 1.0, "y": 3.0}), "b": claim(whole)})


def test_a_bound_is_that_of_the_criterion(records):
    assert findings.filled("{bound maps-original-alike}", records) == "[+0.50](executed/03_maps.ipynb)"


def test_a_size_has_no_sign():
    """It is named for effects of one sign only."""
    found = {"word": "undecided", "effects": {"x": -0.25, "y": -0.5}, "variants": {}}
    one = {"id": "a", "page": "03_maps", "format": "+.2f", "findings": {"real": found}}
    assert findings.filled("{size a}", {"a": one}) == "[0.25 to 0.50](executed/03_maps.ipynb)"
    found["effects"]["y"] = 0.5
    with pytest.raises(ValueError, match=r"\{size a\}: the effects have both signs"):
        findings.filled("{size a}", {"a": one})


def test_a_sentence_of_the_summary_does_not_outlive_its_verdicts(records):
    assert all(sentence.verdicts for sentence in BRIEF) and "```{in-brief}" in (BOOK / "index.md").read_text()
    name, word = next(iter(BRIEF[0].verdicts.items()))
    with pytest.raises(
        ValueError, match=rf"the verdict on {name} is '{word}', and this text was written for"
    ):
        findings.shown_in_brief(replace(BRIEF[0], verdicts={name: "refuted"}), records)


def test_a_title_does_not_outlive_its_verdict(records):
    question = replace(QUESTIONS[0], verdict="supported")
    word = findings.best_scale(findings.chosen(question, records))[1].word
    with pytest.raises(
        ValueError, match=rf"the verdict on maps-\S+ is '{word}', and this text was written for 'supported'"
    ):
        findings.shown_finding(1, question, records)
