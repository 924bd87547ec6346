"""Classes by name: which one does somebody mean?"""

from __future__ import annotations

import difflib
from collections.abc import Sequence


def class_index(text: str, class_names: Sequence[str]) -> int:
    """The class that is meant: its index, its name in any case, or a part that no other name has.

    Of "Haemorhous mexicanus (House Finch)" each of the two names is one of its own.

    Raises:
        ValueError: no class or several are meant, with the nearest names or with those.

    >>> birds = ["Haemorhous mexicanus (House Finch)", "Haemorhous purpureus (Purple Finch)", "Corvus corax (Raven)"]
    >>> class_index("house finch", birds), class_index("purp", birds), class_index("2", birds)
    (0, 1, 2)
    """
    text = text.strip()
    if text.removeprefix("-").isdecimal():
        if not 0 <= int(text) < len(class_names):
            raise ValueError(f"{text} is not a class: there are {len(class_names)} (0 to {len(class_names) - 1})")
        return int(text)
    wanted = text.casefold()
    names = [_names(name.casefold()) for name in class_names]
    for found in (
        [i for i, name in enumerate(class_names) if text == name],
        [i for i, own in enumerate(names) if wanted in own],
        [i for i, own in enumerate(names) if wanted in own[0]],
    ):
        if len(found) > 1:
            raise ValueError(f"{text!r} can mean {_listed(found, class_names)}: give more of the name, or the index")
        if found:
            return found[0]
    parts = [{*own, *own[0].split()} for own in names]
    near = difflib.get_close_matches(wanted, set().union(*parts), n=5, cutoff=0.6)
    meant = list(dict.fromkeys(i for word in near for i, own in enumerate(parts) if word in own))
    if meant:
        raise ValueError(f"no class is called {text!r}; the nearest names are {_listed(meant, class_names)}")
    raise ValueError(f"no class is called {text!r}; there are {_listed(range(len(class_names)), class_names)}")


def short(name: str) -> str:
    """A name for a title: the English one, where a class has a Latin one too.

    >>> short("Corvus corax (Raven)"), short("zebra")
    ('Raven', 'zebra')
    """
    return _names(name)[-1]


def _names(name: str) -> list[str]:
    """The whole name, and of "Latin (English)" both parts."""
    latin, bracket, rest = name.partition(" (")
    return [name, latin, rest.removesuffix(")")] if bracket else [name]


def _listed(indices: Sequence[int], class_names: Sequence[str], most: int = 8) -> str:
    shown = [f"{class_names[index]} ({index})" for index in indices[:most]]
    return ", ".join(shown) + (f" and {len(indices) - most} more" if len(indices) > most else "")
