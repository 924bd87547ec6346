"""Photographs in folders, with the bounding boxes and part positions of their objects."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from contrastlib.datasets.base import CROPS, SQUEEZE, Photographs, reading
from contrastlib.datasets.sources import missing, papers

Box = tuple[float, float, float, float]
"""Corners (x0, y0, x1, y1) in pixels."""


class Annotation(NamedTuple):
    """One annotated object of a photograph, in pixels of the crop."""

    box: Box
    """Bounding box, clipped to the crop."""
    label: int
    """Index of its class in ``class_names``."""
    parts: dict[str, tuple[float, float]]
    """Position (x, y) of each visible part inside the crop, by name. Empty if the data set has no parts."""


class Listed(Photographs):
    """Photographs given by a list of paths below a folder.

    Args:
        name: Name of the data set.
        root: The folder.
        class_names: Names of the classes, in the order of the labels.
        entries: (path below the folder, label) of each photograph.
        **options: ``resize``, ``crop``, ``crops`` and ``interpolation`` of :class:`.Photographs`.

    Attributes:
        root: The folder.
    """

    def __init__(
        self,
        name: str,
        root: Path,
        class_names: Iterable[str],
        entries: Iterable[tuple[str, int]],
        **options: Any,
    ) -> None:
        """Keep the folder and the list."""
        self.root = root
        super().__init__(name, class_names, entries, **options)

    @cached_property
    def checksum(self) -> str:
        """SHA-256 of the class names and of the path, label and file size of each photograph.

        Annotation files are included with path and size. File contents are not read, so a photograph that is
        replaced by another one of the same size is not noticed.
        """
        rows = [(name, label, self._size(self.root / name)) for name, label in self.entries]
        rows += [(file.name, self._size(file)) for file in self._annotation_files()]
        return hashlib.sha256(repr((self.class_names, rows)).encode()).hexdigest()

    def open(self, name: str) -> Image.Image:
        """Open a photograph in RGB, without turning it.

        Orientation tags are ignored, because the boxes and the loaders of the papers refer to the stored
        pixels.
        """
        with Image.open(self.root / name) as image:
            pixels = image.convert("RGB")
        pixels.info = {}
        return pixels

    def annotations(self, index: int) -> list[Annotation]:
        """Return the annotated objects of an image.

        Raises:
            ValueError: The data set has no bounding boxes.
        """
        others = " and ".join(name for name, record in papers().items() if record.boxes)
        raise ValueError(f"no boxes are read for {self.name}: {others} have them")

    def mask(self, index: int) -> Tensor:
        """Return a mask (crop, crop) of the boxes of the image's own class, for the pointing game."""
        label = self.entries[index % len(self) // self.crops][1]
        inside = torch.zeros(self.crop, self.crop, dtype=torch.bool)
        for note in self.annotations(index):
            left, top = np.floor(note.box[:2]).astype(int)
            right, bottom = np.ceil(note.box[2:]).astype(int)
            inside[top:bottom, left:right] |= note.label == label
        return inside

    def objects(self, index: int) -> list[tuple[int, Tensor]]:
        """Return the image's own class with its :meth:`mask`, or nothing if no box is in the crop."""
        mask = self.mask(index)
        return [(self.entries[index % len(self) // self.crops][1], mask)] if mask.any() else []

    def _annotation_files(self) -> list[Path]:
        return []

    def _size(self, file: Path) -> int:
        try:
            return file.stat().st_size
        except FileNotFoundError as error:
            raise missing(self.name, f"{file} is not there") from error

    def _to_crop(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Return (scale, offset) in x and y that map pixels of the photograph to pixels of the crop."""
        group, position = divmod(index % len(self), self.crops)
        name = self.entries[group][0]
        with reading(f"{name} of {self.name}"), Image.open(self.root / name) as image:
            size = np.array(image.size)
        if self.resize == SQUEEZE:
            return self.crop / size, np.zeros(2)
        resized = np.array([int(self.resize * side / size.min()) for side in size.tolist()])
        centre = [round((side - self.crop) / 2) for side in resized.tolist()]
        corner = np.array(
            [
                0 if "left" in CROPS[position] else resized[0] - self.crop,
                0 if "top" in CROPS[position] else resized[1] - self.crop,
            ]
        )
        return resized / size, -np.array(centre if CROPS[position] == "centre" else corner)

    def _boxes_in_crop(self, index: int, boxes: Iterable[Box]) -> list[Box]:
        """Map boxes of the photograph to the crop, and drop those outside of it."""
        scale, offset = self._to_crop(index)
        corners = np.array(list(boxes), dtype=float).reshape(-1, 2, 2) * scale + offset
        corners = corners.clip(0, self.crop)
        inside = (corners[:, 1] > corners[:, 0]).all(axis=1)
        return [tuple(box.ravel().tolist()) for box in corners[inside]]
