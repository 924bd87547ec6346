"""Where a result comes from: the commit, and what many shards have in common."""

import subprocess
import sys

import pandas as pd
import pytest

from contrastlib.report.results import provenance


def test_the_commit_is_that_of_the_repository():
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=provenance.REPOSITORY, capture_output=True, text=True, check=False
    )
    if head.returncode:
        pytest.skip("not a git checkout")
    commit = provenance.provenance(0)["commit"]
    assert len(commit) == 40 and set(commit) <= set("0123456789abcdef")


@pytest.mark.parametrize(
    "changed, dirty",
    [
        ("contrastlib/contrasts/weights.py", True),
        ("data/weights/new.json", True),
        ("data/published/table.csv", True),
        ("requirements-peers.txt", True),
        ("constraints.txt", True),
        ("data/results/cache/shard.parquet", False),
        ("book/page.md", False),
    ],
)
def test_what_differs_from_the_commit(tmp_path, monkeypatch, changed, dirty):
    """Asked anew each time: a file may change, and be committed, while a process runs."""

    def git(*words):
        subprocess.run(
            ["git", "-c", "user.name=n", "-c", "user.email=e", *words],
            cwd=tmp_path,
            check=True,
            capture_output=True,
        )

    monkeypatch.setattr(provenance, "REPOSITORY", tmp_path)
    assert provenance._commit() == ("unknown", True)
    git("init")
    git("commit", "--allow-empty", "-m", "first")
    first, clean = provenance._commit()
    assert len(first) == 40 and not clean
    path = tmp_path / changed
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("new")
    assert provenance._commit() == (first, dirty)
    git("add", changed)
    git("commit", "-m", "second")
    assert provenance._commit() == (first, dirty)  # a process that is running has read the code of the first
    provenance.first_commit.cache_clear()
    assert provenance._commit()[0] != first and not provenance._commit()[1]


def test_the_first_commit_is_that_of_the_repository_that_is_named(tmp_path):
    who = ("-c", "user.name=a", "-c", "user.email=a@b")
    for words in (("init",), (*who, "commit", "--allow-empty", "-m", "first")):
        subprocess.run(["git", *words], cwd=tmp_path, check=True, capture_output=True)
    other = provenance.first_commit(tmp_path)
    assert len(other) == 40 and other != provenance.first_commit(provenance.REPOSITORY)


def test_the_commit_is_that_of_the_start_of_the_process():
    """git is not asked again, so that a commit before the first result changes nothing."""
    script = "from contrastlib.report.results import provenance as p; "
    script += "commit = p._git(p.REPOSITORY, 'rev-parse', 'HEAD').strip(); p._git = None; "
    script += "print(p.first_commit(p.REPOSITORY) == commit)"
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert said == "True\n"


def test_an_installation_in_another_repository_has_no_commit(tmp_path, monkeypatch):
    words = ["git", "-c", "user.name=n", "-c", "user.email=e"]
    for command in (["init"], ["commit", "--allow-empty", "-m", "first"]):
        subprocess.run([*words, *command], cwd=tmp_path, check=True, capture_output=True)
    inside = tmp_path / "site-packages"
    inside.mkdir()
    monkeypatch.setattr(provenance, "REPOSITORY", inside)
    assert provenance._commit() == ("unknown", True)


def test_summary_adds_seconds_and_spans_dates():
    records = [
        {"commit": c, "seconds": 1.5, "date": d} for c, d in (("b", "2026-02-01"), ("a", "2026-01-01"))
    ]
    assert provenance.summary(records) == {
        "shards": 2,
        "commit": ["a", "b"],
        "seconds": 3.0,
        "date": "2026-01-01 to 2026-02-01",
    }
    assert provenance.summary([]) == {"shards": 0}


def test_a_card_of_results_that_were_made_at_different_times():
    table = pd.DataFrame()
    libraries = [{"torch": "2.15.0"}, {"torch": "2.15.0", "zennit": "1.0"}]
    table.attrs["provenance"] = {
        "commit": ["a" * 40, "b" * 40],
        "device": "cpu",
        "machine": ["x86_64", "x86_64 AVX2"],
        "threads": 1,
        "libraries": libraries,
        "seed": 0,
    }
    rows = provenance.card(table)["provenance"]
    assert rows["commit"] == f"{'a' * 10}, {'b' * 10}" and rows["libraries"] == "torch 2.15.0, zennit 1.0"
    assert rows["machine"] == "cpu, x86_64, x86_64 AVX2, threads: 1" and rows["seed"] == 0


def test_a_card_has_titles_and_short_checksums():
    table = pd.DataFrame()
    data = {
        "cifar10-test": "c" * 64,
        "birds_vgg": "1" * 64,
        "birds": "birds version 2, test, seed 0, 128 px",
        "own": "2" * 64,
    }
    table.attrs["provenance"] = {"data": data}
    assert provenance.card(table).loc["data (SHA-256)"].item() == (
        f"CIFAR-10, test {'c' * 10}; drawn birds birds version 2; own {'2' * 10}; small VGG {'1' * 10}"
    )
