"""Sentences of a notebook with values that other pages of the book show.

The output of a sentence has the values in its metadata, where :mod:`contrastlib.report.pages.values` finds
them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

KEY = "contrastlib_values"
"""Key of the values in the metadata of an output."""


class Said:
    """A sentence in Markdown. The metadata of the output contains the values that other pages show.

    Attributes:
        text: The sentence.
        values: Name -> number or text.
    """

    def __init__(self, text: str, values: Mapping[str, float | str]) -> None:
        self.text, self.values = text, dict(values)

    def __repr__(self) -> str:
        return self.text

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> tuple[dict, dict]:
        return {"text/plain": self.text, "text/markdown": self.text}, {KEY: self.values}


def values_in(notebook: Mapping) -> dict[str, float | str]:
    """Values that an executed notebook has for other pages, by their names.

    >>> values_in({"cells": [{"outputs": [{"metadata": {KEY: {"share": 0.25}}}]}, {}]})
    {'share': 0.25}
    """
    return metadata_in(notebook, KEY)


def metadata_in(notebook: Mapping, key: str) -> dict[str, Any]:
    """Entries of the metadata of all outputs of an executed notebook under a key, by their names.

    >>> metadata_in({"cells": [{"outputs": [{"metadata": {"sizes": {"width": 2}}}, {}]}, {}]}, "sizes")
    {'width': 2}
    """
    outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", [])]
    return {
        name: entry for output in outputs for name, entry in output.get("metadata", {}).get(key, {}).items()
    }
