"""Titles of methods, and functions for tables by scale, for the tables and figures about LRP."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any

import pandas as pd
from IPython.display import Markdown

from contrastlib.explainers import EXPLAINERS
from contrastlib.report.claims.verdict_tables import title
from contrastlib.report.figures.shared import intervals

CLRP = ("clrp1", "clrp2")


def method_title(name: str) -> str:
    """Title of a method as it stands in a sentence: words begin with a small letter, abbreviations do not.

    >>> method_title("integrated_gradients"), method_title("deeplift")
    ('integrated gradients', 'DeepLIFT')
    """
    text = EXPLAINERS[name].title
    return text.lower() if text.istitle() else text


METHODS = {
    "lrp": method_title("lrp"),
    "clrp1": method_title("clrp1"),
    "clrp1_coded": f"{method_title('clrp1')}, code",
    "clrp2": method_title("clrp2"),
    "sglrp": method_title("sglrp"),
    "weighted_lrp": f"weighted {method_title('lrp')}",
    "gradient": method_title("gradient"),
    "guided_backpropagation": method_title("guided_backpropagation"),
    "gradcam/original": f"{method_title('gradcam')}, original",
    "gradcam/weighted": f"{method_title('gradcam')}, weighted",
    "random": "random position",
    "centre": "centre of the image",
    "integrated_gradients": method_title("integrated_gradients"),
    "deeplift": method_title("deeplift"),
}
"""Method or control -> its title in tables and figures."""
Tables = Mapping[str, pd.DataFrame]


def where_measured(show: Callable) -> Callable:
    """Decorate a function of tables by scale, so that it returns a note if there is no table."""

    @wraps(show)
    def call(measured: Tables, *args: Any, **options: Any) -> Any:
        return show(measured, *args, **options) if measured else Markdown("*Not measured at this scale.*")

    return call


def named(table: pd.DataFrame, axis: int = 1) -> pd.DataFrame:
    """Replace names of networks on one axis, and of methods on the other, by titles."""
    table = table.rename(title, axis=axis, level="network")
    return table.rename(METHODS, axis=1 - axis) if axis == 1 else table


def against(measured: Tables, difference: Callable[[pd.DataFrame, str], pd.DataFrame]) -> pd.DataFrame:
    """Differences of CLRP1 and CLRP2 from LRP at each scale, with the columns scale and method."""
    parts = {
        (scale, METHODS[name]): difference(table, name) for scale, table in measured.items() for name in CLRP
    }
    return pd.concat(parts, names=["scale", "method"]).reset_index(["scale", "method"])


def cells(table: pd.DataFrame, index: Sequence[str]) -> pd.DataFrame:
    """Means with their intervals, with a row for each value of these columns and a column for each method."""
    return table.assign(cell=intervals(table, "+.2f")).pivot(index=index, columns="method", values="cell")
