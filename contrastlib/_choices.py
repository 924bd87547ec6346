"""Arguments that take one of several names: their check, and the names that are the default."""

from __future__ import annotations

from collections.abc import Iterable

DEFAULT_METHOD = "gradcam"
"""The default method of :func:`contrastlib.explain`, of the command line and of the explorer."""
DEFAULT_CONTRAST = "weighted"
"""Their default contrast."""


def check_choice(what: str, value: object, known: Iterable[object]) -> None:
    """Raise an error unless a value is one of the known ones.

    Args:
        what: What the value is called in the message, such as "contrast".
        value: The value that a caller chose.
        known: The values that exist.

    Raises:
        ValueError: The value is not one of them; the message lists them.

    >>> check_choice("score", "square", ["logit", "absolute"])
    Traceback (most recent call last):
    ValueError: unknown score 'square'; choose one of logit, absolute
    """
    known = list(known)
    if value not in known:
        raise ValueError(f"unknown {what} {value!r}; choose one of {', '.join(map(str, known))}")
