"""The box of verdicts at the top of a page."""

import json
import re

import pytest

from contrastlib.report.claims.records import claims
from contrastlib.report.claims.verdicts import WORDS
from contrastlib.report.notebooks import execution
from contrastlib.report.pages import parts as page_parts
from contrastlib.report.pages import verdict_box
from contrastlib.report.pages.claims import claims_in

PAGES = [path for path in execution.find([]) if claims_in(execution.read(path))]
every_page = pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
VERDICT = re.compile(rf"[{''.join(each.sign for each in WORDS.values())}] ({'|'.join(WORDS)})\b")


def records(path):
    found = claims_in(execution.read(path))
    return [found[name] for name in claims(path.stem) if name in found]


@every_page
def test_box(path):
    """Each claim is there once, main ones before the fold, with verdicts, and a flag if it was set late."""
    every = records(path)
    text = verdict_box.box(every)
    above, below = text.split("::::{dropdown}")
    for number, record in enumerate(every, 1):
        line = f"\n**{number}.** {record['text']} "
        assert text.count(line) == 1 and (line in above) == (
            record["main"] or not any(each["main"] for each in every)
        )
        late = line in above and verdict_box.LATE in above.split(line)[1].split("\n\n")[0]
        assert line in below or late == (record["set_before"] is not True)
    badges = re.findall(r"\[(.) ([a-z ]+)\]\{\.verdict-badge \.(holds|open|partly|fails)\}", text)
    assert len(badges) == sum(
        found["word"] in WORDS for record in every for found in record["findings"].values()
    )
    assert all((WORDS[word].sign, WORDS[word].colour) == (sign, colour) for sign, word, colour in badges)
    assert below.count("<svg") == sum(
        bool(found["effects"]) for record in every for found in record["findings"].values()
    )


@every_page
def test_verdicts_are_in_the_box_only(path):
    """The page of the book has the box below its title, and no verdict in any other cell."""
    cells = json.loads(path.read_text())["cells"]
    shown = page_parts.verdicts_on_top(cells, path.stem)
    assert "".join(shown[0]["source"]).count("\n") <= 2 and shown[1]["source"].startswith("```{verdict-box}")
    headings = [
        line
        for cell in shown
        if cell["cell_type"] == "markdown"
        for line in "".join(cell["source"]).splitlines()
        if line.startswith("## ")
    ]
    assert headings[0] == page_parts.TESTED and page_parts.LIMITS in headings  # what the box links to
    rest = json.dumps([cell.get("outputs", []) for cell in shown], ensure_ascii=False)
    assert not VERDICT.search(re.sub(r'"contrastlib_claims".*', "", rest))


def test_a_verdict_without_effects():
    record = {
        "paper": "ours",
        "section": "",
        "text": "Maps are small.",
        "set_before": True,
        "population": "",
        "format": "+.1f",
        "findings": {"real": {"word": "undecided", "effects": {}, "variants": {}}},
    }
    assert (
        "[? undecided]{.verdict-badge .open}" in (text := verdict_box.item(1, record))
        and "Effect" not in text
    )


def test_an_effect_has_its_interval_population_and_variants():
    found = {
        "word": "differs between networks",
        "networks": 2,
        "supporting": 1,
        "opposing": 1,
        "effects": {"birds_vgg": 0.2, "birds_resnet": 0.4},
        "intervals": {"birds_vgg": [0.1, 0.3], "birds_resnet": [0.3, 0.5]},
        "overall": [0.3, 0.1, 0.5],
        "families": 2,
        "general": "undecided",
        "uncorrected": "supported",
        "variants": {
            "each counted": {
                "word": "refuted",
                "networks": 1,
                "opposing": 1,
                "effects": {"birds_vgg": 0.1},
                "variants": {},
            }
        },
    }
    record = {
        "paper": "ours",
        "section": "",
        "text": "Maps are small.",
        "set_before": True,
        "population": "all images",
        "format": "+.1f",
        "findings": {"real": found, "quick": {"word": "no ground truth", "variants": {}}},
    }
    text = verdict_box.item(1, record).replace("\N{NO-BREAK SPACE}", " ")
    assert (
        "[≠ differs between networks]{.verdict-badge .partly} More drawn birds "
        "(1 of 2 networks for it, 1 against). "
    ) in text
    assert (
        "Effect +0.2 to +0.4 by network, all intervals within [+0.1, +0.5]. "
        "Over 2 families of networks: undecided, too few families, +0.3 [+0.1, +0.5]."
    ) in text
    assert (
        "[Without the correction for the number of claims: ✓ supported; each counted: ✗ refuted.]{.variants}"
        in text
    )
    assert "[– Drawn birds]{.untested}: no ground truth." in text and "[All images.]{.population}" in text
