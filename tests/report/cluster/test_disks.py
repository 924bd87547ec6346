"""Disks of workers: full, full in the middle, read-only, damaged, shared by two hosts, or by none."""

import random
import subprocess

import pytest
import shard_work
from cluster_checks import PLACES, STARTS, calls, same, whole

from contrastlib.assets.writing import CannotWrite
from contrastlib.report.machines import clusters

pytestmark = pytest.mark.cluster


@pytest.mark.parametrize(
    "kind, says",
    [
        ("full", "No space left on device: free some space"),
        ("read-only", "Read-only file system: its disk is read-only"),
    ],
)
def test_a_disk_that_refuses(run, disk, tmp_path, kind, says):
    place = disk(kind)
    if place is None:
        pytest.skip("needs permission to mount a disk")
    with clusters.started("local", 2) as address:
        with pytest.raises(CannotWrite, match=rf"{place}.*{says}"):
            run(address, cache=place)
        assert not list(place.glob("*.parquet")) and not list(place.glob("*.part"))
        if kind == "full":
            (place / "filler").unlink()
            assert run(address, cache=place)["place"].tolist() == PLACES


def test_a_disk_that_is_full_in_the_middle(run, disk, tmp_path):
    """It holds three of eight shards. They stay, and the next run computes the others."""
    place = disk("empty")
    if place is None:
        pytest.skip("needs permission to mount a disk")
    with clusters.started("local", 2) as address:
        with pytest.raises(
            CannotWrite,
            match=rf"{place}/work-\w+\.parquet cannot be written: No space left on device: free some space",
        ):
            run(address, shard_work.large, cache=place)
        kept = sorted(place.glob("*.parquet"))
        assert 1 <= len(kept) <= 3 and not list(place.glob("*.part"))
        subprocess.run(["mount", "-o", "remount,size=8m", place], check=True)
        (tmp_path / "calls").unlink()
        table = run(address, shard_work.large, cache=place)
    assert table["place"].unique().tolist() == list(STARTS)
    assert len(calls(tmp_path)) <= len(STARTS) - len(kept) + 2, (
        "those that ran when the first run ended may run again"
    )


def test_shards_that_are_damaged_anywhere(run, tmp_path, capsys):
    """Each of them: at its columns, its seal, its provenance, its footer and its end, or cut off."""
    generator = random.Random(0)
    with clusters.started("local", 2) as address:
        first = run(address)
        for number, path in enumerate(sorted(tmp_path.glob("cache/*.parquet"))):
            content = bytearray(path.read_bytes())
            places = [
                8,
                content.index(b"sha256"),
                content.index(b"provenance"),
                len(content) - 20,
                len(content) - 7,
            ]
            if number < len(places):
                content[places[number]] ^= 1 << generator.randrange(8)
            else:
                del content[generator.randrange(len(content)) :]
            path.write_bytes(content)
        (tmp_path / "calls").unlink()
        same(run(address), first)
        assert (
            capsys.readouterr().err.count("is damaged, computed again") == len(calls(tmp_path)) == len(STARTS)
        )
        same(run(address), first)
        assert len(calls(tmp_path)) == len(STARTS)


# --- hosts ---------------------------------------------------------------------------------------


def test_two_hosts_with_one_file_system(program, apart, tmp_path):
    """Each has its own name, and its own process ids from 1 on. Each shard is computed once."""
    runs = [
        program(0.5, within=apart(f"hostname {name}", "--uts", "--pid", "--fork", "--mount-proc"))
        for name in ("first", "second")
    ]
    for process in runs:
        said = process.communicate(timeout=600)[0]
        assert process.returncode == 0 and f"places {PLACES}" in said, said
    assert sorted(int(start) for start, *_ in calls(tmp_path)) == list(STARTS)


@pytest.mark.parametrize(
    "options", ["size=1m", "size=1m,ro"], ids=["a disk of its own", "one that it must not write to"]
)
def test_a_worker_that_shares_no_disk(run, scheduler, apart, tmp_path, options):
    """It returns its tables, and the client keeps them."""
    (tmp_path / "cache").mkdir()
    scheduler.worker(within=apart(f"mount -t tmpfs -o {options} tmpfs {tmp_path}/cache", "--mount"))
    whole(run(scheduler.address), tmp_path)
    whole(run(scheduler.address), tmp_path)
