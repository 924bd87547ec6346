"""The page of corrections in a browser: the row of the address, filters, the keyboard, a narrow screen."""

import json

import pytest
from built import HTML

PAGE = "book/corrections.html"
SHOWN = "details.correction:not([hidden])"


def numbers(page):
    return [
        int(row.removeprefix("erratum-"))
        for row in page.locator(SHOWN).evaluate_all("rows => rows.map(row => row.id)")
    ]


@pytest.mark.parametrize("width", [1280, 390])
def test_the_row_of_the_address_is_open_and_seen(visit, width):
    page, problems = visit(f"{PAGE}#erratum-7", width)
    assert page.locator("details.correction[open]").evaluate_all("rows => rows.map(row => row.id)") == [
        "erratum-7"
    ]
    assert page.locator("#erratum-7 > summary").evaluate("each => each.getBoundingClientRect().top") < 400
    page.evaluate("location.hash = 'erratum-20'")
    page.wait_for_selector("#erratum-20[open]")
    assert page.evaluate("document.documentElement.scrollWidth") <= width and not problems


def test_filters_and_order_with_the_keyboard(visit):
    page, problems = visit(PAGE)
    every = numbers(page)
    assert (
        every == sorted(every)
        and page.locator(".corrections-controls output").inner_text() == f"{len(every)} of {len(every)}"
    )
    page.locator("select[name=paper]").focus()
    page.keyboard.type("Gu")
    few = numbers(page)
    assert few and set(few) < set(every) and page.locator(f"{SHOWN}:not(.paper-gu2018)").count() == 0
    page.keyboard.press("Tab")
    page.keyboard.type("holds")
    assert page.locator(f"{SHOWN}:not(.status-holds)").count() == 0 and numbers(page)
    page.evaluate("location.hash = 'erratum-1'")  # a row that is filtered away comes back
    page.wait_for_selector("#erratum-1[open]")
    assert numbers(page) == every
    page.locator("select[name=order]").select_option("status")
    assert sorted(numbers(page)) == every != numbers(page)
    page.locator("#erratum-3 > summary").focus()
    page.keyboard.press("Enter")
    assert page.locator("#erratum-3").get_attribute("open") is not None and not problems


def test_formulas_of_every_row_are_set(visit):
    page, problems = visit(PAGE)
    page.evaluate("document.querySelectorAll('details.correction').forEach(row => { row.open = true; })")
    raw = page.locator("div.corrections").evaluate("box => box.innerText.match(/\\$|\\\\math/g) || []")
    assert not raw and not problems


def test_links_to_numbers_lead_to_their_rows(visit):
    page, _ = visit("book/claims.html")
    targets = page.locator("a[href*='#erratum-']").evaluate_all(
        "links => links.map(link => link.getAttribute('href'))"
    )
    assert targets and all(target.startswith("corrections.html#erratum-") for target in targets)


def test_the_records_are_there_as_json():
    records = json.loads((HTML / "corrections.json").read_text(encoding="utf-8"))
    assert [record["number"] for record in records] == sorted(record["number"] for record in records)
    measured = [record for record in records if record["page"]]
    assert measured and all(record["effects"].get(record["page"]) for record in measured)
