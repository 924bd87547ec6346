"""Tables in a browser: headings that stay, the cue, the fold, cards on a telephone, whole tables in print."""

import re

import pytest

WIDE = "book/executed/04_masking.html"
TABLE = "#T_shares"  # 48 rows, and wider than the page


def opened(visit, **options):
    """The page with the table, which is in a fold."""
    page, problems = visit(WIDE, **options)
    page.locator("details.fold", has=page.locator(TABLE)).locator("summary").first.click()
    return page, problems


def frame(page):
    return page.locator(".table-frame", has=page.locator(TABLE))


def left(locator):
    return locator.evaluate("each => each.getBoundingClientRect().left")


def test_headings_stay_and_a_cue_says_where_there_is_more(visit):
    page, problems = opened(visit)
    box, heading = frame(page).locator(".table-scroll"), page.locator(f"{TABLE} tbody th").first
    assert set(frame(page).get_attribute("class").split()) == {
        "table-frame",
        "full-width",
        "wide",
        "more-right",
    }
    before = left(heading)
    box.evaluate("each => { each.scrollLeft = 1e4; }")
    page.wait_for_selector(".table-frame.more-left:not(.more-right)")
    assert left(heading) == before
    frame(page).locator("button.table-fold").click()
    box.evaluate("each => { each.scrollTop = 300; }")
    below = page.locator(f"{TABLE} thead").evaluate("each => each.getBoundingClientRect().top")
    assert below - box.evaluate("each => each.getBoundingClientRect().top") < 3
    assert not problems


def test_a_long_table_shows_rows_of_each_group_until_it_is_opened(visit):
    page, _ = opened(visit)
    rows, button = page.locator(f"{TABLE} tbody tr"), frame(page).locator("button.table-fold")
    shown = [row.is_visible() for row in rows.all()]
    groups = page.locator(f"{TABLE} tbody th.level0").evaluate_all(
        "all => all.filter(e => e.checkVisibility()).map(e => e.textContent.trim())"
    )
    assert 4 <= sum(shown) <= 12 and groups == ["quick", "real"]
    assert (
        button.inner_text() == f"Show all {rows.count()} rows"
        and button.get_attribute("aria-expanded") == "false"
    )
    button.focus()
    page.keyboard.press("Enter")
    assert all(row.is_visible() for row in rows.all())
    spanned = page.evaluate(
        """table => [...document.querySelectorAll(`${table} tbody th.level0`)]
          .reduce((sum, each) => sum + each.rowSpan, 0)""",
        TABLE,
    )
    assert spanned == rows.count()  # headings span their rows again


def test_rows_become_cards(visit):
    """Each card has the headings of its row, and each of its values those of its column."""
    page, problems = opened(visit, width=390)
    assert "cards" in frame(page).get_attribute("class")
    row = page.locator(f"{TABLE} tbody tr").nth(1)
    said = re.sub(r"\s+", " ", row.inner_text())
    assert (
        row.get_attribute("data-above").startswith("quick · small VGG")
        and "by sign · positive · original" in said
    )
    assert page.locator(f"{TABLE} tbody tr:visible").count() <= 4 and not problems


@pytest.mark.parametrize("address", [WIDE, "book/families.html"])
def test_print_has_all_rows_and_columns(visit, address):
    page, _ = visit(address, width=720)
    page.evaluate("() => dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    cut = page.evaluate(
        """() => [...document.querySelectorAll(".bd-article table")].filter(each => each.checkVisibility() &&
            (each.getBoundingClientRect().right > innerWidth ||
              [...each.rows].some(row => !row.checkVisibility())))
            .map(each => each.id || each.className)"""
    )
    assert not cut
    # by what follows: tables that are higher than their box; and lines of code that are longer
    covered = page.evaluate(
        """() => [...document.querySelectorAll(".bd-article :is(.table-scroll, pre)")]
          .filter(each => each.checkVisibility() &&
            (each.scrollHeight > each.clientHeight + 2 || each.scrollWidth > each.clientWidth + 2))
          .map(each => each.outerHTML.slice(0, 200))"""
    )
    assert not covered
