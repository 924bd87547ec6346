"""Data sets made of a folder of images."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from PIL import Image
from torchvision.datasets.folder import IMG_EXTENSIONS

from contrastlib.datasets.base import Photographs


class Folder(Photographs):
    """The images of a folder that has one subfolder for each class.

    Classes are the subfolders in sorted order. The images of a class are the files below its subfolder, at
    any depth, in sorted order. A folder without subfolders is one class. Names that begin with a dot are
    ignored.

    Args:
        root: The folder.
        **options: ``resize``, ``crop``, ``crops`` and ``interpolation`` of :class:`.Photographs`.

    Attributes:
        root: The folder.

    Raises:
        FileNotFoundError: The folder does not exist.
        ValueError: The folder holds no images, or holds images both directly and in subfolders.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Path(folder, "owl").mkdir()
    ...     Image.new("RGB", (300, 400)).save(Path(folder, "owl", "1.png"))
    ...     image, label, group, name = Folder(folder)[0]
    >>> image.shape, label, name
    (torch.Size([3, 224, 224]), 0, 'owl/1.png')
    """

    def __init__(self, root: str | Path, **options: Any) -> None:
        """List the images."""
        self.root = Path(root).expanduser()
        if not self.root.is_dir():
            raise FileNotFoundError(f"there is no folder {self.root}")
        loose, classes = [], {}
        for file in filter(self._is_image, _files(self.root)):
            above = file.relative_to(self.root).parts[:-1]
            (classes.setdefault(above[0], []) if above else loose).append(file)
        if loose and classes:
            raise ValueError(
                f"{self.root} holds images ({loose[0].name}) beside folders of images "
                f"({next(iter(classes))}): move the images into the folder of their class"
            )
        if not loose and not classes:
            raise ValueError(
                f"{self.root} holds no images: put files ending in {', '.join(IMG_EXTENSIONS)} "
                "there, or in a subfolder for each class"
            )
        classes = classes or {self.root.resolve().name: loose}
        entries = [
            (file.relative_to(self.root).as_posix(), label)
            for label, images in enumerate(classes.values())
            for file in images
        ]
        super().__init__("folder", classes, entries, **options)

    @cached_property
    def checksum(self) -> str:
        """SHA-256 of the names and contents of all images. Its first use reads all images."""
        whole = hashlib.sha256()
        for name, _ in self.entries:
            content = hashlib.sha256((self.root / name).read_bytes()).hexdigest()
            whole.update(f"{content}  {name}\n".encode(errors="surrogateescape"))
        return whole.hexdigest()

    def open(self, name: str) -> Image.Image:
        """Open the image with this path below the folder."""
        return Image.open(self.root / name)

    def _is_image(self, file: Path) -> bool:
        hidden = any(part.startswith(".") for part in file.relative_to(self.root).parts)
        return file.suffix.lower() in IMG_EXTENSIONS and not hidden and file.is_file()


def _files(folder: Path, above: tuple[Path, ...] = ()) -> Iterator[Path]:
    """The files below a folder, in sorted order. Links are followed, but not to a folder above."""
    own = folder.resolve()
    for entry in sorted(folder.iterdir()) if own not in above else ():
        if entry.is_dir():
            yield from _files(entry, (*above, own))
        else:
            yield entry
