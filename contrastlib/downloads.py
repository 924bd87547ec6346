"""Downloads that go on where they broke off: pooch's checks and retries, with a downloader that resumes."""

from __future__ import annotations

import os
from pathlib import Path

import pooch
import requests
from tqdm import tqdm

from contrastlib.files import CorruptFile, MissingFile

CHUNK = 1 << 16


def download(url: str, path: Path, size: int, sha256: str, progress: bool = True, retries: int = 3) -> None:
    """Download ``url`` to ``path``; what arrives stays in ``path`` + ``.part`` until it is complete.

    Raises:
        MissingFile: the server cannot be reached, refuses, or breaks off once more than ``retries`` times.
        CorruptFile: it serves another content.
    """
    pooch.get_logger().setLevel("WARNING")
    store = pooch.create(path.parent, base_url="", registry={path.name: f"sha256:{sha256}"},
                         urls={path.name: url}, retry_if_failed=retries)
    part = path.with_name(path.name + ".part")
    try:
        store.fetch(path.name, downloader=Resume(part, size, progress))
    except requests.RequestException as error:
        kept = f" The {part.stat().st_size:,} bytes that arrived are kept." if part.exists() else ""
        raise MissingFile(f"{url} could not be downloaded: {error}.{kept} "
                          f"Try again, or put the file at {path} yourself.") from error
    except ValueError as error:
        raise CorruptFile(f"{url} serves another content than {path.name} should have: its SHA-256 is not "
                          f"{sha256}.") from error


class Resume:
    """A downloader for pooch that asks for the bytes it has not yet got (HTTP Range).

    Args:
        part: file that keeps what has arrived, from one attempt to the next.
        size: bytes of the whole.
        progress: show a bar.
    """

    def __init__(self, part: Path, size: int, progress: bool):
        self.part, self.size, self.progress = part, size, progress

    def __call__(self, url: str, output_file: str, pooch: pooch.Pooch | None) -> None:
        if self._have() < self.size:
            self._receive(url)
        if self._have() < self.size:
            raise requests.ConnectionError(f"it broke off after {self._have():,} of {self.size:,} bytes")
        os.replace(self.part, output_file)

    def _have(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _receive(self, url: str) -> None:
        # "identity": a range of a compressed body would be of no use
        headers = {"Range": f"bytes={self._have()}-", "Accept-Encoding": "identity"}
        with requests.get(url, headers=headers, stream=True, timeout=30) as response:
            response.raise_for_status()
            resumed = response.status_code == requests.codes.partial_content
            with open(self.part, "ab" if resumed else "wb") as file, self._bar(file.tell()) as bar:
                for chunk in response.iter_content(CHUNK):
                    file.write(chunk)
                    bar.update(len(chunk))

    def _bar(self, have: int) -> tqdm:
        return tqdm(desc=self.part.stem, initial=have, total=self.size, unit="B", unit_scale=True,
                    disable=not self.progress)
