"""Tables of the networks and data sets of the registry, for the directive ``registry-table``.

In a page written in Markdown::

    ```{registry-table} networks
    ```
"""

from __future__ import annotations

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from contrastlib import assets
from contrastlib.assets.records import DataSet, Network
from contrastlib.report.markdown import markdown_table

NETWORKS = ("`load(...)`", "network", "family", "classes", "pixels", "licence")
DATASETS = ("`load(...)`", "images", "what they are", "drawn here", "licence")


class RegistryTable(SphinxDirective):
    """A table with a row for each network, or for each data set. The argument says of which."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Parse the table. Called by Sphinx."""
        tables = {"networks": network_table, "datasets": dataset_table}
        if self.arguments[0] not in tables:
            raise self.error(f"{{registry-table}} takes {' or '.join(tables)}, not {self.arguments[0]!r}")
        return self.parse_text_to_nodes(tables[self.arguments[0]]())


def network_table() -> str:
    """Table in Markdown with a row for each network of the registry.

    >>> print(network_table())
    | `load(...)` | network | family | classes | pixels | licence |
    ...
    | `birds_vgg` | small VGG | ... | ... | ... | MIT |
    ...
    """
    return markdown_table(NETWORKS, map(_network, assets.networks().values()))


def dataset_table() -> str:
    """Table in Markdown with a row for each data set of the registry.

    >>> print(dataset_table())
    | `load(...)` | images | what they are | drawn here | licence |
    ...
    | `birds` | ... | ... | yes | MIT |
    ...
    """
    return markdown_table(DATASETS, map(_dataset, assets.datasets().values()))


def _network(record: Network) -> tuple[str, ...]:
    classes = record.classes.what if record.classes else ""
    return f"`{record.name}`", record.title, record.family, classes, str(record.input_size), record.licence


def _dataset(record: DataSet) -> tuple[str, ...]:
    return f"`{record.name}`", record.title, record.what, "yes" if record.drawn else "no", record.licence
