"""Words for readers in place of the names that code has for columns, networks, methods and choices."""

from __future__ import annotations

from collections.abc import Hashable

import pandas as pd

from contrastlib import models
from contrastlib.contrasts import CONTRASTS
from contrastlib.explainers.registry import EXPLAINERS

WORDS = {
    "kept_sign": "pixels kept",
    "mask_rule": "pixels counted",
    "log_odds": "log-odds",
    "p_t": "pₜ",
    "y_t": "yₜ",
    "p_2": "p₂",
    "align_corners=False": "corners not aligned",
    "corners": "corners aligned",
    "centres": "centres aligned",
    "nearest": "not interpolated",
    "half_blur": "blur, half as wide",
    "double_blur": "blur, twice as wide",
    "label": "true class",
    "predicted": "predicted class",
    "vgg16": "VGG-16",
    "vgg16_bn": "VGG-16-BN",
    "alexnet": "AlexNet",
    "resnet18": "ResNet-18",
    "densenet161": "DenseNet-161",
    "googlenet": "GoogLeNet",
    "mobilenet_v3_large": "MobileNet V3 large",
    "mobilenet_v3_small": "MobileNet V3 small",
    "mnasnet1_0": "MNASNet 1.0",
    "efficientnet_b1": "EfficientNet-B1",
}


def words(name: Hashable) -> Hashable:
    """What readers see for a name: the title of a network, method or contrast, or a word of ``WORDS``.

    Args:
        name: A name of the code. Anything but text is returned as it is.

    Returns:
        The words. Of other names, underscores become spaces.

    >>> words("birds_vgg"), words("xgradcam"), words("kept_sign"), words("relevance_duals"), words(3)
    ('small VGG', 'XGradCAM', 'pixels kept', 'relevance duals', 3)
    >>> words("vgg16, random weights")
    'VGG-16, random weights'
    """
    if not isinstance(name, str):
        return name
    record = EXPLAINERS.get(name) or CONTRASTS.get(name)
    if record:
        return record.title
    name, comma, state = name.partition(", ")  # such as "vgg16, random weights"
    return (WORDS.get(name) or models.title(name).replace("_", " ")) + comma + state


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
