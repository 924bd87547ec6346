"""Tables of the networks that were tried, for the directive ``families-table``.

``python -m benchmarks.families --save`` writes the file that they are made of. In a page written in
Markdown::

    ```{families-table} timm
    ```
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from contrastlib.explainers import EXPLAINERS
from contrastlib.report.markdown import markdown_table
from contrastlib.report.results.storage import RESULTS

KEPT = RESULTS / "families.json"
"""File of the outcomes."""
KINDS = ("map", "refused", "fails")
"""Kinds of outcomes."""
GROUPS = {
    "layer": "layer",
    "gradients": "gradient",
    "deeplift": "DeepLIFT",
    "fullgrad": "FullGrad",
    "guided_backpropagation": "guided",
    "integrated_gradients": "integrated",
    "lrp": "LRP",
    "tokens": "tokens",
}
"""Column -> its heading. One that is missing has the title of its first method."""


class FamiliesTable(SphinxDirective):
    """What was tried.

    The argument is the name of a library for its table with the reasons below it, "summary" for a sentence
    about all libraries, and "columns" for a list of the methods of each column.
    """

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Parse the text. Called by Sphinx."""
        self.env.note_dependency(str(KEPT))
        which, record = self.arguments[0], load()
        texts = {"summary": summary, "columns": lambda record: listed_columns()}
        text = texts[which](record) if which in texts else families_table(record, which)
        parsed = self.parse_text_to_nodes(text)
        for node in parsed:
            if isinstance(node, nodes.table):
                node["classes"].append("families")
        return parsed


def load(path: Path = KEPT) -> dict[str, Any]:
    """Load the outcomes.

    Args:
        path: The file.

    Returns:
        The provenance and a list of networks, as ``python -m benchmarks.families --save`` writes them.

    >>> sorted(load())
    ['networks', 'provenance']
    """
    return json.loads(path.read_text(encoding="utf-8"))


def columns() -> dict[str, list[str]]:
    """Return the columns of the tables: heading -> methods, which share a column if they share a module.

    >>> columns()["gradient"]
    ['gradient', 'input_x_gradient']
    """
    grouped: dict[str, list[str]] = {}
    for name, explainer in EXPLAINERS.items():
        module = explainer.function.__module__.removeprefix("contrastlib.explainers.").partition(".")[0]
        group = module if explainer.space == "pixels" else explainer.space
        grouped.setdefault(GROUPS.get(group, explainer.title), []).append(name)
    return grouped


def listed_columns() -> str:
    """Return a list in Markdown of the methods of each column.

    >>> print(listed_columns())
    - layer: `gradcam`, `linear_approximation`, `xgradcam`...
    - gradient: `gradient`, `input_x_gradient`
    ...
    """
    lines = (f"- {head}: {', '.join(f'`{name}`' for name in methods)}" for head, methods in columns().items())
    return "\n".join(lines)


def summary(record: Mapping[str, Any]) -> str:
    """Return a sentence in Markdown about all networks.

    Args:
        record: As :func:`load` returns it.

    Returns:
        The sentence.

    >>> network = {"library": "timm", "map": {"lrp": ""}, "refused": {"fullgrad": ""}, "fails": {}}
    >>> print(summary({"provenance": {"libraries": {"timm": "1.0"}, "date": "2026-01-02T03:04:05"},
    ...                "networks": [network]}))
    1 network was tried on 2026-01-02: 1 of timm 1.0. Of 2 attempts 1 gave a map, 1 was refused and 0 failed.
    """
    networks, made = record["networks"], record["provenance"]
    counts = {kind: sum(len(network[kind]) for network in networks) for kind in KINDS}
    libraries = [network["library"] for network in networks]
    parts = [f"{libraries.count(name)} of {_versioned(record, name)}" for name in dict.fromkeys(libraries)]
    tried = "1 network was" if len(networks) == 1 else f"{len(networks)} networks were"
    refused = "1 was" if counts["refused"] == 1 else f"{counts['refused']} were"
    return (
        f"{tried} tried on {made['date'][:10]}: {', '.join(parts)}. Of {sum(counts.values())} attempts "
        f"{counts['map']} gave a map, {refused} refused and {counts['fails']} failed."
    )


