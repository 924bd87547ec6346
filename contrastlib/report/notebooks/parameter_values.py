"""Values of parameters in YAML, from the command line and from the files of profiles.

They are the plain values that a cell of a notebook can assign: null, true and false, numbers, text, lists,
and mappings whose keys are text.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

MOST_LEVELS, MOST_VALUES = 20, 10_000
"""How deeply lists and mappings may be nested, and how many values they may hold together."""
PREFIX = "tag:yaml.org,2002:"
NULL = ("~", "null", "Null", "NULL", "None")
"""How null is written."""
PLAIN = ("null", "bool", "int", "float", "str", "seq", "map")


class Values(yaml.SafeLoader):
    """The core schema of YAML 1.2, with None as another null, and with 1_000 as a number.

    Other than in YAML 1.1, 1e-3 is a number as in Python, and 2024-01-01, 1:30 and "no" are text.
    """

    yaml_implicit_resolvers: dict = {}  # noqa: RUF012 (the class attribute of the base class, emptied)
    yaml_constructors = {
        PREFIX + kind: yaml.SafeLoader.yaml_constructors[PREFIX + kind] for kind in PLAIN
    } | {None: yaml.SafeLoader.yaml_constructors[None]}

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        """The whole number of a text; the digits after a leading zero are decimal."""
        text = self.construct_scalar(node)
        base = {"0x": 16, "0o": 8}.get(text[:2], 10)
        return int(text, base)


for kind, pattern, first in (
    ("null", "|".join(map(re.escape, (*NULL, ""))), ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?\d+(_\d+)*|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    (
        "float",
        r"[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        list("-+.0123456789"),
    ),
):
    Values.add_implicit_resolver(PREFIX + kind, re.compile(f"(?:{pattern})$", re.ASCII), first)
Values.add_constructor(PREFIX + "int", Values.construct_yaml_int)


def parsed(text: str, what: str) -> Any:
    """The value that a text means.

    Args:
        text: YAML.
        what: What the text is, for the message, such as "-p steps '[1'".

    Returns:
        The value. None for a text without any value, such as a comment.

    Raises:
        ValueError: The text is no YAML, or its value is not plain.

    >>> parsed("[-1e-3, None, 2024-01-01, 010]", "it")
    [-0.001, None, '2024-01-01', 10]
    """
    try:
        value = yaml.load(text, Values)
    except RecursionError:
        raise ValueError(f"{what}: {_too_deep()}") from None
    except (yaml.YAMLError, ValueError, KeyError) as error:
        raise ValueError(
            f"{what} is no YAML: {_problem(error)}; put text with such characters in quotes"
        ) from None
    _check(value, what, MOST_LEVELS, MOST_VALUES)
    return value


def parsed_profile(text: str, what: str) -> dict[str, dict[str, Any]]:
    r"""The values of a profile, by notebook or under "all".

    Args:
        text: The content of its file.
        what: The file, for the message.

    Raises:
        ValueError: The text is no YAML, its values are not plain, or it has another form.

    >>> parsed_profile("01_theory: {steps: 8}\nall:", "it")
    {'01_theory': {'steps': 8}, 'all': {}}
    """
    content = parsed(text, what) or {}
    if not isinstance(content, dict):
        raise ValueError(
            f"{what}: it holds {_kind(content)}, and must have a line `all:` or `NOTEBOOK:` "
            "with values below it"
        )
    for notebook, values in content.items():
        if not isinstance(values, dict | None):
            raise ValueError(
                f"{what}: below {notebook!r} is {_kind(values)}, and must be lines `NAME: VALUE`"
            )
    return {notebook: values or {} for notebook, values in content.items()}


def _problem(error: Exception) -> str:
    """What YAML has to say, with the line if there are several."""
    unknown_tag = "could not determine a constructor"
    if isinstance(error, yaml.constructor.ConstructorError) and unknown_tag in str(error.problem):
        return "a tag (!) stands before a value, which must be plain"
    mark = getattr(error, "problem_mark", None)
    where = f"line {mark.line + 1}: " if mark and mark.line else ""
    return where + str(getattr(error, "problem", None) or "it cannot be read")


def _check(value: Any, what: str, levels: int, most: int) -> int:
    """Check that a value is plain; the number of values that it holds.

    Aliases (&a, *a) can make a small text hold very many values, or a list hold itself.
    """
    if isinstance(value, list | dict) and not levels:
        raise ValueError(f"{what}: {_too_deep()}")
    count = 1
    for key in value if isinstance(value, dict) else ():
        if not isinstance(key, str):
            raise ValueError(f"{what}: the key {key!r} is {_kind(key)}, and must be text: put it in quotes")
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for each in inner:
        count += _check(each, what, levels - 1, most - count)
        if count > most:
            raise ValueError(f"{what}: it holds more than {MOST_VALUES:,} values: give fewer")
    return count


def _too_deep() -> str:
    return f"its lists are nested too deeply: {MOST_LEVELS} levels at most"


def _kind(value: Any) -> str:
    kinds = {dict: "a mapping", list: "a list", str: "text", type(None): "nothing", bool: "true or false"}
    return kinds.get(type(value), "a number")
