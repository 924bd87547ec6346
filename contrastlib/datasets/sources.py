"""Sources and folders of the data sets that the papers use, and their archives."""

from __future__ import annotations

import tarfile
import tempfile
from pathlib import Path

from contrastlib import assets


def papers() -> dict[str, assets.DataSet]:
    """Return the records of the data sets that the papers use, by name.

    Each of them has its own folder below ``assets.root()``.

    >>> papers()["cub200"].splits
    {'train': 5994, 'test': 5794}
    """
    return {name: record for name, record in assets.datasets().items() if record.folder}


def folder(name: str) -> Path:
    """Return the folder of a data set of the papers, whether it exists or not."""
    return assets.root() / papers()[name].folder


def check_split(name: str, split: str) -> None:
    """Check that a data set of the papers has this split.

    Raises:
        ValueError: It does not; the message lists its splits.

    >>> check_split("food101", "test")
    """
    splits = papers()[name].splits
    if split not in splits:
        raise ValueError(f"split is {split!r}: {name} has {', '.join(splits)}")


def missing(name: str, why: str) -> assets.MissingFile:
    """Return the error for an incomplete data set.

    The message names the source of the data set, the folder it belongs in, and the command that downloads it.

    Args:
        name: Name of the data set.
        why: What is missing.

    >>> print(missing("food101", "no folder meta"))
    food101 (101,000 photographs of 101 dishes) is not complete: no folder meta. It comes from
    https://data.vision.ee.ethz.ch/cvl/datasets_extra/food-101/: put it into .../food-101, or run
    `python -m contrastlib data fetch food101`.
    """
    record = papers()[name]
    remedy = record.remedy.format(name=name, folder=folder(name))
    return assets.MissingFile(
        f"{name} ({record.what}) is not complete: {why.rstrip('.')}. It comes from {record.source}: {remedy}."
    )


def corrupt(name: str, what: Path | str, why: object) -> assets.CorruptFile:
    """Return the error for a damaged file of a data set.

    Args:
        name: Name of the data set.
        what: The file, or the file and the line.
        why: What is wrong with it.

    >>> print(corrupt("food101", "test.json", "it is empty"))
    test.json of food101 cannot be read: it is empty. Delete it and get it again from
    https://data.vision.ee.ethz.ch/cvl/datasets_extra/food-101/.
    """
    return assets.CorruptFile(
        f"{what} of {name} cannot be read: {why}. Delete it and get it again from {papers()[name].source}."
    )


def unpack(archive: Path, name: str) -> None:
    """Unpack a folder of a tar archive beside the archive. The folder gets its name when it is complete.

    Args:
        archive: The archive.
        name: Name of the folder.

    Raises:
        FileExistsError: There is such a folder.
        tarfile.TarError: The archive is damaged, or a path in it leads out of the folder.
    """
    folder = archive.parent / name
    if folder.exists():
        raise FileExistsError(f"{folder} is there already, and is not complete: remove it and try again")
    with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=archive.parent) as scratch:
        with tarfile.open(archive) as content:
            if hasattr(tarfile, "data_filter"):
                content.extraction_filter = tarfile.data_filter
                content.extractall(scratch)
            else:  # before Python 3.11.4
                content.extractall(scratch, [_inside(member, Path(scratch)) for member in content])
        (Path(scratch) / name).replace(folder)


def _inside(member: tarfile.TarInfo, folder: Path) -> tarfile.TarInfo:
    """Return a member of an archive without leading slashes in its path, as ``tarfile.data_filter`` does.

    Raises:
        tarfile.TarError: Its path leads out of the folder, or it is neither a file nor a folder.
    """
    member.name = member.name.lstrip("/")
    if not (folder / member.name).resolve().is_relative_to(folder.resolve()):
        raise tarfile.TarError(f"{member.name!r} would be extracted outside the destination")
    if not (member.isfile() or member.isdir()):
        raise tarfile.TarError(f"{member.name!r} is neither a file nor a folder")
    return member
