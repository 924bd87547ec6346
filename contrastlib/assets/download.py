"""Downloads that resume after an interruption: a downloader for pooch, which retries."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pooch
import requests
from tqdm import tqdm

from contrastlib.assets.errors import CorruptFile, MissingFile
from contrastlib.assets.locks import locked
from contrastlib.assets.writing import writing

CHUNK = 1 << 16


def fetch(store: pooch.Pooch, name: str, progress: bool = True) -> None:
    """Download a file of a registry of pooch, unless it is there already with the right checksum.

    An incomplete one is kept beside it, with the ending ".part". While another process downloads the same
    file, this one waits.

    Args:
        store: The registry, with the address and the whole checksum of the file.
        name: The name of the file.
        progress: Whether to show a progress bar.

    Raises:
        MissingFile: The server cannot be reached, refuses, or closes the connection in every attempt.
        CorruptFile: The server sends content with another checksum.
        CannotWrite: The folder cannot be made, or the disk is full or read-only.
    """
    path = store.abspath / name
    with _alone(path):
        _fetch(store, name, path, Resume(_part(path), progress))


def download(url: str, path: Path, checksum: str, progress: bool = True, retries: int = 3) -> None:
    """Download a file of which perhaps only the beginning of the checksum is known, as :func:`fetch` does.

    Args:
        url: Its address.
        path: Where it is stored; the folder is created if needed.
        checksum: "sha256:" or "md5:", followed by the checksum in hexadecimal or by the first digits of it.
        progress: Whether to show a progress bar.
        retries: The number of further attempts after the first one fails.

    Raises:
        DataError: As :func:`fetch` raises.
    """
    if path.is_file() and _matches(path, checksum):
        return
    with _alone(path):
        if path.is_file() and _matches(path, checksum):  # another process was faster
            return
        # pooch replaces no file whose whole checksum it does not know: the download gets another name first
        checked = path.with_name(path.name + ".checked")
        checked.unlink(missing_ok=True)  # of a process that ended before it was moved
        store = pooch.create(
            path.parent,
            base_url="",
            registry={checked.name: None},
            urls={checked.name: url},
            retry_if_failed=retries,
        )
        _fetch(store, checked.name, path, Resume(_part(path), progress, checksum))
        os.replace(checked, path)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Make the folder of a file, and keep other processes from downloading the same one."""
    with ExitStack() as locks:
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            locks.enter_context(locked(path.with_name(path.name + ".lock"), wait=True))
        yield


def _part(path: Path) -> Path:
    """The file that keeps what has arrived of a file."""
    return path.with_name(path.name + ".part")


def _fetch(store: pooch.Pooch, name: str, path: Path, resume: Resume) -> None:
    """Let pooch download a file, and say what went wrong; ``path`` is where the user will find it."""
    pooch.get_logger().setLevel("WARNING")
    url = store.get_url(name)
    try:
        store.fetch(name, downloader=resume)
    except OSError as error:  # includes the errors of requests
        arrived = resume.received()
        kept = f" The {arrived:,} bytes that arrived are kept." if arrived else ""
        raise MissingFile(
            f"{url} could not be downloaded: {_reason(error, url)}.{kept} "
            f"Try again, or put the file at {path} yourself."
        ) from error
    except ValueError as error:
        raise CorruptFile(f"{url} serves another content than {path.name} should have: {error}") from error


class Resume:
    """A downloader for pooch that requests only the missing bytes (HTTP Range)."""

    def __init__(self, part: Path, progress: bool, checksum: str = "") -> None:
        """Prepare a download.

        Args:
            part: The file that keeps the received bytes from one attempt to the next.
            progress: Whether to show a progress bar.
            checksum: What pooch cannot check: the beginning of a checksum, as for :func:`download`.
        """
        self.part, self.progress, self.checksum = part, progress, checksum

    def __call__(self, url: str, output_file: str, pooch: pooch.Pooch | None) -> None:
        """Download the file once, as pooch asks for it.

        Args:
            url: Its address.
            output_file: Where pooch wants the complete file.
            pooch: The caller; unused.

        Raises:
            OSError: The download failed; the received bytes are kept.
            ValueError: The complete file has another checksum; it is not kept.
            CannotWrite: The disk is full or read-only; the received bytes are kept.
        """
        # "identity": ranges of a compressed body cannot be joined
        headers = {"Range": f"bytes={self.received()}-", "Accept-Encoding": "identity"}
        with requests.get(url, headers=headers, stream=True, timeout=30) as response:
            beyond_end = response.status_code == requests.codes.requested_range_not_satisfiable
            if not (beyond_end and self.received()):
                response.raise_for_status()
                self._receive(response)
        os.replace(self.part, output_file)
        if not _matches(output_file, self.checksum):
            raise ValueError(f"its checksum is not {self.checksum}.")

    def received(self) -> int:
        """The number of bytes received so far."""
        return self.part.stat().st_size if self.part.exists() else 0

    def _receive(self, response: requests.Response) -> None:
        """Append the response to the received bytes, or start again if the server ignored the range."""
        resumed = response.status_code == requests.codes.partial_content
        with ExitStack() as opened:
            with writing(self.part):
                file = opened.enter_context(open(self.part, "ab" if resumed else "wb"))
            size = _whole(response, file.tell())
            with tqdm(
                desc=self.part.stem,
                initial=file.tell(),
                total=size,
                unit="B",
                unit_scale=True,
                disable=not self.progress,
            ) as bar:
                for chunk in response.iter_content(CHUNK):
                    with writing(self.part):
                        file.write(chunk)
                    bar.update(len(chunk))
            if file.tell() < size:
                raise requests.ConnectionError(f"it broke off after {file.tell():,} of {size:,} bytes")


def _whole(response: requests.Response, received: int) -> int:
    """The size of the whole file in bytes, as far as the server says it, else that of what was received."""
    said = response.headers.get("Content-Range", "").rpartition("/")[2]
    return int(said) if said.isdigit() else received + int(response.headers.get("Content-Length", 0))


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
    """Whether the checksum of a file has these first digits; without a checksum, all files match."""
    algorithm, _, beginning = checksum.partition(":")
    if not beginning:
        return True
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, algorithm).hexdigest().startswith(beginning)
