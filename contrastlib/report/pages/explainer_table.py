"""Table of the methods of ``contrastlib.explain``, for the directive ``explainer-table``.

In a page written in Markdown::

    ```{explainer-table}
    ```
"""

from __future__ import annotations

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

from contrastlib.explainers import SPACES, Explainer, registry
from contrastlib.report.markdown import markdown_table

HEADER = ("`method=`", "map", "linear in $w$", "passes", "source")


class ExplainerTable(SphinxDirective):
    """Three tables of methods: for maps of a layer, of the pixels, and of tokens."""

    def run(self) -> list[nodes.Node]:
        """Parse the tables. Called by Sphinx."""
        for record in registry.EXPLAINERS.values():
            self.env.note_dependency(record.function.__code__.co_filename)
        holder = nodes.Element()
        self.state.nested_parse(StringList(explainer_table().splitlines(), registry.__file__), 0, holder)
        return holder.children


def explainer_table() -> str:
    """Tables in Markdown with a row for each explainer, one table for each kind of map.

    >>> print(explainer_table())
    Coarse maps, from the activations of a layer:
    <BLANKLINE>
    | `method=` | map | linear in $w$ | passes | source |
    | --- | --- | --- | --- | --- |
    | {py:func}`"gradcam" <contrastlib.explainers.cam.gradcam>` | Each channel of ... | yes | 1 forward, ... |
    ...
    """
    tables = {
        words: markdown_table(HEADER, map(_row, registry.select(space=space).values()))
        for space, words in SPACES.items()
    }
    return "\n".join(f"{words[0].upper()}{words[1:]}:\n\n{table}\n" for words, table in tables.items())


def _row(record: Explainer) -> tuple[str, ...]:
    function = record.function
    source = f"{{cite:t}}`{record.paper}`" + f", {record.equation}" * bool(record.equation)
    linear = "yes" if record.linear else "no" if record.contrast else "has no $w$"
    formula = record.formula.replace("|", r"\vert ")  # a bar would end the cell
    return (
        f'{{py:func}}`"{record.name}" <{function.__module__}.{function.__name__}>`',
        f"{record.about} ${formula}$",
        linear,
        record.cost,
        source,
    )
