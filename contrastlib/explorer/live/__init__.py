"""A network in the reader's browser: its files, and the page that runs it on pictures of the reader.

:func:`~contrastlib.explorer.live.site.write` writes a folder that any web server can serve. Its page
loads the network only when the reader asks, and sends nothing anywhere. ``python -m contrastlib live`` does
the same.
"""

from contrastlib.explorer.live.content import header, offered_contrasts
from contrastlib.explorer.live.site import HEADER, element, page, read_header, write

__all__ = ["HEADER", "element", "header", "offered_contrasts", "page", "read_header", "write"]
