"""The explainers by name.

The decorator :func:`contrastlib.explainers.explainer.register` makes a function an explainer. This module
imports all modules of the package, so a new method needs its own module and a test, and no other change.
:func:`contrastlib.explain`, the evaluations, the explorer, the help of the command line and the tables of the
book read ``EXPLAINERS``.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from typing import Any, get_args

from contrastlib.explainers.explainer import RECORDS, Explainer, Needs, Space

EXPLAINERS: dict[str, Explainer] = {}
"""Name -> record of each method of :func:`contrastlib.explain`: first layers, then pixels, then tokens."""


def load_modules() -> None:
    """Import all modules of the package and fill ``EXPLAINERS``."""
    for module in pkgutil.walk_packages(sys.modules[__package__].__path__, f"{__package__}."):
        importlib.import_module(module.name)

    def rank(explainer: Explainer) -> tuple[int, int, str]:
        spaces, needs = get_args(Space), get_args(Needs)
        return spaces.index(explainer.space), needs.index(explainer.needs), explainer.function.__module__

    EXPLAINERS.clear()
    EXPLAINERS.update({each.name: each for each in sorted(RECORDS.values(), key=rank)})


def select(**fields: Any) -> dict[str, Explainer]:
    """Return the explainers whose records have given values.

    Args:
        **fields: Field of :class:`~contrastlib.explainers.explainer.Explainer` -> value.

    Returns:
        Name -> record, in the order of ``EXPLAINERS``.

    >>> {"gradcam", "xgradcam"} <= select(space="layer").keys(), "lrp" in select(space="layer")
    (True, False)
    """
    return {
        name: explainer
        for name, explainer in EXPLAINERS.items()
        if all(getattr(explainer, field) == value for field, value in fields.items())
    }


load_modules()
