"""The lines that install the library, for the directive ``install``, and the address that they need."""

from __future__ import annotations

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

CLONE = """git clone {address} contrastlib   # or unpack its zip
pip install ./contrastlib scikit-image      # scikit-image has the photograph
"""


class Install(SphinxDirective):
    """The commands, with the address of the repository where it is known."""

    def run(self) -> list[nodes.Node]:
        """Return the commands as a block of code. Called by Sphinx."""
        text = install_lines(self.config.rerun_repository)
        return [nodes.literal_block(text, text, language="bash")]


def install_lines(address: str = "") -> str:
    """Commands that install the library.

    Args:
        address: Address of the repository. If it is not known, the commands say where it goes.

    Returns:
        The commands.

    >>> print(install_lines("https://example.org/a"))
    pip install "contrastlib @ git+https://example.org/a" scikit-image
    >>> print(install_lines())
    git clone ADDRESS-OF-THIS-REPOSITORY contrastlib   # or unpack its zip
    pip install ./contrastlib scikit-image      # scikit-image has the photograph
    """
    if address:
        return f'pip install "contrastlib @ git+{address}" scikit-image'
    return CLONE.format(address="ADDRESS-OF-THIS-REPOSITORY").strip()
