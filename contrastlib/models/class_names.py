"""Classes by name: the class that a user means."""

from __future__ import annotations

import difflib
from collections.abc import Sequence


def class_index(text: str, class_names: Sequence[str]) -> int:
    """Find the class that a text means.

    A text means a class if it is its index, its name, or a part of its name that no other class has. Upper
    and lower case do not matter. Both names in "Haemorhous mexicanus (House Finch)" are names of the class.

    Args:
        text: What the user wrote.
        class_names: The names of the classes.

    Returns:
        The index of the class.

    Raises:
        ValueError: The text means no class, or several; the message lists these or the most similar names.

    >>> birds = ["Haemorhous mexicanus (House Finch)", "Haemorhous purpureus (Purple Finch)", "Corax (Raven)"]
    >>> class_index("house finch", birds), class_index("purp", birds), class_index("2", birds)
    (0, 1, 2)
    """
    text = text.strip()
    if text.removeprefix("-").isdecimal():
        count = len(class_names)
        if len(text) > 18 or not 0 <= int(text) < count:  # Python converts no thousands of digits
            raise ValueError(f"{text[:18]} is not a class: there are {count} (0 to {count - 1})")
        return int(text)
    wanted = text.casefold()
    names = [_names(name.casefold()) for name in class_names]
    for found in (
        [i for i, name in enumerate(class_names) if text == name],
        [i for i, own in enumerate(names) if wanted in own],
        [i for i, own in enumerate(names) if wanted in own[0]],
    ):
        if len(found) > 1:
            listed = _listed(found, class_names)
            raise ValueError(f"{text!r} can mean {listed}: give more of the name, or the index")
        if found:
            return found[0]
    raise ValueError(_no_class(text, names, class_names))


def short(name: str) -> str:
    """Return a short name for titles: the English name of a class that has a Latin name too.

    Args:
        name: The name of a class.

    Returns:
        The part in brackets if there is one, otherwise the name.

    >>> short("Corvus corax (Raven)"), short("zebra")
    ('Raven', 'zebra')
    """
    return _names(name)[-1]


def _names(name: str) -> list[str]:
    """Return the name of a class, and for "Latin (English)" both parts as well."""
    latin, bracket, rest = name.partition(" (")
    return [name, latin, rest.removesuffix(")")] if bracket else [name]


def _no_class(text: str, names: Sequence[Sequence[str]], class_names: Sequence[str]) -> str:
    """Write the message for a text that means no class, with the most similar names or with all names."""
    words = [{*own, *own[0].split()} for own in names]
    near = difflib.get_close_matches(text.casefold(), set().union(*words), n=5, cutoff=0.6)
    similar = list(dict.fromkeys(i for word in near for i, own in enumerate(words) if word in own))
    if similar:
        return f"no class is called {text!r}; the nearest names are {_listed(similar, class_names)}"
    return f"no class is called {text!r}; there are {_listed(range(len(class_names)), class_names)}"


def _listed(indices: Sequence[int], class_names: Sequence[str], most: int = 8) -> str:
    """List classes by name and index, ``most`` of them at most."""
    shown = [f"{class_names[index]} ({index})" for index in indices[:most]]
    return ", ".join(shown) + (f" and {len(indices) - most} more" if len(indices) > most else "")
