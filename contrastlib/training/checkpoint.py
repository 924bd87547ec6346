"""Files of a training run: checkpoints and finished weights, each replaced as a whole."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from contrastlib import assets
from contrastlib.assets.writing import replacing, sweep

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
        sweep(self.path.parent)
        if not self.path.exists():
            return []
        identity, states, log = self._read()
        self._check(identity)
        try:
            for name, part in parts.items():
                part.load_state_dict(states[name])
        except Exception as error:  # each part raises errors of its own kinds
            raise CheckpointError(
                f"{self.path} has no state for this run: delete it to start again"
            ) from error
        return log

    def _read(self) -> tuple[dict, dict, list]:
        """Identity, states of the parts and log in the file."""
        try:
            with zipfile.ZipFile(self.path) as whole:  # torch does not compare the checksums in the file
                damaged = whole.testzip()
            if damaged:
                raise zipfile.BadZipFile(f"the checksum of {damaged} is wrong")
            saved = torch.load(self.path, map_location="cpu", weights_only=True)
            return saved["identity"], saved["parts"], saved["log"]
        except Exception as error:  # torch raises many kinds, IndexError for one
            raise CheckpointError(f"{self.path} is no checkpoint: delete it to start again") from error

    def _check(self, found: Mapping[str, Any]) -> None:
        for key, value in self.identity.items():
            if found.get(key) != value:
                raise CheckpointError(
                    f"{self.path} was written with {key} {found.get(key)}, not {value}: "
                    "delete it to start again"
                )

    def save(self, parts: Mapping[str, Stateful], log: list[dict[str, float]]) -> None:
        """Write the states of the parts and the log.

        Args:
            parts: As for :meth:`restore`.
            log: One row per finished epoch.

        Raises:
            CannotWrite: The file cannot be written.
        """
        states = {name: part.state_dict() for name, part in parts.items()}
        with replacing(self.path) as unfinished, open(unfinished, "wb") as file:
            try:
                torch.save({"identity": self.identity, "parts": states, "log": log}, file)
            except RuntimeError as error:  # where torch does not pass on what Python says
                raise error.__context__ if isinstance(error.__context__, OSError) else error


@contextmanager
def replacing_weights(path: Path, weights: Mapping[str, Tensor]) -> Iterator[str]:
    """Write weights to a safetensors file, which gets its name after what belongs to it is written.

    Args:
        path: The file to create or to replace.
        weights: Name -> tensor.

    Yields:
        The SHA-256 of the file, for its card.

    Raises:
        CannotWrite: The file cannot be written.
    """
    with replacing(path) as unfinished:
        try:
            save_file({key: value.contiguous() for key, value in weights.items()}, unfinished)
        except SafetensorError as error:
            raise OSError(str(error)) from error
        yield assets.sha256(unfinished)
