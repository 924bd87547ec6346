"""Types of options: what a word of the command line has to be, or one sentence about it."""

from __future__ import annotations

import math
import re
from argparse import ArgumentTypeError
from collections.abc import Callable, Sequence
from pathlib import Path

LARGEST = 2**31 - 1
"""Largest whole number of an option. Products of these still are numbers for PyTorch."""

MOST_WORKERS = 1024
"""Largest number of processes that an option can ask for."""


def positive(text: str) -> int:
    """A positive whole number, as the type of an option.

    Raises:
        ArgumentTypeError: The text is something else.

    >>> positive("12")
    12
    """
    if not text.isdecimal() or not text.strip("0"):
        raise ArgumentTypeError(f"{_short(text)} is not a positive whole number")
    return whole(text)


def whole(text: str) -> int:
    """A whole number from 0, as the type of an option.

    Raises:
        ArgumentTypeError: The text is something else, or the number is larger than ``LARGEST``.

    >>> whole("0")
    0
    """
    if not text.isdecimal():
        raise ArgumentTypeError(f"{_short(text)} is not a whole number from 0")
    if len(text.lstrip("0")) > len(str(LARGEST)) or int(text) > LARGEST:
        raise ArgumentTypeError(f"{_short(text)} is too large: the largest number is {LARGEST}")
    return int(text)


def workers(text: str) -> int:
    """A number of processes, as the type of an option.

    Raises:
        ArgumentTypeError: The text is no whole number, or one above ``MOST_WORKERS``.

    >>> workers("0")
    0
    """
    if whole(text) > MOST_WORKERS:
        raise ArgumentTypeError(f"{text} processes are too many: choose at most {MOST_WORKERS}")
    return int(text)


def between(low: float, high: float, what: str) -> Callable[[str], float]:
    """The type of an option whose value is a number from ``low`` to ``high``.

    Args:
        low: The smallest number.
        high: The largest number, which has to be finite.
        what: How the message calls such a number.

    Returns:
        The function that reads a text.

    Raises:
        ArgumentTypeError: Raised by that function: the text is not such a number, as "nan".

    >>> between(0, 1, "a share")("0.25")
    0.25
    """

    def number(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high:  # false for NaN too
            raise ArgumentTypeError(f"{_short(text)} is not {what}, a number from {low:g} to {high:g}")
        return value

    return number


def name(text: str) -> str:
    """A name that is not empty, as the type of an option.

    Raises:
        ArgumentTypeError: The text is empty.

    >>> name("gradcam")
    'gradcam'
    """
    if not text.strip():
        raise ArgumentTypeError("the name is empty: give one, or leave the option out")
    return text


def path(text: str) -> Path:
    """The path of a file or a folder that is not empty, as the type of an option.

    Raises:
        ArgumentTypeError: The text is empty, or holds a character that no path has.

    >>> path("why.png").name
    'why.png'
    """
    if not text.strip():
        raise ArgumentTypeError("the path is empty: name a file or a folder")
    if "\0" in text:
        raise ArgumentTypeError(f"{text!r} is not a path: no path has the character 0")
    return Path(text)


def with_negative_values(words: Sequence[str]) -> list[str]:
    """Words of a command line in which the VALUE of ``-p NAME VALUE`` may be a negative number in any form.

    argparse takes -1e-3 for an option, but not " -1e-3", which is the same in YAML.

    >>> with_negative_values(["run", "-p", "x", "-1e-3", "--force"])
    ['run', '-p', 'x', ' -1e-3', '--force']
    """
    values = {index + 2 for index, word in enumerate(words) if word == "-p"}
    negative = re.compile(r"-\.?(\d|inf|Inf|INF)")
    return [
        f" {word}" if index in values and negative.match(word) else word for index, word in enumerate(words)
    ]


def _short(text: str) -> str:
    """The beginning of a text, in one line: one with a line break, for example, is quoted with escapes."""
    text = text if text.isprintable() else repr(text)
    return text if len(text) <= 40 else f"{text[:40]}…"
