"""Downloads that go on where they broke off: pooch's retries, with a downloader that resumes and checks."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from urllib.parse import urlsplit

import pooch
import requests
from tqdm import tqdm

from contrastlib.assets.errors import CorruptFile, MissingFile

CHUNK = 1 << 16


def download(url: str, path: Path, checksum: str, progress: bool = True, retries: int = 3) -> None:
    """Download ``url`` to ``path``, unless that is there; what arrives stays in ``path`` + ``.part`` until it is complete.

    Args:
        checksum: "sha256:" or "md5:" and the checksum, hexadecimal; its beginning is enough.

    Raises:
        MissingFile: the server cannot be reached, refuses, or breaks off once more than ``retries`` times.
        CorruptFile: it serves another content.
    """
    if path.is_file() and _matches(path, checksum):
        return
    pooch.get_logger().setLevel("WARNING")
    part, checked = (path.with_name(path.name + ending) for ending in (".part", ".checked"))
    # under a name of its own, as pooch would leave a file with another content where it is; it knows no beginnings
    store = pooch.create(path.parent, base_url="", registry={checked.name: None}, urls={checked.name: url},
                         retry_if_failed=retries)
    try:
        store.fetch(checked.name, downloader=Resume(part, checksum, progress))
    except OSError as error:  # requests' errors too
        arrived = part.stat().st_size if part.exists() else 0
        kept = f" The {arrived:,} bytes that arrived are kept." if arrived else ""
        raise MissingFile(f"{url} could not be downloaded: {_reason(error, url)}.{kept} "
                          f"Try again, or put the file at {path} yourself.") from error
    except ValueError as error:
        raise CorruptFile(f"{url} serves another content than {path.name} should have: {error}.") from error
    os.replace(checked, path)


class Resume:
    """A downloader for pooch that asks for the bytes it has not yet got (HTTP Range), and checks the whole.

    Args:
        part: file that keeps what has arrived, from one attempt to the next.
        checksum: as for :func:`download`.
        progress: show a bar.
    """

    def __init__(self, part: Path, checksum: str, progress: bool):
        self.part, self.checksum, self.progress = part, checksum, progress

    def __call__(self, url: str, output_file: str, pooch: pooch.Pooch | None) -> None:
        # "identity": a range of a compressed body would be of no use
        headers = {"Range": f"bytes={self._have()}-", "Accept-Encoding": "identity"}
        with requests.get(url, headers=headers, stream=True, timeout=30) as response:
            nothing_left = response.status_code == requests.codes.requested_range_not_satisfiable and self._have()
            if not nothing_left:
                response.raise_for_status()
                self._receive(response)
        os.replace(self.part, output_file)
        if not _matches(output_file, self.checksum):
            raise ValueError(f"its checksum is not {self.checksum}")

    def _have(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _receive(self, response: requests.Response) -> None:
        resumed = response.status_code == requests.codes.partial_content
        with open(self.part, "ab" if resumed else "wb") as file:
            size = file.tell() + int(response.headers.get("Content-Length", 0))
            with tqdm(desc=self.part.stem, initial=file.tell(), total=size, unit="B", unit_scale=True,
                      disable=not self.progress) as bar:
                for chunk in response.iter_content(CHUNK):
                    file.write(chunk)
                    bar.update(len(chunk))
            if file.tell() < size:
                raise requests.ConnectionError(f"it broke off after {file.tell():,} of {size:,} bytes")


def _reason(error: OSError, url: str) -> str:
    """What went wrong; a failed connection in one clause, without the errors that it was caused by.

    >>> _reason(requests.ConnectionError(OSError(101, "Network is unreachable")), "https://example.org/a.bin")
    'there is no connection to example.org'
    """
    caused = error.args and isinstance(error.args[0], Exception)
    if isinstance(error, requests.ConnectionError) and caused:
        return f"there is no connection to {urlsplit(url).netloc}"
    return str(error)


def _matches(file: str | os.PathLike, checksum: str) -> bool:
    algorithm, _, beginning = checksum.partition(":")
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, algorithm).hexdigest().startswith(beginning)
