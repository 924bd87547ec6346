"""Tables of results in sealed Parquet files, each with its provenance.

A file is written atomically. Its SHA-256 is part of it (:mod:`contrastlib.report.results.sealing`), so that
a damaged file is refused.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from contrastlib.assets.writing import replacing
from contrastlib.report.results import sealing
from contrastlib.report.results.provenance import REPOSITORY, Provenance

RESULTS = REPOSITORY / "data" / "results"


class DamagedResult(ValueError):
    """A file of a result has another content than the one that was written. The message names the file."""


def joined(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Concatenate tables with the same columns.

    Empty tables, whose columns have no types, are used only if all are empty.

    >>> joined([pd.DataFrame(columns=["a"]), pd.DataFrame({"a": [1]})]).dtypes.item()
    dtype('int64')
    """
    return pd.concat([table for table in tables if len(table)] or tables[:1], ignore_index=True)


def save(table: pd.DataFrame, path: Path, compression: str = "zstd") -> None:
    """Write a table and its ``attrs["provenance"]`` to a sealed Parquet file, atomically.

    Args:
        table: The table.
        path: Path of the file. Its folder is created if needed.
        compression: Compression of the columns.

    Raises:
        CannotWrite: The file cannot be written. An earlier file remains.

    >>> import tempfile
    >>> table = pd.DataFrame({"a": [1]}); table.attrs["provenance"] = {"commit": "abc"}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(table, Path(folder) / "t.parquet")
    ...     load(Path(folder) / "t.parquet").attrs["provenance"]
    {'commit': 'abc'}
    """
    bare = table.copy(deep=False)
    bare.attrs = {}
    arrow = pa.Table.from_pandas(bare, preserve_index=False)
    provenance = json.dumps(table.attrs.get("provenance", {}), sort_keys=True)
    arrow = arrow.replace_schema_metadata(
        {**(arrow.schema.metadata or {}), b"provenance": provenance.encode()}
    )
    sink = pa.BufferOutputStream()
    pq.write_table(arrow, sink, compression=compression)
    with replacing(path) as unfinished:
        unfinished.write_bytes(sealing.seal(sink.getvalue().to_pybytes()))


def provenance_of(path: Path) -> Provenance:
    """Provenance of a table of :func:`save`. The table is neither read nor checked.

    Args:
        path: Path of the file.

    Returns:
        Its provenance, empty if it has none.
    """
    return Provenance(json.loads((pq.read_schema(path).metadata or {}).get(b"provenance", b"{}")))


def load(path: Path) -> pd.DataFrame:
    """Load a table of :func:`save`, with its provenance in ``attrs``.

    Args:
        path: Path of the file.

    Returns:
        The table.

    Raises:
        FileNotFoundError: There is no such result. The message has the command that creates it.
        DamagedResult: The file has another content than the one that was written.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise FileNotFoundError(f"no result {path.name} in {path.parent}: make it with `make real`") from None
    try:
        sealing.check(content)
        arrow = pq.read_table(pa.BufferReader(content))
        table = arrow.to_pandas()
        table.attrs["provenance"] = Provenance(json.loads(arrow.schema.metadata.get(b"provenance", b"{}")))
    except Exception as error:  # Arrow and pandas raise errors of many kinds
        raise DamagedResult(
            f"{path} is damaged, since {error}: if it is part of the repository, restore it with "
            f"`git checkout -- {path}`; otherwise delete it and run again what made it"
        ) from error
    return table
