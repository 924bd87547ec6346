"""The measurements for the page on scaling run, and count what can be counted by hand."""

from dataclasses import replace

import pandas as pd
import pytest
import torch

from contrastlib.report import studies
from contrastlib.report.computing import shards
from contrastlib.report.results import storage
from contrastlib.report.results.provenance import REPOSITORY
from contrastlib.report.studies import records

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    monkeypatch.syspath_prepend(REPOSITORY)
    threads, address = torch.get_num_threads(), shards.SCHEDULER
    yield
    torch.set_num_threads(threads)
    monkeypatch.delenv(address, raising=False)


def test_passes_of_figure_3():
    """1 + 4 (n - 1) + 4 forward passes for each n and epsilon, where the first one is shared by all."""
    from benchmarks.scaling.runs import Job, passes_of

    passes = passes_of(Job("sign_perturbation", "birds_resnet", (), {"iterations": (1, 2, 10)}))
    assert passes["forwards"] == 1 + 2 * sum(4 * (n - 1) + 4 for n in (1, 2, 10))
    backwards = 2 * sum(4 * (n - 1) for n in (1, 2, 10))
    assert backwards < passes["backwards"] <= backwards + 4


def test_passes_of_table_1():
    from benchmarks.evaluations import masked_images
    from benchmarks.scaling.runs import Job, passes_of

    passes = passes_of(Job("masking_table", "birds_resnet", (), {"threshold": 0.0}))
    assert passes["forwards"] == 1 + masked_images(torch.zeros(1))
    assert passes["backwards"] < 1


def test_operations_of_the_paper():
    from benchmarks.scaling import paper

    assert paper._forward("vgg16_bn/cub200")["operations"] == pytest.approx(2 * 15.5e9, rel=0.02)
    assert (
        paper._ways("masking_choices") == len(records.MASKING_CHOICES) + 1
        and paper._ways("masking_table") == 1
    )
    assert paper.SPLITS["cub200"] == 5_794 and paper.ARCHIVES["cub200"] == (1_150_000_000, 11_788)
    names = {name for chosen in paper.PLAN.values() for named in chosen.values() for name in named}
    assert names <= set(studies.STUDIES)


def test_an_unknown_table_is_named():
    from benchmarks.scaling import __main__ as command

    with pytest.raises(SystemExit, match="no table 'figures'; choose from passes, runs, restarts, paper"):
        command.main(["figures"])


def test_tables_of_the_processor_say_so(tmp_path, monkeypatch):
    """Also where there is a GPU."""
    from benchmarks.scaling import __main__ as command

    monkeypatch.setattr("contrastlib.report.machines.devices.fastest", lambda: torch.device("cuda"))
    monkeypatch.setattr(command, "_measure", lambda name, rounds: {name: pd.DataFrame({"network": ["a"]})})
    command.main(["passes", "paper", "--save", str(tmp_path)])
    tables = [storage.load(tmp_path / f"{name}.parquet") for name in ("passes", "paper")]
    assert [table.attrs["provenance"]["device"] for table in tables] == ["cpu", "cpu"]


def test_stand_ins_are_arguments_of_the_evaluation(monkeypatch):
    """Not its local variables, and also those of a function that was made of another one."""
    from functools import partial

    from benchmarks.scaling import paper

    def evaluation(model, images, labels, above):
        threshold = 0
        return threshold

    for made in (evaluation, partial(evaluation, labels=None)):
        monkeypatch.setitem(
            studies.STUDIES, "toy", replace(studies.STUDIES["masking_table"], evaluation=made)
        )
        assert paper._stand_ins("toy", None, torch.zeros(1, 3, 8, 8), {}) == {"above": True}


def test_a_run_by_a_worker(monkeypatch):
    from benchmarks.scaling import runs

    monkeypatch.setattr(runs, "TRIVIAL", 2)
    job = runs.Job("sign_perturbation", "birds_alexnet", (4,), {"iterations": [1], "epsilons": [0.01]})
    row, spent = runs.run(job, images=20, workers=1, threads=1)
    assert row["shards"] == len(spent) == 5 and row["workers"] == 1 and row["images"] == 20
    assert all(row[name] > 0 for name in ("seconds", "start", "shard", "forward", "backward"))


def test_the_gpu_part_runs_on_a_processor(tmp_path, capsys, monkeypatch):
    """The code of a GPU, with another device and the smaller network."""
    from benchmarks import devices

    monkeypatch.setattr(devices, "NETWORKS", ("resnet18",))

    assert devices.main(["--device", "cpu", "--size", "64", "--batch", "2", "--batches", "2",
                         "--repetitions", "1", "--save", str(tmp_path)]) == 0  # fmt: skip
    table = storage.load(next(tmp_path.glob("*.parquet")))
    assert table["what"].tolist() == [
        f"{n}, {layout}" for n in ("resnet18",) for layout in ("channels_last", "contiguous")
    ]
    assert (table[["images a second", "share"]] > 0).all(
        axis=None
    ) and "goal on a GPU" in capsys.readouterr().out
    assert isinstance(table, pd.DataFrame) and table.attrs["provenance"]["parameters"]["device"] == "cpu"


def test_a_broken_promise_of_a_gpu_is_said(monkeypatch, capsys):
    """In the layout of the studies alone, and where all rounds miss the goal. No GPU is used."""
    from benchmarks import devices

    rates = pd.DataFrame(
        [
            {"what": f"resnet18, {layout}", "share": share, "min": share - 0.02, "max": share + 0.02}
            for layout, share in (
                ("channels_last", 0.95),
                ("channels_last", 0.9),
                ("channels_last", 0.8),
                ("contiguous", 0.8),
            )
        ]
    )
    assert devices.judged(rates)["verdict"].tolist() == ["kept", "undecided", "broken", ""]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    for measured, status in ((rates, 1), (rates[:2], 0), (rates[3:], 0)):
        monkeypatch.setattr(devices, "table", lambda *_, found=measured: found)
        assert devices.main([]) == status
        assert ("broken" in capsys.readouterr().out) == bool(status)
    monkeypatch.setattr(devices, "table", lambda *_: rates)
    assert devices.main(["--batch", "8"]) == 0 and "verdict" not in capsys.readouterr().out


def test_without_a_gpu_nothing_is_measured(capsys):
    from benchmarks import devices

    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    assert devices.main([]) == 0
    assert "not run, since there is no GPU here" in capsys.readouterr().out
