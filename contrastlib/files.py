"""The files that contrastlib reads: what they are, where they lie, whether they are sound.

``files.yaml`` beside this module says for every file what it is, where it comes from, under which licence,
and its checksum. Files lie flat in one folder, ``$CONTRASTLIB_DATA`` or ``data/downloads`` in the repository.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import os
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import yaml

REGISTRY = Path(__file__).with_name("files.yaml")
DEFAULT_ROOT = Path(__file__).parents[1] / "data" / "downloads"
WEIGHTS = Path(__file__).parents[1] / "data" / "weights"  # of the networks that the project trained, with their cards


class DataError(RuntimeError):
    """A data or weight file cannot be used; the message says which, why, and what to do."""


class MissingFile(DataError):
    """The file is not where it should be."""


class CorruptFile(DataError):
    """The file is there, but its content is not what it should be."""


def unknown(what: str, name: str, known: Iterable[str]) -> ValueError:
    """The error for a name that does not exist, with the nearest names that do.

    >>> print(unknown("data set", "cifar-test", ["cifar10-test", "zebra-elephant"]))
    unknown data set 'cifar-test': did you mean 'cifar10-test'?
    """
    known = sorted(known)
    command = "explain --help" if what == "network" else "data"
    listed = ", ".join(known) if len(known) <= 20 else f"{len(known)} to choose from: `python -m contrastlib {command}`"
    ends = [entry for entry in known if entry.rpartition("/")[2] == name]  # torchvision/resnet50 for resnet50
    near = ends or difflib.get_close_matches(name, known, n=3, cutoff=0.5) or [k for k in known if k.startswith(name)][:3]
    if near:
        return ValueError(f"unknown {what} {name!r}: did you mean {' or '.join(map(repr, near))}?")
    return ValueError(f"unknown {what} {name!r}: there are {listed}")


def registry() -> dict[str, dict]:
    """What ``files.yaml`` says, name -> entry."""
    return _read(REGISTRY)


@cache
def _read(path: Path) -> dict[str, dict]:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def entry(name: str) -> dict:
    """What the registry says of one file.

    >>> entry("cifar10_test.zip")["bytes"]
    10479806
    """
    if name not in registry():
        raise unknown("file", name, registry())
    return registry()[name]


def root() -> Path:
    """The folder of the files: ``$CONTRASTLIB_DATA``, else ``data/downloads`` in the repository."""
    return Path(os.environ.get("CONTRASTLIB_DATA") or DEFAULT_ROOT).expanduser()


def path(name: str, verify: bool = True) -> Path:
    """Where a file lies, after a check of its size and SHA-256.

    The checksum is computed once a process, and again when the file changes.

    Raises:
        MissingFile: it is not there.
        CorruptFile: its content is another.
        ValueError: the registry does not know the name.
    """
    info, file = entry(name), root() / name
    if not file.is_file():
        raise MissingFile(f"{name} ({info['what']}) is not in {root()}. {remedy(name)}")
    if verify and file.stat().st_size != info["bytes"]:
        raise CorruptFile(f"{file} has {file.stat().st_size:,} bytes instead of {info['bytes']:,}. "
                          f"Delete it and get it anew. {remedy(name)}")
    if verify and sha256(file) != info["sha256"]:
        raise CorruptFile(f"{file} has another content: its SHA-256 is not {info['sha256']}. "
                          f"Delete it and get it anew. {remedy(name)}")
    return file


def trained(name: str) -> tuple[Path, dict]:
    """The weights of a network that the project trained, checked, and their card: checksum, licence, scores, recipe.

    Raises:
        MissingFile: they are not there.
        CorruptFile: their content is another than that of the card.

    >>> weights, card = trained("birds_vgg")
    >>> weights.name, card["licence"]
    ('birds_vgg.safetensors', 'MIT')
    """
    file = WEIGHTS / f"{name}.safetensors"
    if not file.is_file():
        raise MissingFile(f"{file} is missing, although it is part of the repository. "
                          "`python -m contrastlib train` makes such weights anew.")
    card = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
    if sha256(file) != card["sha256"]:
        raise CorruptFile(f"{file} has another content: its SHA-256 is not that of {name}.json. Restore both with "
                          f"`git checkout data/weights`, or train them anew with `python -m contrastlib train {name}`.")
    return file, card


def remedy(name: str) -> str:
    """How to get a file, in a sentence or two."""
    info = entry(name)
    if "url" in info:
        return f"Run `python -m contrastlib data fetch {name}`, or download {info['url']} to {root() / name}."
    return (f"No public address serves these very bytes. They come from {info['source']} ({info['made']}). "
            f"Put the file at {root() / name}, or set CONTRASTLIB_DATA to the folder that has it.")


def state(name: str) -> str:
    """``"present"``, ``"missing"`` or ``"corrupt"``."""
    try:
        path(name)
    except MissingFile:
        return "missing"
    except CorruptFile:
        return "corrupt"
    return "present"


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
    if "url" not in entry(name):
        raise MissingFile(f"{name} ({entry(name)['what']}) cannot be fetched. {remedy(name)}")

    from contrastlib.downloads import download  # requests and pooch are slow to import

    info = entry(name)
    download(info["url"], root() / name, f"sha256:{info['sha256']}", progress, retries)
    return path(name)


def sha256(file: str | os.PathLike) -> str:
    """SHA-256 of a file, hexadecimal; computed once as long as its size and time of change stay the same."""
    status = os.stat(file)
    return _sha256(os.fspath(file), status.st_size, status.st_mtime_ns)


@cache
def _sha256(file: str, size: int, changed: int) -> str:
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
