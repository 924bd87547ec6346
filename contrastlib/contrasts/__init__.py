"""Contrasts: the weights over the logits from which an explanation starts.

A contrast chooses a cotangent w over the C logits y for a target class t. A linear explainer turns w into a
map that explains the score <w, y>. Each scheme of the papers is one choice of w, and one function of
:mod:`contrastlib.contrasts.weights`:

- :func:`~contrastlib.contrasts.weights.original`: e_t, the logit of the target class alone
- :func:`~contrastlib.contrasts.weights.mean`: against the mean of all other classes
- :func:`~contrastlib.contrasts.weights.maximum`: against the strongest other class
- :func:`~contrastlib.contrasts.weights.weighted`: against all other classes, each weighted by its probability
- :func:`~contrastlib.contrasts.weights.probability`: the gradient of the probability of the target class
- :func:`~contrastlib.contrasts.weights.among`: against chosen classes, the foils

Those of methods that came after the papers are in :mod:`contrastlib.contrasts.weights_later`:

- :func:`~contrastlib.contrasts.weights_later.finer_cam`: Finer-CAM, as printed
- :func:`~contrastlib.contrasts.weights_later.finer_cam_coded`: Finer-CAM, as coded
- :func:`~contrastlib.contrasts.weights_later.case`: CASE, whose weights depend on a layer
- :func:`~contrastlib.contrasts.weights_later.rfxg`: RFxG, a class against foils
- :func:`~contrastlib.contrasts.weights_later.rfxg_group`: RFxG, a group of classes
- :func:`~contrastlib.contrasts.weights_later.rest`: ReST, of Shapley-CAM
- :func:`~contrastlib.contrasts.weights_later.group`: a group of classes against all others

``CONTRASTS`` of :mod:`contrastlib.contrasts.registry` holds a record of each by name.
:func:`contrastlib.explain`, the command line, the explorer and the tables of the book read the contrasts from
there. All modules of this package are imported, so a new contrast needs its own module, with a function that
:func:`~contrastlib.contrasts.registry.register` decorates, and a test.

The shapes and symbols are those of :mod:`contrastlib`.
"""

from contrastlib._class_sets import Foils, similar_foils
from contrastlib._logits import Classes
from contrastlib.contrasts.registry import (
    CONTRASTS,
    PLACEHOLDERS,
    Contrast,
    ContrastFn,
    ContrastLike,
    Gradients,
    by_name,
    cotangent,
    known,
    load_modules,
    register,
)
from contrastlib.contrasts.weights import among, log_odds, maximum, mean, original, probability, weighted
from contrastlib.contrasts.weights_later import (
    case,
    finer_cam,
    finer_cam_coded,
    group,
    rest,
    rfxg,
    rfxg_group,
)

__all__ = [
    "CONTRASTS", "PLACEHOLDERS", "Classes", "Contrast", "ContrastFn", "ContrastLike", "Foils", "Gradients",
    "among", "by_name", "case", "cotangent", "finer_cam", "finer_cam_coded", "group", "known",
    "log_odds", "maximum", "mean", "original", "probability", "register", "rest", "rfxg", "rfxg_group",
    "similar_foils", "weighted",
]  # fmt: skip

load_modules()
