"""The relevance that enters LRP, and the product of input and gradient that its map equals.

The z rule with biases in the denominators gives an active unit the relevance of its output over its output,
R_j / z_j, as its gradient. So relevance r at the logits y gives the map x * dF/dx of F = sum_s c_s y_s with
the fixed weights c_s = r_s / y_s. The product of input and gradient of a contrast w therefore needs r = w y;
that of p_t needs r = dp_t/dy y, which is the same direction. SGLRP enters r = dp_t/dy instead.

Under the z+ rule relevance is distributed in shares, which are not gradients: the map of r is
sum_s r_s m_s, where m_s is the map of one unit of relevance at class s.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd


def least(table: pd.DataFrame, value: str, by: Sequence[str]) -> pd.DataFrame:
    """Least value in each setting.

    Args:
        table: A table with a row for each image and setting.
        value: Name of the column.
        by: Columns that identify a setting.

    Returns:
        A row for each setting, with ``mean``, the least value.

    >>> least(pd.DataFrame({"network": ["a", "a"], "v": [0.5, 0.9]}), "v", ["network"]).values.tolist()
    [['a', 0.5]]
    """
    return table.groupby(list(by), sort=False)[value].min().rename("mean").reset_index()