def families_table(record: Mapping[str, Any], library: str) -> str:
    """Return the table of a library in Markdown, and the reasons why methods gave no map.

    Args:
        record: As :func:`load` returns it.
        library: Name of the library.

    Returns:
        A table with a row for each network, and a numbered list of reasons, to which the cells refer.

    Raises:
        ValueError: No network is of that library.
    """
    networks = [network for network in record["networks"] if network["library"] == library]
    if not networks:
        raise ValueError(f"no network of {library!r} was tried: run python -m benchmarks.families --save")
    reasons: dict[str, int] = {}
    for reason in sorted({reason for network in networks for _, reason in _without_map(network)}):
        reasons[reason] = len(reasons) + 1
    rows = [[_named(network), *_cells(network, reasons)] for network in networks]
    head = [_versioned(record, library), *columns()]
    return "\n".join([markdown_table(head, rows, centred=True), "", *_listed(reasons)])


def _cells(network: Mapping[str, Any], reasons: Mapping[str, int]) -> Iterator[str]:
    """Yield a cell for each column: ✓, or how many of its methods gave a map, and the numbers of reasons."""
    why = dict(_without_map(network))
    for methods in columns().values():
        served = sum(method in network["map"] for method in methods)
        failed = any(method in network["fails"] for method in methods)
        sign = "✓" if served == len(methods) else f"{served}/{len(methods)}" if served else "–"
        numbers = sorted({reasons[why[method]] for method in methods if method in why})
        note = f" {{sup}}`{','.join(map(str, numbers))}`" if numbers else ""
        yield f"{'✗ ' if failed else ''}{sign}{note}"


def _without_map(network: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield each method without a map, and its reason without the names of this network."""
    for kind in ("refused", "fails"):
        for method, reason in network[kind].items():
            yield method, general(reason, network["class"])


def general(reason: str, name: str) -> str:
    """Replace what is particular to a network in a reason: the names of its class and layers, and numbers.

    Args:
        reason: The first sentence of an error.
        name: Name of the class of the network.

    Returns:
        The sentence without what follows its first colon, which is the remedy.

    >>> general("layer 'fc' of ResNet has 1 position, so its map is one number: name another", "ResNet")
    'layer … of the network has … position, so its map is one number'
    >>> general("no rule for an operation of ResNet (Add: give a layer that bias)", "ResNet")
    'no rule for an operation of the network (Add)'
    """
    reason = re.sub(rf"\b{re.escape(name)}\b", "the network", reason)
    reason = re.sub(r"'[^']*'|\"[^\"]*\"", "…", reason)
    reason = re.sub(r"\([\d, ]+\)|(?<![\w-])-?\d[\d.e+-]*(?!-?\w)", "…", reason)
    sentence = re.split(r":\s", reason)[0].rstrip(".")
    return sentence + ")" * (sentence.count("(") - sentence.count(")"))


def _named(network: Mapping[str, Any]) -> str:
    layer = network["layer"]
    shown = "" if layer is None else f"`{layer}`" if network["default"] else f'`layer="{layer}"`'
    return f"**{network['family']}** `{network['network']}`" + (f"<br>{shown}" if shown else "")


def _versioned(record: Mapping[str, Any], library: str) -> str:
    version = record["provenance"]["libraries"].get(library)
    return f"{library} {version}" if version else library


def _listed(reasons: Iterable[str]) -> Iterator[str]:
    for number, reason in enumerate(reasons, start=1):
        yield f"{number}. {_escaped(reason)}"


def _escaped(text: str) -> str:
    return re.sub(r"([*_`|<>$\[\]])", r"\\\1", text)
