"""A folder as a zip, the same bytes from the same files."""

from __future__ import annotations

import zipfile
from pathlib import Path

from contrastlib.assets.writing import replacing

DATE = (1980, 1, 1, 0, 0, 0)
"""Date of all files, the first that a zip can hold."""


def pack(folder: Path, path: Path) -> int:
    """Write a zip of a folder that unpacks to one folder with the name of the zip.

    Pages that ``contrastlib run --page`` wrote beside those of the book are left out.

    Args:
        folder: The folder.
        path: Path of the zip.

    Returns:
        The number of files.

    Raises:
        FileNotFoundError: The folder has no file.
        CannotWrite: The zip cannot be written.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as place:
    ...     _ = Path(place, "a.html").write_text("a")
    ...     count = pack(Path(place), Path(place, "book.zip"))
    ...     count, zipfile.ZipFile(Path(place, "book.zip")).namelist()
    (1, ['book/a.html'])
    """
    files = sorted(
        each
        for each in folder.rglob("*")
        if each.is_file() and each != path and not each.name.endswith(".own.html")
    )
    if not files:
        raise FileNotFoundError(f"there is nothing in {folder}: run `make book`")
    with replacing(path) as unfinished, zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            name = f"{path.stem}/{file.relative_to(folder).as_posix()}"
            archive.writestr(zipfile.ZipInfo(name, DATE), file.read_bytes(), zipfile.ZIP_DEFLATED)
    return len(files)
