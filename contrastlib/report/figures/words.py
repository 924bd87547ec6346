"""Words for readers in place of the names that code has for columns, networks, methods and choices."""

from __future__ import annotations

from collections.abc import Hashable

import pandas as pd

from contrastlib import models

WORDS = {
    "kept_sign": "pixels kept",
    "mask_rule": "pixels counted",
    "log_odds": "log-odds",
    "p_t": "pₜ",
    "y_t": "yₜ",
    "p_2": "p₂",
    "gradcam": "GradCAM",
    "xgradcam": "XGradCAM",
    "linear_approximation": "Linear Approximation",
    "input_x_gradient": "input × gradient",
    "attention_x_gradient": "attention × gradient",
    "deeplift": "DeepLIFT",
    "fullgrad": "FullGrad",
    "vit_gradcam": "GradCAM of tokens",
    "lrp": "LRP",
    "sglrp": "SGLRP",
    "clrp1": "CLRP1",
    "clrp2": "CLRP2",
}


def words(name: Hashable) -> Hashable:
    """What readers see for a name: the title of a network, a word of ``WORDS``, or the name with spaces.

    Args:
        name: A name of the code. Anything but text is returned as it is.

    Returns:
        The words.

    >>> words("birds_vgg"), words("kept_sign"), words("relevance_duals"), words(3)
    ('small VGG', 'pixels kept', 'relevance duals', 3)
    """
    if not isinstance(name, str):
        return name
    return WORDS.get(name) or models.title(name).replace("_", " ")


def readable(table: pd.DataFrame) -> pd.DataFrame:
    """A table whose rows and columns, and the levels of both, have words instead of names.

    >>> index = pd.MultiIndex.from_tuples([("birds_vgg", "p_t")], names=["network", "quantity"])
    >>> table = readable(pd.DataFrame({"log_odds": [3.0]}, index))
    >>> list(table.index), list(table)
    ([('small VGG', 'pₜ')], ['log-odds'])
    """
    table = table.rename(index=words, columns=words)
    return table.rename_axis(
        index=[words(name) for name in table.index.names],
        columns=[words(name) for name in table.columns.names],
    )
