"""Long computations in shards: resumable, cached by what they depend on, with their provenance.

A shard is one call of a function with plain parameters that returns a table. Its file is named by
a hash of the parameters, of the code that the function can reach inside contrastlib, and of the
data it reads; it is written atomically, so a killed run continues with the first missing shard
and nothing stale is ever read. The provenance of each shard is kept inside its file.
"""

from __future__ import annotations

import ast
import ctypes
import functools
import hashlib
import importlib.util
import json
import os
import platform
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

REPOSITORY = Path(__file__).resolve().parent.parent
RESULTS = REPOSITORY / "data" / "results"
TRACKED = ("contrastlib", "notebooks", "benchmarks", "data/weights", "data/published", "requirements*.txt", "constraints.txt")
LIBRARIES = ("torch", "torchvision", "numpy", "pandas", "pillow", "scipy", "safetensors", "zennit")


class Provenance(dict):
    """Where a result comes from. It is never changed, so copies are the record itself.

    pandas copies ``attrs`` deeply in every operation on a table, which took a tenth of the time of some notebooks.

    >>> import copy
    >>> record = Provenance(commit="a")
    >>> copy.deepcopy(record) is record
    True
    """

    def __deepcopy__(self, memo: dict) -> Provenance:
        return self


def sharded(
    work: Callable[..., pd.DataFrame],
    shards: Sequence[Mapping],
    data: Mapping[str, str],
    cache: Path | None = None,
    title: str = "shards",
    modules: Sequence[str] = (),
) -> pd.DataFrame:
    """Tables of all shards in one, computing only those that are not in the cache.

    Args:
        work: a function of a contrastlib module, called as ``work(**shard)``.
        shards: parameters of each shard: JSON values only; "seed" where numbers are drawn.
        data: name -> checksum of everything ``work`` reads.
        cache: folder of the shards' files; data/results/cache when None.
        title: what the progress bar says.
        modules: contrastlib modules that ``work`` gets at by name, beside those that its own imports.

    Returns:
        The tables in the order of ``shards``; ``table.attrs["provenance"]`` sums up where they
        come from (see :func:`summary`).

    Raises:
        Whatever ``work`` raises. The shards finished before stay in the cache.
    """
    cache = cache or RESULTS / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    code = code_digest(work.__module__, *modules)
    tables = [_shard(work, shard, code, data, cache) for shard in tqdm(shards, desc=title, unit="shard")]
    together = joined([table for table, _ in tables])
    together.attrs["provenance"] = summary([provenance for _, provenance in tables])
    return together


