"""The registry of contrasts: a record of each, and the cotangent of a contrast that is given by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from string import Formatter
from typing import Any, TypeVar

from torch import Tensor

from contrastlib._choices import check_choice
from contrastlib._logits import Classes, own_weights

ContrastFn = Callable[[Tensor], Tensor]
"""A function of the logits (B, C) that returns a cotangent (B, C), or N cotangents (N, B, C)."""
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
            returns the cotangent (B, C).
        question: The question that a map of this contrast answers. Its fields are those of ``PLACEHOLDERS``.
        about: What the target class is compared with, in a few words.
        formula: The formula of the weights w, in LaTeX.
        paper: The source, a key of the book's bibliography.
        equation: The equation or section of that source.
        sums_to_zero: Whether the weights of an image sum to 0. If so, the score <w, y> does not change when
            the same number is added to all logits.
        takes_foils: Whether the contrast needs foils, the classes that the target class is compared with.
        scales: Name of the contrast of which its weights are a positive multiple, or None. Such a multiple
            changes only the scale of a map that is linear in w. The explorer, whose colours follow the
            scale of each map, leaves these contrasts out.

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
    takes_foils: bool = False
    scales: str | None = None

    def __post_init__(self) -> None:
        unknown = {field for _, field, _, _ in Formatter().parse(self.question)} - {None, *PLACEHOLDERS}
        if unknown:
            raise ValueError(f"the question of {self.name!r} has the field {unknown.pop()!r}: "
                             f"it can have {', '.join(PLACEHOLDERS)}")

    @property
    def title(self) -> str:
        """The name for menus and figures, with spaces for underscores."""
        return self.name.replace("_", " ")


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
        ValueError: The question has a field that is none of the ``PLACEHOLDERS``.
    """
    def add(function: _Function) -> _Function:
        CONTRASTS[function.__name__] = Contrast(function.__name__, function, **fields)
        return function

    return add


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


def cotangent(
    contrast: ContrastLike, logits: Tensor, target: Classes, foils: Classes | None = None
) -> Tensor:
    """Compute the cotangent w (B, C) of a contrast.

    Args:
        contrast: The name of a contrast, one of the functions of :mod:`contrastlib.contrasts.weights`,
            weights (B, C), or a function of the logits (B, C) that returns weights (B, C).
        logits: Logits (B, C).
        target: Target class, or one target class for each image. It is not used if ``contrast`` gives
            weights.
        foils: Classes that the target class is compared with, for a contrast that takes foils.

    Returns:
        The cotangent (B, C), in the dtype of the logits and on their device.

    Raises:
        TypeError: The logits, target classes, foils or weights have a wrong type.
        ValueError: The contrast is unknown, foils are missing or not wanted, or the logits, target classes,
            foils or weights have a wrong shape or wrong values.
        IndexError: A target or a foil is not a class.

    >>> import torch
    >>> from contrastlib.contrasts import original
    >>> cotangent("maximum", torch.tensor([[2., 1., 0.]]), target=1)
    tensor([[-1.,  1.,  0.]])
    >>> cotangent(lambda y: original(y, 0) - original(y, 2), torch.tensor([[2., 1., 0.]]), target=0)
    tensor([[ 1.,  0., -1.]])
    """
    known = next((each for each in CONTRASTS.values() if each.function is contrast), None)
    if known is None and isinstance(contrast, str):
        known = by_name(contrast)
    if known is not None and known.takes_foils:
        if foils is None:
            raise ValueError(
                f'the contrast "{known.name}" needs foils: the classes to contrast the target with'
            )
        return known.function(logits, target, foils)
    if foils is not None:
        with_foils = " or ".join(f'"{each.name}"' for each in CONTRASTS.values() if each.takes_foils)
        given = repr(known.name) if known else "weights"
        raise ValueError(f"foils belong to the contrast {with_foils}, not to {given}")
    return known.function(logits, target) if known else own_weights(contrast, logits)
