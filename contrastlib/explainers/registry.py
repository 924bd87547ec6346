"""The explainers by name.

A function becomes an explainer by the decorator :func:`contrastlib.explainers.explainer.register`. All modules of this
package are imported here, so that to add a method means to write its module and its test. :func:`contrastlib.explain`,
the evaluations, the explorer, the command line's help and the tables of the book read ``EXPLAINERS``.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from typing import Any, get_args

from contrastlib.explainers.explainer import RECORDS, Explainer, Needs, Space

EXPLAINERS: dict[str, Explainer] = {}
"""name -> record, of all methods of :func:`contrastlib.explain`: those of a layer first, then of pixels, then of tokens"""


def load_modules() -> None:
    """Import all modules of this package, and fill ``EXPLAINERS``."""
    for module in pkgutil.walk_packages(sys.modules[__package__].__path__, f"{__package__}."):
        importlib.import_module(module.name)

    def place(record: Explainer) -> tuple:
        return get_args(Space).index(record.space), get_args(Needs).index(record.needs), record.function.__module__

    EXPLAINERS.clear()
    EXPLAINERS.update({record.name: record for record in sorted(RECORDS.values(), key=place)})


def select(**fields: Any) -> dict[str, Explainer]:
    """The explainers whose records have these values.

    >>> list(select(space="layer")), list(select(needs="pass", space="pixels"))
    (['gradcam', 'linear_approximation', 'xgradcam'], ['gradient', 'input_x_gradient'])
    """
    return {name: record for name, record in EXPLAINERS.items()
            if all(getattr(record, field) == value for field, value in fields.items())}


load_modules()
