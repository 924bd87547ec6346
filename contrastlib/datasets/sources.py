"""Where the data sets of the papers come from, and where they lie."""

from __future__ import annotations

from pathlib import Path

from contrastlib import assets


def papers() -> dict[str, assets.DataSet]:
    """The data sets of the papers, name -> record; each lies in a folder of its own.

    >>> papers()["cub200"].splits
    ('train', 'test')
    """
    return {name: record for name, record in assets.datasets().items() if record.folder}


def folder(name: str) -> Path:
    """Where one of them lies, or would lie."""
    return assets.root() / papers()[name].folder


def check_split(name: str, split: str) -> None:
    """Raise a ValueError, with the splits there are, unless the data set has this one.

    >>> check_split("food101", "test")
    """
    splits = papers()[name].splits
    if split not in splits:
        raise ValueError(f"split is {split!r}: {name} has {', '.join(splits)}")


def missing(name: str, why: str) -> assets.MissingFile:
    """The error for an incomplete data set: where it comes from, where to put it, what to run.

    >>> print(missing("food101", "no folder meta"))
    food101 (101,000 photographs of 101 dishes) is not complete: no folder meta. It comes from
    https://data.vision.ee.ethz.ch/cvl/datasets_extra/food-101/: put it into .../food-101, or run
    `python -m contrastlib data fetch food101`.
    """
    record = papers()[name]
    remedy = record.remedy.format(name=name, folder=folder(name))
    return assets.MissingFile(f"{name} ({record.what}) is not complete: {why.rstrip('.')}. "
                              f"It comes from {record.source}: {remedy}.")