def joined(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Tables of the same columns in one; empty ones, whose columns have no types, only where all are.

    >>> joined([pd.DataFrame(columns=["a"]), pd.DataFrame({"a": [1]})]).dtypes.item()
    dtype('int64')
    """
    return pd.concat([table for table in tables if len(table)] or tables[:1], ignore_index=True)


def save(table: pd.DataFrame, path: Path, compression: str = "zstd") -> None:
    """Write a table and its ``attrs["provenance"]`` to a Parquet file, atomically.

    >>> import tempfile
    >>> table = pd.DataFrame({"a": [1]}); table.attrs["provenance"] = {"commit": "abc"}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(table, Path(folder) / "t.parquet")
    ...     load(Path(folder) / "t.parquet").attrs["provenance"]
    {'commit': 'abc'}
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    bare = table.copy(deep=False)
    bare.attrs = {}
    arrow = pa.Table.from_pandas(bare, preserve_index=False)
    provenance = json.dumps(table.attrs.get("provenance", {}), sort_keys=True)
    arrow = arrow.replace_schema_metadata({**(arrow.schema.metadata or {}), b"provenance": provenance.encode()})
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.part")
    pq.write_table(arrow, unfinished, compression=compression, write_page_checksum=True)
    os.replace(unfinished, path)


def load(path: Path) -> pd.DataFrame:
    """The table that :func:`save` wrote, with its provenance in ``attrs``.

    Raises:
        FileNotFoundError: no such result, with the command that makes it.
        ValueError: the file is damaged.
    """
    if not path.exists():
        raise FileNotFoundError(f"no result {path.name} in {path.parent}: make it with `make real`")
    try:
        arrow = pq.read_table(path, page_checksum_verification=True)
    except (pa.ArrowInvalid, OSError) as error:
        raise ValueError(f"{path} is damaged ({error}): delete it and run again") from error
    table = arrow.to_pandas()
    table.attrs["provenance"] = Provenance(json.loads(arrow.schema.metadata.get(b"provenance", b"{}")))
    return table


def code_digest(*modules: str) -> str:
    """Hash of contrastlib modules and of all they import from contrastlib.

    Comments, docstrings and formatting do not count.

    >>> code_digest("contrastlib.contrasts") == code_digest("contrastlib.contrasts")
    True
    """
    digest = hashlib.sha256()
    for name in sorted(_closure(modules)):
        digest.update(_normalised(_source(name)))
    return digest.hexdigest()


def provenance(seconds: float, **details) -> Provenance:
    """Where a result comes from: commit, parameters, versions, machine, wall time, date."""
    import torch

    commit, dirty = _commit()
    return Provenance({
        "commit": commit,
        "dirty": dirty,
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in LIBRARIES},
        "device": "cuda" if torch.cuda.is_available() else "cpu",
        "machine": f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}",
        "threads": torch.get_num_threads(),
        "seconds": round(seconds, 3),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        **details,
    })


def summary(records: Iterable[dict]) -> Provenance:
    """One provenance for many shards: what they share as it is, else the distinct values.

    Seconds are added up, dates given from first to last; a list is distinct values of a summary before.

    >>> summary([{"commit": "a", "seconds": 1.0}, {"commit": "a", "seconds": 2.5}])
    {'shards': 2, 'commit': 'a', 'seconds': 3.5}
    >>> summary([{"commit": ["a", "b"]}, {"commit": "b"}])["commit"]  # of summaries
    ['a', 'b']
    >>> summary([{"date": "2026-01-02 to 2026-01-04"}, {"date": "2026-01-03"}])["date"]
    '2026-01-02 to 2026-01-04'
    """
    records = list(records)
    result = {}
    for key in records[0] if records else ():
        values = [record.get(key) for record in records]
        distinct = sorted({json.dumps(each, sort_keys=True) for value in values for each in _as_list(value)})
        if key in ("seconds", "shards"):
            result[key] = round(sum(values), 3)
        elif key == "date":
            first, last = min(values).split(" to ")[0], max(value.split(" to ")[-1] for value in values)
            result[key] = first if first == last else f"{first} to {last}"
        else:
            result[key] = json.loads(distinct[0]) if len(distinct) == 1 else [json.loads(v) for v in distinct]
    return Provenance({"shards": len(records), **result})


def card(table: pd.DataFrame) -> pd.DataFrame:
    """The provenance of a kept result as a small table for a page: what made it, when, from which data.

    >>> table = pd.DataFrame(); table.attrs["provenance"] = {"commit": "0123456789abcdef", "shards": 2}
    >>> card(table).loc["commit"].item()
    '0123456789'
    """
    record = dict(table.attrs["provenance"])
    rows = {
        "commit": _listed(commit[:10] for commit in _as_list(record.get("commit", "unknown"))),
        "uncommitted changes": record.get("dirty"),
        "date (UTC)": record.get("date"),
        "seed": record.get("seed"),
        "shards": record.get("shards"),
        "computing time, hours": f"{record['seconds'] / 3600:.2f}" if "seconds" in record else None,
        "machine": f"{record.get('device')}, {_listed(record.get('machine', 'unknown'))}, threads: {_listed(map(str, _as_list(record.get('threads'))))}",
        "libraries": ", ".join(sorted(
            {f"{name} {number}" for part in _as_list(record.get("libraries", {})) for name, number in part.items()}
        )),
        "data (SHA-256)": ", ".join(
            sorted({f"{name} {checksum[:10]}" for part in _as_list(record.get("data", {})) for name, checksum in part.items()})
        ) or None,
    }
    return pd.DataFrame({"provenance": rows}).dropna()


