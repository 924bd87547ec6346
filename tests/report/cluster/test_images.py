"""A corrupt photograph among thousands, which workers read."""

import numpy as np
import pytest
import shard_work
from PIL import Image

from contrastlib.assets import CorruptFile
from contrastlib.report.computing import batches, shards
from contrastlib.report.machines import clusters
from contrastlib.report.studies import Study, run

pytestmark = pytest.mark.cluster
COUNT, CORRUPT = 2000, 1234


@pytest.fixture
def photographs(tmp_path):
    """A folder of 2000 small photographs, of which one ends early."""
    folder = tmp_path / "photographs"
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(256, size=(COUNT, 32, 32, 3), dtype=np.uint8)
    for number in range(COUNT):
        Image.fromarray(pixels[number]).save(folder / f"{number:04}.jpg")
    file = folder / f"{CORRUPT}.jpg"
    file.write_bytes(file.read_bytes()[:700])
    return folder


def test_a_corrupt_photograph_among_thousands(photographs, tmp_path, monkeypatch, capsys):
    loading = {"root": str(photographs), "resize": 32, "crop": 32}
    study = Study("brightness", shard_work.brightness, "a test", 16)

    def table():
        return run(study, {"birds_alexnet": ["folder", None, {"loading": loading}]}, cache=tmp_path / "cache")

    with clusters.started("local", 2) as address:
        monkeypatch.setenv(shards.SCHEDULER, address)
        with pytest.raises(CorruptFile, match=f"{CORRUPT}.jpg of folder cannot be read as an image"):
            table()
        monkeypatch.setenv(batches.SKIP_UNREADABLE, "1")
        skipping = table()
    assert skipping["image"].tolist() == [number for number in range(COUNT) if number != CORRUPT]
    record = skipping.attrs["provenance"]
    assert record["skipped"].startswith(f"{CORRUPT}.jpg of folder") and record["shards"] == 32
    said = capsys.readouterr().err
    assert "brightness: 1 images are skipped:" in said and f"{CORRUPT}.jpg" in said
