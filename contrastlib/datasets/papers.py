"""The data sets of the papers, in the folders that their makers or torchvision give them, read in place.

None is part of the repository, and ImageNet may not be passed on at all. Each lies in a folder of
``assets.root()``; whatever is missing, the error says where it comes from and where to put it.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision import datasets as torchvision_datasets
from torchvision.datasets.utils import extract_archive

from contrastlib import assets
from contrastlib.datasets import sources
from contrastlib.datasets.base import CROPS, SQUEEZE, Photographs
from contrastlib.datasets.sources import check_split, missing


class Annotation(NamedTuple):
    """What is known about one object of a photograph, in pixels of the crop."""

    box: tuple[float, float, float, float]
    """(x0, y0, x1, y1), cut at the edges of the crop"""
    label: int
    parts: dict[str, tuple[float, float]]
    """name -> (x, y) of the visible parts inside the crop; empty where the data set has none"""


class Listed(Photographs):
    """Photographs listed with paths below a folder.

    Args:
        name: of the data set.
        root: the folder.
        class_names: of the labels.
        entries: (path below the folder, label) of each photograph.
        options: ``resize``, ``crop``, ``crops`` and ``interpolation``, as for :class:`.Photographs`.
    """

    def __init__(self, name: str, root: Path, class_names: Iterable[str], entries: Iterable[tuple[str, int]],
                 **options):
        self.root = root
        super().__init__(name, class_names, entries, **options)

    @cached_property
    def checksum(self) -> str:
        """SHA-256 of what is cheap to read: class names, and path, label and size of each photograph.

        Files of annotations count with path and size. Contents are not read, so that a photograph
        replaced by another of exactly as many bytes goes unnoticed.
        """
        rows = [(name, label, self._size(self.root / name)) for name, label in self.entries]
        rows += [(file.name, self._size(file)) for file in self._annotation_files()]
        return hashlib.sha256(repr((self.class_names, rows)).encode()).hexdigest()

    def open(self, name: str) -> Image.Image:
        """The photograph as it is stored: never turned, as its boxes and the papers' loaders have it."""
        with Image.open(self.root / name) as image:
            pixels = image.convert("RGB")
        pixels.info = {}
        return pixels

    def annotations(self, index: int) -> list[Annotation]:
        """The objects of image ``index`` that have a box; ValueError for a set without boxes."""
        raise ValueError(f"no boxes are read for {self.name}: imagenet-val and cub200 have them")

    def mask(self, index: int) -> Tensor:
        """(crop, crop), True in the boxes of the image's own class, for the pointing game."""
        label = self.entries[index % len(self) // self.crops][1]
        inside = torch.zeros(self.crop, self.crop, dtype=torch.bool)
        for note in self.annotations(index):
            (left, top), (right, bottom) = np.floor(note.box[:2]).astype(int), np.ceil(note.box[2:]).astype(int)
            inside[top:bottom, left:right] |= note.label == label
        return inside

    def objects(self, index: int) -> list[tuple[int, Tensor]]:
        """The image's own class and its :meth:`mask`; nothing where its boxes lie outside of the crop."""
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
        """(scale, offset) in x and y, from pixels of the photograph to pixels of the crop."""
        group, position = divmod(index % len(self), self.crops)
        with Image.open(self.root / self.entries[group][0]) as image:
            size = np.array(image.size)
        if self.resize == SQUEEZE:
            return self.crop / size, np.zeros(2)
        resized = np.array([int(self.resize * side / size.min()) for side in size.tolist()])
        place = CROPS[position]
        centre = [round((side - self.crop) / 2) for side in resized.tolist()]
        corner = np.array([0 if "left" in place else resized[0] - self.crop,
                           0 if "top" in place else resized[1] - self.crop])
        return resized / size, -np.array(centre if place == "centre" else corner)

    def _boxes(self, index: int, boxes: Iterable[tuple[float, float, float, float]]) -> list[tuple]:
        """Boxes of the photograph in the crop; those outside of it are left out."""
        scale, offset = self._to_crop(index)
        corners = np.array(list(boxes), dtype=float).reshape(-1, 2, 2) * scale + offset
        corners = corners.clip(0, self.crop)
        inside = (corners[:, 1] > corners[:, 0]).all(axis=1)
        return [tuple(box.ravel().tolist()) for box in corners[inside]]


class ImageNetVal(Listed):
    """The validation images of ILSVRC2012, as torchvision unpacks them, with their bounding boxes.

    In ``imagenet``: ``meta.bin`` and ``val/WNID/*.JPEG``, which torchvision makes from the archives, and
    ``ILSVRC2012_bbox_val_v3``, the archive of boxes unpacked; without it all but :meth:`annotations` works.
    """

    def __init__(self, **options):
        root = sources.folder("imagenet-val")
        for part in sources.papers()["imagenet-val"].parts:
            sys.audit("contrastlib.file", root / part)  # looked for: see contrastlib.report.staleness
            if not (root / part).exists():
                raise missing("imagenet-val", f"{root / part} is not there")
        try:
            listed = torchvision_datasets.ImageNet(root, split="val", loader=str)
        except (RuntimeError, FileNotFoundError) as error:
            raise assets.CorruptFile(f"{root} does not hold imagenet-val: {error}") from error
        expected = torchvision_datasets.imagenet.load_meta_file(root)[0]
        if set(listed.wnids) != set(expected):
            raise assets.CorruptFile(
                f"{root / 'val'} holds {len(listed.wnids)} classes, and not the {len(expected)} of meta.bin: "
                "delete val/ and unpack the archive anew")
        self.wnids = listed.wnid_to_idx
        super().__init__("imagenet-val", root, map(", ".join, listed.classes), _entries(listed, root), **options)

    def annotations(self, index: int) -> list[Annotation]:
        """The boxes of image ``index``, of all labels, as far as the crop shows them.

        Raises:
            MissingFile: the boxes are not there.
        """
        name = Path(self.entries[index % len(self) // self.crops][0]).stem
        if name not in self._box_files:
            raise assets.MissingFile(
                f"the bounding boxes of {name} are not in {self._box_folder}: get "
                "ILSVRC2012_bbox_val_v3.tgz, after a login at "
                "https://image-net.org/challenges/LSVRC/2012/2012-downloads.php, and unpack it there")
        objects = ElementTree.parse(self._box_files[name]).findall("object")
        notes = []
        for each in objects:
            box = [float(each.findtext(f"bndbox/{side}")) for side in ("xmin", "ymin", "xmax", "ymax")]
            label = self.wnids[each.findtext("name")]
            notes += [Annotation(inside, label, {}) for inside in self._boxes(index, [box])]
        return notes

    @property
    def _box_folder(self) -> Path:
        return self.root / "ILSVRC2012_bbox_val_v3"

    @cached_property
    def _box_files(self) -> dict[str, Path]:
        return {file.stem: file for file in self._box_folder.rglob("*.xml")}

    def _annotation_files(self) -> list[Path]:
        return sorted(self._box_files.values())


class CUB200(Listed):
    """Caltech-UCSD Birds-200-2011 in its own layout, with a box around each bird and its parts.

    Args:
        split: "train" (5,994 photographs) or "test" (5,794).
        options: as for :class:`Listed`.
    """

    def __init__(self, split: str = "test", **options):
        check_split("cub200", split)
        self.folder = sources.folder("cub200")
        try:
            labels = {key: int(label) - 1 for key, label in self._table("image_class_labels.txt")}
            wanted = str(int(split == "train"))
            chosen = {key for key, train in self._table("train_test_split.txt") if train == wanted}
            entries = [(file, labels[key]) for key, file in self._table("images.txt") if key in chosen]
            names = [name.split(".", 1)[-1].replace("_", " ") for _, name in self._table("classes.txt")]
        except (KeyError, ValueError) as error:
            raise assets.CorruptFile(
                f"the tables in {self.folder} do not fit each other: {error!r}") from error
        super().__init__("cub200", self.folder / "images", names, entries, **options)

    def annotations(self, index: int) -> list[Annotation]:
        """The box of the bird and its parts; empty where the crop shows nothing of its box.

        Raises:
            MissingFile: bounding_boxes.txt or a table of parts is not there.
        """
        file, label = self.entries[index % len(self) // self.crops]
        x, y, width, height = self._birds[file]
        scale, offset = self._to_crop(index)
        places = {name: np.array(place) * scale + offset for name, place in self._parts.get(file, {}).items()}
        inside = {name: at for name, at in places.items() if ((at >= 0) & (at < self.crop)).all()}
        parts = {name: tuple(at.tolist()) for name, at in inside.items()}
        return [Annotation(box, label, parts) for box in self._boxes(index, [(x, y, x + width, y + height)])]

    @cached_property
    def _birds(self) -> dict[str, list[float]]:
        names = dict(self._table("images.txt"))
        return {names[key]: [float(value) for value in row.split()]
                for key, row in self._table("bounding_boxes.txt")}

    @cached_property
    def _parts(self) -> dict[str, dict[str, tuple[float, float]]]:
        files_of, names = dict(self._table("images.txt")), dict(self._table("parts/parts.txt"))
        found: dict[str, dict] = {}
        for key, row in self._table("parts/part_locs.txt"):
            part, x, y, visible = row.split()
            if visible == "1":
                found.setdefault(files_of[key], {})[names[part]] = (float(x), float(y))
        return found

    def _annotation_files(self) -> list[Path]:
        return [self.folder / name for name in ("bounding_boxes.txt", "parts/part_locs.txt")]

    def _table(self, name: str) -> list[list[str]]:
        """Rows of a table, split at the first blank."""
        path = self.folder / name
        sys.audit("contrastlib.file", path)
        if not path.is_file():
            raise missing("cub200", f"{path} is not there")
        lines = path.read_text(encoding="utf-8").splitlines()
        return [line.split(maxsplit=1) for line in lines if line.strip()]


def from_torchvision(name: str, maker: str, split: str = "test", **options) -> Listed:
    """A set that torchvision reads and, where that is allowed, downloads.

    Args:
        name: of the data set.
        maker: name of torchvision's class, such as "Food101".
        split: one of the set's splits.
        options: as for :class:`Listed`.
    """
    check_split(name, split)
    sys.audit("contrastlib.file", sources.folder(name))
    try:
        listed = getattr(torchvision_datasets, maker)(assets.root(), split=split, loader=str)
    except (RuntimeError, FileNotFoundError) as error:
        raise missing(name, str(error)) from error
    folder = sources.folder(name)
    return Listed(name, folder, map(str, listed.classes), _entries(listed, folder), **options)


def fetch(name: str) -> Path:
    """Download and unpack a data set where that is allowed; unpack ImageNet's archives; the folder.

    A download of CUB-200 that breaks off goes on where it was; those of the others are torchvision's, and start anew.

    Raises:
        MissingFile: it cannot be had; the message says where it comes from and where to put it.
    """
    record, folder = sources.papers()[name], sources.folder(name)
    try:
        if name == "imagenet-val":
            torchvision_datasets.ImageNet(folder, split="val")
        elif name == "cub200":
            if not (folder / "images.txt").is_file():
                _fetch_archive(record)
        else:
            for split in record.splits:
                getattr(torchvision_datasets, record.arguments["maker"])(assets.root(), split=split, download=True)
    except (OSError, RuntimeError, ValueError) as error:
        raise missing(name, str(error)) from error
    return folder


def _fetch_archive(record: assets.DataSet) -> None:
    from contrastlib.assets.download import download  # requests and pooch are slow to import

    archive = assets.root() / record.source.rpartition("/")[2]
    download(record.source, archive, f"md5:{record.md5}")
    extract_archive(str(archive), str(archive.parent))


def _entries(listed: Iterable[tuple[str, int]], root: Path) -> list[tuple[str, int]]:
    """(path below the root, label) of each image of a torchvision data set whose loader is ``str``."""
    return [(Path(path).relative_to(root).as_posix(), int(label)) for path, label in
            (listed[index] for index in range(len(listed)))]
