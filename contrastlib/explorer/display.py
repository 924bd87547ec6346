"""What a notebook keeps of a widget: the widget where a reader can use it, elsewhere HTML."""

from __future__ import annotations

from typing import Any

from IPython import get_ipython

VIEW = "application/vnd.jupyter.widget-view+json"


def with_html(data: dict[str, Any], html: str) -> dict[str, Any]:
    """Add HTML to the MIME bundle of a widget, or replace the widget by it if the client is not interactive.

    nbconvert shows the widget where it finds both, but only with scripts from another host. So notebooks that
    nbconvert or papermill execute hold the HTML alone.

    Args:
        data: MIME type -> content, of a widget.
        html: What is shown where the widget cannot be.

    >>> sorted(with_html({VIEW: {"model_id": "1"}, "text/plain": "Map"}, "<p>Map</p>"))
    ['application/vnd.jupyter.widget-view+json', 'text/html', 'text/plain']
    """
    kept = data if interactive() else {form: content for form, content in data.items() if form != VIEW}
    return {**kept, "text/html": html}


def interactive() -> bool:
    """Whether a reader may be at the client that the kernel works for.

    A client tells with each execution request whether the code may ask for input (``allow_stdin`` of
    Jupyter's messaging protocol). JupyterLab allows it. nbclient, which nbconvert and papermill use, does
    not. Without a kernel the answer is True.
    """
    kernel = getattr(get_ipython(), "kernel", None)
    request = kernel.get_parent() if kernel else {}
    return request.get("content", {}).get("allow_stdin", True)
