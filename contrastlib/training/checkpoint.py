"""Checkpoints: the state of an interrupted training run, in a file that is replaced as a whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from torch.distributed.checkpoint.stateful import Stateful


class CheckpointError(ValueError):
    """A checkpoint belongs to another training run, or cannot be read."""


@dataclass(frozen=True)
class Checkpoint:
    """The file that a training run continues from.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     checkpoint = Checkpoint(Path(folder) / "it.checkpoint", {"seed": 0})
    ...     checkpoint.save({"network": torch.nn.Linear(1, 1)}, log=[{"epoch": 1}])
    ...     checkpoint.restore({"network": torch.nn.Linear(1, 1)})
    [{'epoch': 1}]
    """

    path: Path
    identity: dict[str, Any]
    """what decides the weights, such as the recipe: a checkpoint with another identity is refused"""

    def restore(self, parts: Mapping[str, Stateful]) -> list[dict[str, float]]:
        """Load the saved states into the parts of a run.

        Args:
            parts: name -> the network, the optimiser and whatever else has a state.

        Returns:
            The log, one row per finished epoch; empty, and the parts unchanged, if there is no file.

        Raises:
            CheckpointError: The file has another identity, or is no checkpoint.
        """
        if not self.path.exists():
            return []
        try:
            saved = torch.load(self.path, map_location="cpu", weights_only=True)
        except Exception as error:  # torch raises many kinds, IndexError for one
            raise CheckpointError(f"{self.path} is no checkpoint: delete it to start again") from error
        self._check(saved.get("identity", {}))
        for name, part in parts.items():
            part.load_state_dict(saved["parts"][name])
        return saved["log"]

    def _check(self, found: Mapping[str, Any]) -> None:
        for key, value in self.identity.items():
            if found.get(key) != value:
                raise CheckpointError(f"{self.path} was written with {key} {found.get(key)}, not {value}: "
                                      "delete it to start again")

    def save(self, parts: Mapping[str, Stateful], log: list[dict[str, float]]) -> None:
        """Write the states of the parts and the log.

        Args:
            parts: As for :meth:`restore`.
            log: One row per finished epoch.
        """
        states = {name: part.state_dict() for name, part in parts.items()}
        with replacing(self.path) as unfinished:
            torch.save({"identity": self.identity, "parts": states, "log": log}, unfinished)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Write a file so that it is never seen half written: a file beside it takes its name at the end.

    Args:
        path: The file to create or to replace; its folder is created if needed.

    Yields:
        The path to write to.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    yield unfinished
    unfinished.replace(path)
