"""The network that runs in the reader's browser, for the directive ``live-network``.

``make book`` writes its files into ``book/vendor/live``, which Sphinx copies to ``_static/live``.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from contrastlib.explorer import live

FOLDER = "book/vendor/live"
"""Folder of the files, below that of the book's configuration."""
SERVED = "_static/live/"
"""Address of the folder, below that of the book."""


class LiveNetwork(SphinxDirective):
    """A live network, by the name of its element. Other formats than HTML leave it out."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Make the element. Called by Sphinx."""
        folder = Path(self.env.srcdir) / FOLDER
        if not (folder / live.HEADER).is_file():
            raise self.error(f"{FOLDER} is not there. Run `make book`: it makes the live network.")
        self.env.note_dependency(str(folder / live.HEADER))
        headers = live.read_headers(folder)
        if self.arguments[0] not in headers:
            raise self.error(f"{self.arguments[0]!r} is not there: the elements are {', '.join(headers)}")
        base = "../" * (len(PurePosixPath(self.env.docname).parts) - 1) + SERVED
        return [nodes.raw("", live.element(headers[self.arguments[0]], base), format="html")]
