"""What a notebook keeps of a widget, by who asks for it."""

from types import SimpleNamespace

import pytest

from contrastlib.explorer import display


@pytest.mark.parametrize(
    "request_, kept",
    [
        ({"content": {"allow_stdin": True}}, True),  # JupyterLab
        ({"content": {"allow_stdin": False}}, False),  # nbclient
        ({"content": {"comm_id": "1"}}, True),  # a control was moved
        ({}, True),  # before the first request
    ],
)
def test_the_view_is_for_clients_with_a_reader(monkeypatch, request_, kept):
    kernel = SimpleNamespace(get_parent=lambda: request_)
    monkeypatch.setattr(display, "get_ipython", lambda: SimpleNamespace(kernel=kernel))
    shown = display.with_html({display.VIEW: {}, "text/plain": "Map"}, "<p>Map</p>")
    assert shown.pop("text/html") == "<p>Map</p>"
    assert list(shown) == ([display.VIEW] if kept else []) + ["text/plain"]


def test_ipython_without_a_kernel(monkeypatch):
    monkeypatch.setattr(display, "get_ipython", SimpleNamespace)
    assert display.interactive()