def cards(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The :func:`card` of each table side by side, a column for each name; empty where one has no such entry.

    >>> drawn, counted = pd.DataFrame(), pd.DataFrame()
    >>> drawn.attrs["provenance"], counted.attrs["provenance"] = {"commit": "a", "seed": 3}, {"commit": "b"}
    >>> cards({"drawn": drawn, "counted": counted}).loc["seed"].tolist()
    [3, '']
    """
    return pd.concat({name: card(table)["provenance"] for name, table in tables.items()}, axis=1).fillna("")


def _as_list(value) -> list:
    """The single values of a list, also of lists within it."""
    return [single for each in value for single in _as_list(each)] if isinstance(value, list) else [value]


def _listed(values) -> str:
    return ", ".join([values] if isinstance(values, str) else values)


def _shard(work, shard: Mapping, code: str, data: Mapping, cache: Path) -> tuple[pd.DataFrame, dict]:
    name = f"{work.__module__}.{work.__qualname__}"
    identity = json.dumps({"work": name, "parameters": shard, "code": code, "data": data}, sort_keys=True)
    path = cache / f"{work.__name__}-{hashlib.sha256(identity.encode()).hexdigest()[:20]}.parquet"
    if path.exists():
        try:
            table = load(path)
            return table, table.attrs["provenance"]
        except ValueError:
            path.unlink()  # cut off by a full disk, say: compute it again
    began = time.perf_counter()
    table = work(**shard)
    seconds = time.perf_counter() - began
    table.attrs["provenance"] = provenance(
        seconds, parameters=dict(shard), seed=shard.get("seed"), code=code[:12], data=dict(data)
    )
    save(table, path)
    _give_back()
    return table, table.attrs["provenance"]


def _give_back() -> None:
    """Return freed memory to the system: glibc keeps it in a fragmented heap, which grows from shard to shard."""
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # another C library
        return
    trim(0)


def _commit() -> tuple[str, bool]:
    """The commit that this process began with, whose code it has read, and whether what results depend on differs from it now."""
    try:
        commit = _first_commit(REPOSITORY)
        changed = _git("diff", "--name-only", commit, "--", *TRACKED) + _git("ls-files", "--others", "--exclude-standard", "--", *TRACKED)
    except (OSError, subprocess.CalledProcessError):
        return "unknown", True
    return commit, bool(changed)


@functools.lru_cache
def _first_commit(repository: Path) -> str:
    return _git("rev-parse", "HEAD").strip()


def _git(*words: str) -> str:
    command = ["git", "--no-optional-locks", *words]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout


def _closure(modules: Iterable[str]) -> set[str]:
    found, waiting = set(), list(modules)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += _imports(name) - found
    return found


@functools.cache
def _imports(module: str) -> set[str]:
    """contrastlib modules that this one imports, anywhere in it."""
    names, package = set(), importlib.util.find_spec(module).parent
    for node in ast.walk(ast.parse(_source(module))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            origin = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
            names |= {origin} | {f"{origin}.{alias.name}" for alias in node.names}
    return {name for name in names if name.partition(".")[0] == "contrastlib" and _is_module(name)}


def _is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def _source(module: str) -> str:
    return Path(importlib.util.find_spec(module).origin).read_text()


@functools.cache
def _normalised(source: str) -> bytes:
    """A hash of what the code does: of its syntax tree without docstrings."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        first = body[0] if isinstance(body, list) and body else None
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
            first.value.value = ""
    return hashlib.sha256(ast.dump(tree).encode()).digest()
