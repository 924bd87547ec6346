"""The files that contrastlib reads but did not make: what they are, where they lie, whether they are sound.

``files.yaml`` beside this module says for every file what it is, where it comes from, under which licence, and
its checksum. Files lie flat in one folder, ``$CONTRASTLIB_DATA`` or ``data/downloads`` in the repository.
"""

import difflib
import hashlib
import os
from functools import cache
from pathlib import Path

import yaml

REGISTRY = Path(__file__).with_name("files.yaml")
DEFAULT_ROOT = Path(__file__).parents[1] / "data" / "downloads"


class DataError(RuntimeError):
    """A data or weight file cannot be used; the message says which, why, and what to do."""


class MissingFile(DataError):
    """The file is not where it should be."""


class CorruptFile(DataError):
    """The file is there, but its content is not what it should be."""


def unknown(what, name, known):
    """The error for a name that does not exist, with the nearest names that do.

    >>> print(unknown("data set", "cifar-test", ["cifar10-test", "zebra-elephant"]))
    unknown data set 'cifar-test': did you mean 'cifar10-test'?
    """
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    if near:
        return ValueError(f"unknown {what} {name!r}: did you mean {' or '.join(map(repr, near))}?")
    return ValueError(f"unknown {what} {name!r}: there are {', '.join(sorted(known))}")


@cache
def registry(path=None):
    """The registry, name -> entry, in the order of ``files.yaml``."""
    return yaml.safe_load(Path(path or REGISTRY).read_text(encoding="utf-8"))


def entry(name):
    """What the registry says of a file.

    >>> entry("cifar10_test.zip")["bytes"]
    10479806
    """
    if name not in registry():
        raise unknown("file", name, registry())
    return registry()[name]


def root():
    """The folder of the files: ``$CONTRASTLIB_DATA``, else ``data/downloads`` in the repository."""
    return Path(os.environ.get("CONTRASTLIB_DATA") or DEFAULT_ROOT).expanduser()


def path(name, verify=True):
    """Where a file lies, after a check of its size and SHA-256.

    The checksum is computed once a process, and again when the file changes.

    Raises MissingFile when it is not there, CorruptFile when its content is another, ValueError when the
    registry does not know the name.
    """
    info, file = entry(name), root() / name
    if not file.is_file():
        raise MissingFile(f"{name} is missing ({info['what']}). {remedy(name)}")
    if verify:
        size = file.stat().st_size
        if size != info["bytes"]:
            raise CorruptFile(f"{file} has {size:,} bytes instead of {info['bytes']:,}: "
                              f"delete it. {remedy(name)}")
        if sha256(file) != info["sha256"]:
            raise CorruptFile(f"{file} does not have the checksum {info['sha256']}: delete it. {remedy(name)}")
    return file


def remedy(name):
    """One or two sentences: how to get a file."""
    info = entry(name)
    if "url" in info:
        return f"Run `python -m contrastlib data fetch {name}`, or download {info['url']} to {root() / name}."
    return (f"No public address serves this file. It comes from {info['source']} (made from it: {info['made']}). "
            f"Put it at {root() / name}, or set CONTRASTLIB_DATA to the folder that has it.")


def available(name):
    """Whether a file is there, with the right size and checksum."""
    try:
        path(name)
    except DataError:
        return False
    return True


def state(name):
    """``"present"``, ``"missing"`` or ``"corrupt"``."""
    try:
        path(name)
    except MissingFile:
        return "missing"
    except CorruptFile:
        return "corrupt"
    return "present"


def sha256(file):
    """SHA-256 of a file, hexadecimal; computed once as long as its size and time of change stay the same."""
    status = os.stat(file)
    return _sha256(str(file), status.st_size, status.st_mtime_ns)


@cache
def _sha256(file, size, changed):
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
