"""Where the data sets of the papers come from, and where they lie."""

from __future__ import annotations

from typing import NamedTuple

from contrastlib import assets


class Source(NamedTuple):
    """Where a data set comes from, and where it lies: an entry of ``sets.yaml``, which says what each is."""

    what: str
    origin: str
    licence: str
    checksum: str
    preprocessing: str
    folder: str
    parts: list[str]
    splits: list[str]
    remedy: str = "put it into {folder}, or run `python -m contrastlib data fetch {name}`"
    md5: str = ""


SOURCES = {name: Source(**entry) for name, entry in assets.sets().items() if "folder" in entry}
CUB_ADDRESS, CUB_MD5 = SOURCES["cub200"].origin, SOURCES["cub200"].md5


def check_split(name: str, split: str) -> None:
    """Raise a ValueError, with the splits there are, unless the data set has this one.

    >>> check_split("food101", "test")
    """
    if split not in SOURCES[name].splits:
        raise ValueError(f"split is {split!r}: {name} has {', '.join(SOURCES[name].splits)}")


def missing(name: str, why: str) -> assets.MissingFile:
    """The error for an incomplete data set: where it comes from, where to put it, what to run.

    >>> print(missing("food101", "no folder meta"))
    food101 (101,000 photographs of 101 dishes) is not complete: no folder meta. It comes from
    https://data.vision.ee.ethz.ch/cvl/datasets_extra/food-101/: put it into .../food-101, or run
    `python -m contrastlib data fetch food101`.
    """
    source = SOURCES[name]
    remedy = source.remedy.format(name=name, folder=assets.root() / source.folder)
    return assets.MissingFile(f"{name} ({source.what}) is not complete: {why.rstrip('.')}. "
                              f"It comes from {source.origin}: {remedy}.")
