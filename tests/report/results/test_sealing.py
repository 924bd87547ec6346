"""The SHA-256 in a result: no flipped bit is read as data, and every reader of Parquet reads the file."""

import random

import pandas as pd
import pytest

from contrastlib.report.results import sealing, storage

COMMITTED = sorted((storage.RESULTS / "real").glob("*.parquet"), key=lambda path: path.stat().st_size)
RECORDS = sorted((storage.RESULTS / "benchmarks").glob("*.parquet"))
FLIPS = 600


def own(folder):
    """A small result, most of which is its footer."""
    table = pd.DataFrame({"image": range(20), "p": [i / 7 for i in range(20)], "name": ["a", "é"] * 10})
    table.attrs["provenance"] = {"commit": "abc", "parameters": {"n": [1, 2]}, "data": {"images": "0123"}}
    storage.save(table, folder / "own.parquet")
    return folder / "own.parquet"


def kept(folder):
    return COMMITTED[0]


@pytest.mark.parametrize("result", [own, kept])
def test_no_flipped_bit_is_read(tmp_path, result):
    """At 600 places of the file, the footer and the seal included."""
    content, flipped, draw = result(tmp_path).read_bytes(), tmp_path / "flipped.parquet", random.Random(0)
    for place in draw.sample(range(8 * len(content)), FLIPS):
        changed = bytearray(content)
        changed[place // 8] ^= 1 << place % 8
        flipped.write_bytes(changed)
        with pytest.raises(
            storage.DamagedResult,
            match=r"flipped.parquet is damaged, since .*, restore it with `git checkout -- ",
        ):
            storage.load(flipped)


@pytest.mark.parametrize("length", [0, 3, 8, 12, 80, 100, 500])
def test_a_file_that_is_cut_off_is_damaged(tmp_path, length):
    path = own(tmp_path)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(storage.DamagedResult, match="own.parquet is damaged"):
        storage.load(path)


def test_a_result_that_is_sealed_and_cannot_be_parsed_is_damaged(tmp_path):
    """Whatever Arrow says of it: here the columns are gone, and the footer is whole."""
    path = own(tmp_path)
    content = path.read_bytes()
    footer = int.from_bytes(content[-8:-4], "little")
    path.write_bytes(sealing.seal(content[-footer - 8 :]))
    with pytest.raises(storage.DamagedResult, match="own.parquet is damaged"):
        storage.load(path)


def test_any_reader_of_parquet_reads_it(tmp_path):
    table, path = storage.load(own(tmp_path)), tmp_path / "own.parquet"
    pd.testing.assert_frame_equal(pd.read_parquet(path), table)
    with open(path, "rb") as stream:
        pd.testing.assert_frame_equal(pd.read_parquet(stream, columns=["p"]), table[["p"]])


@pytest.mark.parametrize("path", [*COMMITTED, *RECORDS], ids=lambda path: path.stem)
def test_the_committed_results_are_whole(path):
    sealing.check(path.read_bytes())
