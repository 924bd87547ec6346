"""A network in the reader's browser: its files, and the page that runs it on pictures of the reader.

:func:`~contrastlib.explorer.live.site.write` writes a folder that any web server can serve. Its page
loads the network only when the reader asks, and sends nothing anywhere. ``python -m contrastlib live`` does
the same.

- :mod:`~contrastlib.explorer.live.site`: the folder
- :mod:`~contrastlib.explorer.live.content`: data of a page
- :mod:`~contrastlib.explorer.live.birds`: repainted parts of a drawn bird
- :mod:`~contrastlib.explorer.live.encoding`: pictures, maps and masks as text
"""

from contrastlib.explorer.live.birds import repainted_parts
from contrastlib.explorer.live.content import header, offered_contrasts
from contrastlib.explorer.live.site import HEADER, Shown, element, page, read_headers, write

__all__ = [
    "HEADER", "Shown", "element", "header", "offered_contrasts", "page", "read_headers", "repainted_parts",
    "write",
]  # fmt: skip
