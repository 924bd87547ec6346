"""An address that cannot be written does not stop an explorer without a kernel."""

import pytest

pytestmark = pytest.mark.slow


def test_an_address_that_cannot_be_written(opened):
    """As in some frames, and in WebKit after many changes in a short time."""
    page = opened()
    page.evaluate(
        "() => { history.replaceState = () => { throw new DOMException('no', 'SecurityError'); }; }"
    )
    caption = page.locator(".cx-caption").inner_text()
    page.locator(".cx-pictures input").nth(1).check(force=True)
    page.wait_for_function(
        "caption => document.querySelector('.cx-caption').textContent !== caption", arg=caption
    )
