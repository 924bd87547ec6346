"""Where the data sets of the papers come from, and where they lie."""

from __future__ import annotations

from typing import NamedTuple

from contrastlib import files

CUB_ADDRESS = "https://data.caltech.edu/records/65de6-vp158/files/CUB_200_2011.tgz"
CUB_MD5 = "97eceeb196236b17998738112f37df78"


class Source(NamedTuple):
    """Where a data set comes from, and where it lies."""

    folder: str
    """in ``files.root()``"""
    splits: tuple[str, ...]
    """the one to train on first, the one to test on last"""
    what: str
    origin: str
    remedy: str = "put it into {folder}, or run `python -m contrastlib data fetch {name}`"


SOURCES = {
    "imagenet-val": Source(
        "imagenet", ("val",), "the 50,000 validation images of ILSVRC2012",
        "ILSVRC2012_img_val.tar and ILSVRC2012_devkit_t12.tar.gz, after a login at "
        "https://image-net.org/challenges/LSVRC/2012/2012-downloads.php",
        "put both archives into {folder} and unpack them with `python -m contrastlib data fetch {name}`"),
    "cub200": Source(
        "CUB_200_2011", ("train", "test"), "11,788 photographs of 200 bird species", CUB_ADDRESS),
    "fgvc-aircraft": Source(
        "fgvc-aircraft-2013b", ("trainval", "train", "val", "test"), "10,000 photographs of 100 aircraft",
        "https://www.robots.ox.ac.uk/~vgg/data/fgvc-aircraft/"),
    "food101": Source(
        "food-101", ("train", "test"), "101,000 photographs of 101 dishes",
        "https://data.vision.ee.ethz.ch/cvl/datasets_extra/food-101/"),
    "flowers102": Source(
        "flowers-102", ("train", "val", "test"), "8,189 photographs of 102 flowers",
        "https://www.robots.ox.ac.uk/~vgg/data/flowers/102/"),
    "stanford-cars": Source(
        "stanford_cars", ("train", "test"), "16,185 photographs of 196 cars",
        "Krause et al. 2013, whose address is gone",
        "put a copy into {folder}, in the layout of torchvision's StanfordCars: cars_train/, cars_test/, "
        "devkit/, cars_test_annos_withlabels.mat"),
}  # fmt: skip


def check_split(name: str, split: str) -> None:
    """Raise a ValueError, with the splits there are, unless the data set has this one.

    >>> check_split("food101", "test")
    """
    if split not in SOURCES[name].splits:
        raise ValueError(f"split is {split!r}: {name} has {', '.join(SOURCES[name].splits)}")


def missing(name: str, why: str) -> files.MissingFile:
    """The error for an incomplete data set: where it comes from, where to put it, what to run.

    >>> print(missing("food101", "no folder meta"))
    food101 (101,000 photographs of 101 dishes) is not complete: no folder meta. It comes from
    https://data.vision.ee.ethz.ch/cvl/datasets_extra/food-101/: put it into .../food-101, or run
    `python -m contrastlib data fetch food101`.
    """
    source = SOURCES[name]
    remedy = source.remedy.format(name=name, folder=files.root() / source.folder)
    return files.MissingFile(f"{name} ({source.what}) is not complete: {why.rstrip('.')}. "
                             f"It comes from {source.origin}: {remedy}.")
