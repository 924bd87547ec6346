"""The folder of live networks: its files, and what is said if one cannot be written."""

import pytest

from contrastlib.assets.writing import CannotWrite
from contrastlib.explorer.live import site


@pytest.fixture
def runtime(tmp_path):
    folder = tmp_path / "dist"
    folder.mkdir()
    for name in site.RUNTIME.values():
        (folder / name).write_bytes(b"runtime")
    return folder


def test_scripts_and_runtime(tmp_path, runtime):
    assert site.write(tmp_path / "live", runtime, []) == site.read_headers(tmp_path / "live") == {}
    made = {path.relative_to(tmp_path / "live").as_posix() for path in (tmp_path / "live").rglob("*.*")}
    assert {*site.RUNTIME.values(), "index.html", "live.json", "onnxruntime-web.LICENSE.txt", "code/elements.js",
            "code/live/main.js", "code/live/worker.js", "code/live/live.css"} <= made


def test_a_folder_that_cannot_be_made(tmp_path, runtime):
    (tmp_path / "file").touch()
    with pytest.raises(CannotWrite, match="live.* cannot be written"):
        site.write(tmp_path / "file" / "live", runtime, [])


def test_a_file_that_cannot_be_written(tmp_path, runtime):
    (tmp_path / "live" / "code" / "live" / "main.js").mkdir(parents=True)
    with pytest.raises(CannotWrite, match=r"main\.js cannot be written: Is a directory"):
        site.write(tmp_path / "live", runtime, [])
