"""The Content-Security-Policy of pages that hold explorers."""

from __future__ import annotations

import base64
import hashlib
import re

_INLINE = re.compile(r"<(script|style)\b([^>]*)>(.*?)</\1>", re.DOTALL | re.IGNORECASE)


def content_security_policy(html: str) -> str:
    """Return the strictest policy under which the explorers of a page work.

    An explorer needs its inline script and its inline style, which are allowed by their SHA-256 hashes, and
    images from ``data:`` (the static image) and ``blob:`` (the thumbnails). Its data are a script of the type
    ``application/json``, which is not run and needs no permission. It needs no ``unsafe-inline``, no
    ``unsafe-eval`` and no host.

    Args:
        html: The page, or the result of :meth:`~contrastlib.explorer.widget.Explorer.static_html`.

    Returns:
        The value of the HTTP header Content-Security-Policy, or of a ``meta`` element of that name. It allows
        all inline scripts and styles that the page has, and no others.

    >>> content_security_policy("<style>p {}</style><p>Text</p>")[:60]
    "default-src 'none'; img-src data: blob:; script-src 'none'; "
    """
    hashes: dict[str, list[str]] = {"script": [], "style": []}
    for tag, attributes, text in _INLINE.findall(html):
        if "application/json" not in attributes:
            digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
            hashes[tag.lower()].append(f"'sha256-{digest}'")
    sources = {tag: " ".join(dict.fromkeys(found)) or "'none'" for tag, found in hashes.items()}
    return (
        f"default-src 'none'; img-src data: blob:; script-src {sources['script']}; "
        f"style-src {sources['style']}"
    )
