"""Figures in a browser: numbered with a caption, and enlarged by a click or a key."""

PAGE = "book/executed/03_maps.html"


def test_numbers_and_captions(visit):
    page, _ = visit(PAGE)
    page.evaluate("() => document.querySelectorAll('details.fold').forEach(each => { each.open = true; })")
    captions = page.locator(".cell_output figure:not(.controls) figcaption").all_inner_texts()
    numbers = [int(caption.split()[1]) for caption in captions]
    assert len(numbers) >= 5 and numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert all(caption.startswith("Fig. ") and len(caption) > 20 for caption in captions)


def test_enlarged(visit):
    """On a telephone the file is shown at its own size, to be moved under the finger; Escape closes it."""
    page, problems = visit(PAGE, width=390)
    button, dialog = page.locator("button.enlarge").first, page.locator("dialog.enlarged")
    shown = button.locator("img").evaluate("each => each.width")
    button.focus()
    page.keyboard.press("Enter")
    dialog.wait_for()
    assert dialog.locator("img").evaluate("each => each.width === each.naturalWidth") and shown < 390
    assert dialog.evaluate("each => each.scrollWidth > each.clientWidth && getComputedStyle(each).overflowX === 'auto'")
    page.keyboard.press("Escape")
    dialog.wait_for(state="hidden")
    button.click()
    dialog.get_by_role("button", name="Close").click()
    dialog.wait_for(state="hidden")
    assert not problems
