"""The data sets of the papers, read in the folder layout of their authors or of torchvision.

None of them is part of the repository. Each belongs in its own folder below ``assets.root()``. If something
is missing, the error names its source and its folder.
"""

from __future__ import annotations

import hashlib
import math
import sys
import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from pickle import UnpicklingError
from typing import Any
from xml.etree import ElementTree

import numpy as np
from torchvision import datasets as torchvision_datasets

from contrastlib import assets
from contrastlib.datasets import sources
from contrastlib.datasets.base import wrong_label
from contrastlib.datasets.listed import Annotation, Box, Listed
from contrastlib.datasets.sources import check_split, corrupt, missing, unpack


class ImageNetVal(Listed):
    """The validation images of ILSVRC2012 with their bounding boxes.

    The folder ``imagenet`` holds ``meta.bin`` and ``val/WNID/*.JPEG``, which torchvision makes from the
    archives, and ``ILSVRC2012_bbox_val_v3``, the unpacked archive of boxes. Only :meth:`annotations` needs
    the boxes.

    Args:
        **options: ``resize``, ``crop``, ``crops`` and ``interpolation`` of :class:`.Photographs`.

    Attributes:
        wnids: Label of each WordNet identifier.

    Raises:
        MissingFile: ``meta.bin`` or ``val`` does not exist.
        CorruptFile: ``meta.bin`` is damaged, or ``val`` does not hold all classes.
    """

    def __init__(self, **options: Any) -> None:
        """List the images."""
        root = sources.folder("imagenet-val")
        for part in sources.papers()["imagenet-val"].parts:
            sys.audit("contrastlib.file", root / part)  # recorded by contrastlib.report.notebooks.staleness
            if not (root / part).exists():
                raise missing("imagenet-val", f"{root / part} is not there")
        try:
            listed = torchvision_datasets.ImageNet(root, split="val", loader=str)
            expected = torchvision_datasets.imagenet.load_meta_file(root)[0]
        except Exception as error:  # a damaged meta.bin raises errors of many kinds
            why = "meta.bin is damaged" if isinstance(error, UnpicklingError) else error
            raise assets.CorruptFile(
                f"{root} does not hold imagenet-val: {why}: delete meta.bin and val/ "
                "and unpack the archives anew"
            ) from error
        if set(listed.wnids) != set(expected):
            raise assets.CorruptFile(
                f"{root / 'val'} holds {len(listed.wnids)} classes, and not the {len(expected)} of meta.bin: "
                "delete val/ and unpack the archive anew"
            )
        self.wnids = listed.wnid_to_idx
        names = map(", ".join, listed.classes)
        super().__init__("imagenet-val", root, names, _entries(listed, root), **options)

    def annotations(self, index: int) -> list[Annotation]:
        """Return the boxes of all objects of an image, clipped to the crop.

        Raises:
            MissingFile: The boxes of the image do not exist.
            CorruptFile: The file of its boxes is damaged.
        """
        name = Path(self.entries[index % len(self) // self.crops][0]).stem
        if name not in self._box_files:
            raise assets.MissingFile(
                f"the bounding boxes of {name} are not in {self._box_folder}: get "
                "ILSVRC2012_bbox_val_v3.tgz, after a login at "
                "https://image-net.org/challenges/LSVRC/2012/2012-downloads.php, and unpack it there"
            )
        return [
            Annotation(inside, label, {})
            for label, box in self._objects_in(self._box_files[name])
            for inside in self._boxes_in_crop(index, [box])
        ]

    def _objects_in(self, file: Path) -> list[tuple[int, Box]]:
        """Read label and box of each object in an XML file."""
        sides = ("xmin", "ymin", "xmax", "ymax")
        try:
            return [
                (
                    self.wnids[each.findtext("name")],
                    tuple(finite(each.findtext(f"bndbox/{side}", "")) for side in sides),
                )
                for each in ElementTree.parse(file).findall("object")
            ]
        except (ElementTree.ParseError, KeyError, ValueError) as error:
            why = f"there is no class {error}" if isinstance(error, KeyError) else error
            raise corrupt("imagenet-val", file, why) from error

    @property
    def _box_folder(self) -> Path:
        return self.root / "ILSVRC2012_bbox_val_v3"

    @cached_property
    def _box_files(self) -> dict[str, Path]:
        return {file.stem: file for file in self._box_folder.rglob("*.xml")}

    @cached_property
    def annotation_checksum(self) -> str:
        """SHA-256 of the name and size of each file of boxes."""
        rows = sorted((file.name, self._size(file)) for file in self._box_files.values())
        return hashlib.sha256(repr(rows).encode()).hexdigest()


class CUB200(Listed):
    """Caltech-UCSD Birds-200-2011 in its own layout, with the box and the parts of each bird.

    Args:
        split: "train" (5,994 photographs) or "test" (5,794).
        **options: ``resize``, ``crop``, ``crops`` and ``interpolation`` of :class:`.Photographs`.

    Attributes:
        folder: Folder of the tables.

    Raises:
        ValueError: The data set has no such split.
        MissingFile: A table does not exist.
        CorruptFile: A line of a table is wrong, or the tables contradict each other.
    """

    def __init__(self, split: str = "test", **options: Any) -> None:
        """Read the tables."""
        check_split("cub200", split)
        self.folder = sources.folder("cub200")
        names = [name.split(".", 1)[-1].replace("_", " ") for _, name in self._table("classes.txt")]

        def counted_from_0(text: str) -> int:
            if why := wrong_label(int(text) - 1, len(names)):
                raise ValueError(why)
            return int(text) - 1

        labels = dict(self._table("image_class_labels.txt", counted_from_0))
        wanted = str(int(split == "train"))
        chosen = {key for key, train in self._table("train_test_split.txt") if train == wanted}
        with self._fitting():
            entries = [(file, labels[key]) for key, file in self._table("images.txt") if key in chosen]
        super().__init__("cub200", self.folder / "images", names, entries, **options)

    def annotations(self, index: int) -> list[Annotation]:
        """Return the box and the parts of the bird; nothing if its box lies outside the crop.

        Raises:
            MissingFile: ``bounding_boxes.txt`` or a table of parts does not exist.
        """
        file, label = self.entries[index % len(self) // self.crops]
        with self._fitting():
            x, y, width, height = self._birds[file]
        scale, offset = self._to_crop(index)
        positions = {part: np.array(xy) * scale + offset for part, xy in self._parts.get(file, {}).items()}
        parts = {
            part: tuple(xy.tolist()) for part, xy in positions.items() if ((xy >= 0) & (xy < self.crop)).all()
        }
        boxes = self._boxes_in_crop(index, [(x, y, x + width, y + height)])
        return [Annotation(box, label, parts) for box in boxes]

    @cached_property
    def _birds(self) -> dict[str, Box]:
        names, boxes = dict(self._table("images.txt")), self._table("bounding_boxes.txt", _box)
        with self._fitting():
            return {names[key]: box for key, box in boxes}

    @cached_property
    def _parts(self) -> dict[str, dict[str, tuple[float, float]]]:
        files_of, names = dict(self._table("images.txt")), dict(self._table("parts/parts.txt"))
        found: dict[str, dict] = {}
        with self._fitting():
            for key, (part, position, visible) in self._table("parts/part_locs.txt", _part):
                if visible:
                    found.setdefault(files_of[key], {})[names[part]] = position
        return found

    @contextmanager
    def _fitting(self) -> Iterator[None]:
        """Name the tables if one has a key that another one lacks."""
        try:
            yield
        except KeyError as error:
            raise assets.CorruptFile(
                f"the tables in {self.folder} do not fit each other: one lacks {error}. Delete the folder "
                "and run `python -m contrastlib data fetch cub200`."
            ) from error

    def _annotation_files(self) -> list[Path]:
        return [self.folder / name for name in ("bounding_boxes.txt", "parts/part_locs.txt")]

    def _table(self, name: str, parse: Callable[[str], Any] = str) -> list[tuple[str, Any]]:
        """Return the rows of a table: the key, and the parsed rest of the line."""
        path, rows = self.folder / name, []
        sys.audit("contrastlib.file", path)
        if not path.is_file():
            raise missing("cub200", f"{path} is not there")
        for number, line in enumerate(path.read_bytes().splitlines(), 1):
            if line.strip():
                try:
                    key, rest = line.decode().split(maxsplit=1)
                    rows.append((key, parse(rest.strip())))
                except ValueError as error:
                    raise corrupt("cub200", f"line {number} of {path}", error) from error
        return rows


def finite(text: str) -> float:
    """Read a finite number.

    Raises:
        ValueError: The text is none.

    >>> finite("2.5")
    2.5
    """
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is not finite")
    return number


def _box(text: str) -> Box:
    x, y, width, height = map(finite, text.split())
    return x, y, width, height


def _part(text: str) -> tuple[str, tuple[float, float], bool]:
    part, x, y, visible = text.split()
    return part, (finite(x), finite(y)), visible == "1"


def from_torchvision(name: str, maker: str, split: str = "test", **options: Any) -> Listed:
    """Load a data set that torchvision reads.

    Args:
        name: Name of the data set.
        maker: Name of torchvision's class, such as "Food101".
        split: One of the splits of the data set.
        **options: ``resize``, ``crop``, ``crops`` and ``interpolation`` of :class:`.Photographs`.

    Raises:
        ValueError: The data set has no such split.
        MissingFile: torchvision does not find its files.
        CorruptFile: torchvision cannot read its files.
    """
    check_split(name, split)
    sys.audit("contrastlib.file", sources.folder(name))
    folder = sources.folder(name)
    try:
        listed = getattr(torchvision_datasets, maker)(assets.root(), split=split, loader=str)
        entries = _entries(listed, folder)
    except (RuntimeError, FileNotFoundError) as error:
        raise missing(name, str(error)) from error
    except Exception as error:  # damaged tables raise errors of many kinds
        raise corrupt(name, f"a table in {folder}", f"{type(error).__name__}: {error}") from error
    return Listed(name, folder, map(str, listed.classes), entries, **options)


def fetch(name: str) -> Path:
    """Download and unpack a data set whose licence allows it, or unpack the archives of ImageNet.

    An interrupted download of CUB-200 is resumed. torchvision downloads the other data sets, and starts again
    from the beginning.

    Args:
        name: Name of the data set.

    Returns:
        Its folder.

    Raises:
        MissingFile: The data set cannot be downloaded; the message names its source and its folder.
    """
    record = sources.papers()[name]
    try:
        assets.imported(record.fetch)(record)
    except (OSError, RuntimeError, ValueError, tarfile.TarError, EOFError, zlib.error) as error:
        raise missing(name, str(error)) from error
    return sources.folder(name)


def unpack_imagenet(record: assets.DataSet) -> None:
    """Unpack the archives of ImageNet in its folder."""
    torchvision_datasets.ImageNet(sources.folder(record.name), split="val")


def fetch_archive(record: assets.DataSet) -> None:
    """Download the archive of a data set and unpack its folder, unless its parts are there."""
    from contrastlib.assets.download import download  # requests is slow to import

    if all((sources.folder(record.name) / part).exists() for part in record.parts):
        return
    archive = assets.root() / record.source.rpartition("/")[2]
    download(record.source, archive, f"md5:{record.md5}")
    unpack(archive, record.folder)


def fetch_from_torchvision(record: assets.DataSet) -> None:
    """Let torchvision download all splits of a data set."""
    maker = getattr(torchvision_datasets, record.arguments["maker"])
    for split in record.splits:
        maker(assets.root(), split=split, download=True)


def _entries(listed: Iterable[tuple[str, int]], root: Path) -> list[tuple[str, int]]:
    """Return (path below the root, label) of each image of a torchvision data set whose loader is ``str``."""
    return [
        (Path(path).relative_to(root).as_posix(), int(label))
        for path, label in (listed[index] for index in range(len(listed)))
    ]
