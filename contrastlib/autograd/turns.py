"""Turns of the threads that run the same network, and what threads that run different networks share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from threading import Condition, Lock, get_ident

import torch
from torch import Tensor, nn

_changed = Condition()
_running: list[tuple[int, frozenset[int]]] = []  # threads, with the modules and parameters that they run


@contextmanager
def turn(parts: Iterable[nn.Module | Tensor]) -> Iterator[None]:
    """Wait until no other thread has a turn with any of these modules and parameters, and take one.

    Threads whose networks have nothing in common run at the same time. A thread can take several turns, one
    inside the other.

    Args:
        parts: The modules and parameters of a network.

    Yields:
        Nothing.

    >>> net = nn.Linear(2, 1)
    >>> with turn([net]):
    ...     has_turn(net)
    True
    """
    thread, own = get_ident(), frozenset(map(id, parts))
    entry = thread, own

    def is_free() -> bool:
        return all(own.isdisjoint(theirs) for other, theirs in _running if other != thread)

    with _changed:
        _changed.wait_for(is_free)
        _running.append(entry)
    try:
        yield
    finally:
        with _changed:
            _running.remove(entry)
            _changed.notify_all()


def has_turn(model: nn.Module) -> bool:
    """Tell whether this thread has a turn with a model.

    Args:
        model: The model.

    Returns:
        Whether this thread is inside :func:`turn` with the model among its parts.

    >>> has_turn(nn.Linear(2, 1))
    False
    """
    thread = get_ident()
    return any(owner == thread and id(model) in parts for owner, parts in _running.copy())


class _Eager:
    """A context without ``torch.compile``, whose compiled code calls no hooks.

    The stance of the compiler belongs to the process. The first thread that enters changes it, and the last
    one that leaves restores it.
    """

    def __init__(self) -> None:
        self._lock, self._inside = Lock(), 0

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._stance = torch.compiler.set_stance("force_eager")
            self._inside += 1

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._stance.__exit__(*error)


EAGER = _Eager()
"""The context without ``torch.compile``, for all threads."""
