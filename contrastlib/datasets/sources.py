"""Sources and folders of the data sets that the papers use."""

from __future__ import annotations

from pathlib import Path

from contrastlib import assets


def papers() -> dict[str, assets.DataSet]:
    """Return the records of the data sets that the papers use, by name.

    Each of them has its own folder below ``assets.root()``.

    >>> papers()["cub200"].splits
    ('train', 'test')
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
    return assets.MissingFile(f"{name} ({record.what}) is not complete: {why.rstrip('.')}. "
                              f"It comes from {record.source}: {remedy}.")
