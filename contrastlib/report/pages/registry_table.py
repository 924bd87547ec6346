"""Tables of the networks and data sets of the registry, for the directive ``registry-table``.

In a page written in Markdown::

    ```{registry-table} networks
    ```
"""

from __future__ import annotations

from urllib.parse import urlsplit

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from contrastlib import assets
from contrastlib.assets.records import DataSet, Network
from contrastlib.datasets import sources
from contrastlib.report.markdown import markdown_table

NETWORKS = ("`load(...)`", "network", "family", "classes", "pixels", "licence")
PAPERS = ("name", "folder", "photographs", "splits", "comes from")
DATASETS = ("`load(...)`", "images", "what they are", "drawn here", "licence")


class RegistryTable(SphinxDirective):
    """A table of the networks, the data sets, or those of the papers. The argument says of which."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Parse the table. Called by Sphinx."""
        tables = {"networks": network_table, "datasets": dataset_table, "papers": papers_table}
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


def papers_table() -> str:
    """Table in Markdown with a row for each data set that the papers use and the repository does not have.

    >>> print(papers_table())
    | name | folder | photographs | splits | comes from |
    ...
    | `food101` | `food-101` | 101,000 | train, test | [data.vision.ee.ethz.ch](https://...) |
    ...
    """
    return markdown_table(PAPERS, map(_of_papers, sources.papers().values()))


def _network(record: Network) -> tuple[str, ...]:
    classes = record.classes.what if record.classes else ""
    return f"`{record.name}`", record.title, record.family, classes, str(record.input_size), record.licence


def _dataset(record: DataSet) -> tuple[str, ...]:
    return f"`{record.name}`", record.title, record.what, "yes" if record.drawn else "no", record.licence


def _of_papers(record: DataSet) -> tuple[str, ...]:
    host = urlsplit(record.page or "").netloc.removeprefix("www.")
    address = f"[{host}]({record.page})" + ", after a login" * record.login if host else "no address any more"
    return (
        f"`{record.name}`", f"`{record.folder}`", f"{record.count:,}", ", ".join(record.splits), address,
    )  # fmt: skip
