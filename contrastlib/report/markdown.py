"""Tables in Markdown, for pages and for outputs of notebooks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]], centred: bool = False) -> str:
    """A table in Markdown.

    Args:
        head: Titles of the columns.
        rows: Cells of each row, in Markdown.
        centred: Whether all columns but the first are centred.

    Returns:
        The table, without a line break at its end.

    >>> print(markdown_table(["a", "b"], [["1", "2"]]))
    | a | b |
    | --- | --- |
    | 1 | 2 |
    """
    rule = ["---", *[":-:" if centred else "---"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [head, rule, *rows])
