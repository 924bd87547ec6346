"""What a kernel records of the files that it uses."""

import os
import subprocess
import sys

from contrastlib.report.notebooks import kernel_startup, staleness

UNDECODABLE = b"a\xff.txt"


def test_a_file_whose_name_is_no_unicode(tmp_path):
    """It is opened and recorded, and the record can be read."""
    log, folder = tmp_path / "log", tmp_path / "data"
    folder.mkdir()
    (folder / os.fsdecode(UNDECODABLE)).write_bytes(b"text")
    code = (
        f"import runpy; watch = runpy.run_path({kernel_startup.__file__!r})['watch']; "
        f"watch({str(log)!r}, [{str(folder)!r}]); "
        f"print(open({bytes(folder)!r} + b'/' + {UNDECODABLE!r}).read())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, text=True)
    assert done.stdout == "text\n", done.stderr
    assert log.read_bytes() == b"read " + bytes(folder) + b"/" + UNDECODABLE + b"\n"


def test_a_stamp_of_such_a_file(tmp_path, monkeypatch):
    monkeypatch.setattr(staleness, "REPOSITORY", tmp_path)
    source, output, log = (tmp_path / name for name in ("a.ipynb", "b.ipynb", "log"))
    for notebook in (source, output):
        notebook.write_text(
            '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}', encoding="utf-8"
        )
    folder = tmp_path / "data"
    folder.mkdir()
    read = folder / os.fsdecode(UNDECODABLE)
    read.write_bytes(b"text")
    log.write_bytes(os.fsencode(f"read {read}\nlist {folder}\n"))
    staleness.write_stamp(output, staleness.recipe(source, {}), log, float("inf"))
    assert staleness.why_stale(source, output, {}) == ""
    read.write_bytes(b"other")
    assert staleness.why_stale(source, output, {}).endswith(".txt changed")
