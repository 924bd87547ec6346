"""Checkpoints: the state of an interrupted training run, in a file that is replaced as a whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError

from contrastlib.assets.writing import CannotWrite, writing

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
            CheckpointError: The file has another identity, is no checkpoint, or is damaged.
        """
        if not self.path.exists():
            return []
        try:
            saved = torch.load(self.path, map_location="cpu", weights_only=True)
        except Exception as error:  # torch raises many kinds, IndexError for one
            raise CheckpointError(f"{self.path} is no checkpoint: delete it to start again") from error
        if not (isinstance(saved, dict) and isinstance(saved.get("identity"), dict)):
            raise CheckpointError(f"{self.path} is no checkpoint of contrastlib: delete it to start again")
        self._check(saved["identity"])
        try:
            for name, part in parts.items():
                part.load_state_dict(saved["parts"][name])
            return list(saved["log"])
        except Exception as error:  # each part raises kinds of its own
            why = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
            raise CheckpointError(f"{self.path} is damaged ({why}): delete it to start again") from error

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

        Raises:
            CannotWrite: The file cannot be written.
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

    Raises:
        CannotWrite: Writing failed. An older file stays as it was.
    """
    unfinished = path.with_suffix(".part")
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield unfinished
        except (RuntimeError, SafetensorError) as error:  # of torch and safetensors, for a full disk
            unfinished.unlink(missing_ok=True)
            why = " ".join(str(error).split())[:200]
            raise CannotWrite(f"{path} cannot be written ({why}): see whether its disk is full") from error
        unfinished.replace(path)
