"""The registry of contrasts: a record of each, and the cotangent of a contrast that is given by name."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from string import Formatter
from typing import Any, TypeVar

from torch import Tensor

from contrastlib._choices import check_choice
from contrastlib._class_sets import SIMILAR_COUNT, Foils
from contrastlib._logits import Classes, own_weights

ContrastFn = Callable[[Tensor], Tensor]
"""A function of the logits (B, C) that returns a cotangent (B, C), or N cotangents (N, B, C)."""
Gradients = Callable[[Tensor], Tensor]
"""A function of cotangents (N, B, C) that returns the gradients (N, B, K, h, w) of a layer."""
ContrastLike = str | Tensor | ContrastFn
"""The name of a contrast, a cotangent (B, C), or a function of the logits that returns a cotangent."""

PLACEHOLDERS = ("target", "rival", "others", "foils")
"""Fields of a question: target class, strongest other class, probability of all other classes, foils."""


@dataclass(frozen=True)
class Contrast:
    """The record of a contrast.

    Attributes:
        name: The name of the contrast, which is the name of its function.
        function: ``function(logits, target)``, or ``function(logits, target, foils)`` if it takes foils. It
            returns the cotangent (B, C). Arguments with other names are options of the contrast, except for
            ``gradients_of``, see ``needs_gradients``.
        question: The question that a map of this contrast answers. Its fields are those of ``PLACEHOLDERS``.
        about: What the target class is compared with, in a few words.
        formula: The formula of the weights w, in LaTeX.
        paper: The source, a key of the book's bibliography.
        equation: The equation or section of that source.
        sums_to_zero: Whether the weights of an image sum to 0, with the default options. If so, the score
            <w, y> does not change when the same number is added to all logits.
        total: The formula of the sum of the weights, in LaTeX, for a contrast where it is not always 0.
        scales: Name of the contrast of which its weights are a positive multiple, or None. Such a multiple
            changes only the scale of a map that is linear in w. The explorer, whose colours follow the
            scale of each map, leaves these contrasts out.
        takes_group: Whether the target is a group of classes: class indices of all images, or a boolean
            mask (B, C).
        similar_count: The number of similar foils, if neither foils nor their number are given.
        title: The name for menus and figures; the name with spaces for underscores if empty.

    Raises:
        ValueError: The question has a field that is none of the ``PLACEHOLDERS``.

    >>> from contrastlib.contrasts import CONTRASTS
    >>> CONTRASTS["maximum"].question.format(target="owl", rival="wren")
    'Why owl and not wren?'
    """

    name: str
    function: Callable[..., Tensor]
    question: str
    about: str
    formula: str
    paper: str
    equation: str
    sums_to_zero: bool = True
    total: str = ""
    scales: str | None = None
    takes_group: bool = False
    similar_count: int = SIMILAR_COUNT
    title: str = ""

    def __post_init__(self) -> None:
        unknown = {field for _, field, _, _ in Formatter().parse(self.question)} - {None, *PLACEHOLDERS}
        if unknown:
            raise ValueError(
                f"the question of {self.name!r} has the field {unknown.pop()!r}: "
                f"it can have {', '.join(PLACEHOLDERS)}"
            )
        object.__setattr__(self, "title", self.title or self.name.replace("_", " "))

    @property
    def takes_foils(self) -> bool:
        """Whether the contrast compares the target class with foils that can be chosen."""
        return "foils" in inspect.signature(self.function).parameters

    @property
    def needs_foils(self) -> bool:
        """Whether the foils must be chosen, because the contrast has no default for them."""
        return self.takes_foils and _defaults(self.function).get("foils") is None

    @property
    def needs_gradients(self) -> bool:
        """Whether the weights depend on a layer: the function then takes ``gradients_of``.

        It is a function of cotangents (N, B, C) that returns the gradients (N, B, K, h, w) of the layer.
        """
        return "gradients_of" in inspect.signature(self.function).parameters

    @property
    def is_of_one_class(self) -> bool:
        """Whether the weights follow from the logits, a target class for each image, and foils."""
        return not (self.takes_group or self.needs_gradients)

    @property
    def options(self) -> dict[str, Any]:
        """Name -> default value of each option of the contrast."""
        return {name: each for name, each in _defaults(self.function).items() if name != "foils"}


def _defaults(function: Callable) -> dict[str, Any]:
    """Name -> default value of the arguments of a function that have one."""
    parameters = inspect.signature(function).parameters.values()
    return {each.name: each.default for each in parameters if each.default is not inspect.Parameter.empty}


CONTRASTS: dict[str, Contrast] = {}
"""Name -> record of each contrast, in the order of registration."""

_Function = TypeVar("_Function", bound=Callable[..., Tensor])


def register(**fields: Any) -> Callable[[_Function], _Function]:
    """Make a decorator that registers a function as a contrast.

    Args:
        **fields: The fields of :class:`Contrast`, without ``name`` and ``function``.

    Returns:
        A decorator. It adds a record to ``CONTRASTS`` under the name of the function and returns the
        function.

    Raises:
        ValueError: The question has a field that is none of the ``PLACEHOLDERS``, or another contrast has
            that name.
    """

    def add(function: _Function) -> _Function:
        if function.__name__ in CONTRASTS:
            raise ValueError(f"two contrasts are called {function.__name__!r}")
        CONTRASTS[function.__name__] = Contrast(function.__name__, function, **fields)
        return function

    return add


def load_modules() -> None:
    """Import all modules of the package, so that the contrasts which they define are in ``CONTRASTS``."""
    for module in pkgutil.walk_packages(sys.modules[__package__].__path__, f"{__package__}."):
        importlib.import_module(module.name)


def by_name(name: str) -> Contrast:
    """Return the record of the contrast of that name.

    Args:
        name: A key of ``CONTRASTS``.

    Returns:
        The record.

    Raises:
        ValueError: No contrast has that name.

    >>> by_name("mean").about
    'against the average of all others'
    """
    check_choice("contrast", name, CONTRASTS)
    return CONTRASTS[name]


def known(contrast: ContrastLike) -> Contrast | None:
    """Return the record of a contrast that is given by its name or its function.

    Args:
        contrast: A contrast.

    Returns:
        The record, or None for weights and for a function of the user.

    Raises:
        ValueError: The contrast is a name, and no contrast has it.

    >>> known("mean") is CONTRASTS["mean"], known(lambda y: y)
    (True, None)
    """
    if isinstance(contrast, str):
        return by_name(contrast)
    return next((each for each in CONTRASTS.values() if each.function is contrast), None)


def cotangent(
    contrast: ContrastLike,
    logits: Tensor,
    target: Classes,
    foils: Foils | None = None,
    gradients_of: Gradients | None = None,
    **options: Any,
) -> Tensor:
    """Compute the cotangent w (B, C) of a contrast.

    Args:
        contrast: The name of a contrast, one of the functions of :mod:`contrastlib.contrasts`, weights
            (B, C), or a function of the logits (B, C) that returns weights (B, C).
        logits: Logits (B, C).
        target: Target class, or one target class for each image; the classes of a group, for a contrast of
            a group. It is not used if ``contrast`` gives weights.
        foils: Classes that the target class is compared with, for a contrast that takes foils, or "similar".
        gradients_of: The gradients of a layer, for a contrast that needs them.
        **options: Options of the contrast, such as ``strength``.

    Returns:
        The cotangent (B, C), in the dtype of the logits and on their device.

    Raises:
        TypeError: The logits, target classes, foils, weights or options have a wrong type, or the contrast
            has no such option.
        ValueError: The contrast is unknown, foils or gradients are missing, foils are not wanted, or the
            logits, target classes, foils, weights or options have a wrong shape or wrong values.
        IndexError: A target or a foil is not a class.

    >>> import torch
    >>> from contrastlib.contrasts import original
    >>> cotangent("maximum", torch.tensor([[2., 1., 0.]]), target=1)
    tensor([[-1.,  1.,  0.]])
    >>> cotangent(lambda y: original(y, 0) - original(y, 2), torch.tensor([[2., 1., 0.]]), target=0)
    tensor([[ 1.,  0., -1.]])
    """
    record = known(contrast)
    _check_options(record, options)
    if foils is not None and not (record and record.takes_foils):
        raise ValueError(
            f"foils belong to the contrast {_those(lambda each: each.takes_foils)}, "
            f"not to {repr(record.name) if record else 'weights'}"
        )
    if record is None:
        return own_weights(contrast, logits)
    if record.needs_foils and foils is None:
        raise ValueError(f'the contrast "{record.name}" needs foils: the classes to contrast the target with')
    if record.needs_gradients and gradients_of is None:
        raise ValueError(
            f'the contrast "{record.name}" depends on a layer: '
            "use it with a method of a layer (B, K, h, w), such as gradcam, of a convolutional network"
        )
    given = {} if foils is None else {"foils": foils}
    if record.needs_gradients:
        given["gradients_of"] = gradients_of
    return record.function(logits, target, **given, **options)


def _check_options(record: Contrast | None, options: Mapping[str, Any]) -> None:
    """Raise an error if a contrast lacks one of the options; it names the contrasts that have it."""
    unknown = [name for name in options if not (record and name in record.options)]
    if unknown:
        having = _those(lambda each: unknown[0] in each.options)
        raise TypeError(
            f"{unknown[0]} belongs to the contrast {having}, "
            f"not to {repr(record.name) if record else 'weights'}"
            if having
            else f"no contrast has the option {unknown[0]!r}"
        )


def _those(wanted: Callable[[Contrast], bool]) -> str:
    """The quoted names of the contrasts that are wanted, for a message."""
    return " or ".join(f'"{each.name}"' for each in CONTRASTS.values() if wanted(each))
