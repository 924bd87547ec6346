"""The benchmarks run and measure what they say; nothing here depends on how fast."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch

from contrastlib import explainers
from contrastlib.report.results import storage
from contrastlib.report.results.provenance import REPOSITORY
from contrastlib.report.results.storage import save

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    monkeypatch.syspath_prepend(REPOSITORY)
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


SMALL = ["--network", "squeezenet1_1", "--size", "64", "--batch", "2", "--repetitions", "1", "--threads", "1"]


def test_tables_are_printed_and_saved(tmp_path, capsys):
    pytest.importorskip("captum", reason="pip install -r requirements-peers.txt")
    pytest.importorskip("pytorch_grad_cam", reason="pip install -r requirements-peers.txt")
    from benchmarks.__main__ import LIMITS, TITLES, main

    tables = ["activation", "input", "classes", "relevance", "relevances", "perturbation", "masking"]
    assert main([*tables, *SMALL, "--classes", "12", "--save", str(tmp_path / "records")]) == 0
    printed = capsys.readouterr().out
    assert all(TITLES[name] in printed for name in tables) and TITLES["memory"] not in printed
    (record,) = (tmp_path / "records").iterdir()
    saved = storage.load(record)
    assert list(saved["table"].unique()) == tables and (saved["ratio"] > 0).all()
    limited = saved.dropna(subset="limit").groupby("table")
    assert {name: dict(zip(rows["quantity"], rows["limit"])) for name, rows in limited} == {
        t: LIMITS[t] for t in tables
    }
    assert saved.dropna(subset="limit")["what"].str.startswith("contrastlib").all()
    provenance = saved.attrs["provenance"]
    assert provenance["commit"] and provenance["parameters"]["classes"] == 12 and "seconds" not in provenance


def test_every_method_is_measured_with_and_without_a_contrast():
    from benchmarks.maps import methods_table
    from benchmarks.networks import images_like, torchvision_network

    table = methods_table(torchvision_network("squeezenet1_1"), images_like(64, 1), 1)
    methods = explainers.select(space="layer", contrast=True) | explainers.select(
        space="pixels", contrast=True
    )
    assert set(table["what"]) == {
        "a bare forward pass",
        "zennit: LRP",
        *(f"{m}, {c}" for m in methods for c in ("original", "weighted")),
    }


def test_the_peer_of_relevance_propagation_makes_the_same_map():
    from benchmarks.networks import images_like, torchvision_network
    from benchmarks.peers import zennit_lrp
    from contrastlib.explainers.lrp import lrp

    torch.manual_seed(0)
    network, images = torchvision_network("squeezenet1_1").double(), images_like(64, 2).double()
    relevance = torch.rand(2, 1000, dtype=torch.float64)
    maps, expected = lrp(network, images, lambda y: relevance), zennit_lrp(network, images, relevance)
    assert (
        maps - expected
    ).norm() <= 1e-3 * expected.norm() and maps.any()  # zennit adds 1e-6 to what it divides by


def test_the_linear_operations_of_relevance_propagation_are_three_for_each_layer():
    from benchmarks.maps import linear_operations
    from benchmarks.networks import images_like, torchvision_network

    network, images = torchvision_network("squeezenet1_1"), images_like(64, 2)
    layers = [module for module in network.modules() if isinstance(module, torch.nn.Conv2d)]
    calls = linear_operations(network, images)
    assert len(calls) == 3 * len(layers)
    forward, positive, (gradient,) = (call() for call in calls[-3:])
    assert forward.shape == positive.shape == (2, 1000, 3, 3) and gradient.shape == (2, 512, 3, 3)
    assert all(p.requires_grad and p.grad is None for p in network.parameters())


def test_an_unknown_table():
    from benchmarks.__main__ import main

    with pytest.raises(SystemExit, match="no table 'speed'; choose from activation, input"):
        main(["speed"])


def test_the_passes_by_hand_are_the_fewest():
    from benchmarks.evaluations import Counted, masked_images, masking_by_hand, perturbation_by_hand
    from benchmarks.networks import images_like, torchvision_network

    network, images = torchvision_network("squeezenet1_1"), images_like(32, 1)
    counted = Counted(network)
    perturbation_by_hand(counted, images)
    later = 2 * (0 + 1 + 9)
    assert counted.forwards == 1 + 4 * (later + 2 * 3) and counted.backwards == 4 * (1 + later)
    counted = Counted(network)
    masking_by_hand(counted, images)
    assert counted.forwards == 1 + masked_images(images) and counted.backwards == 0
    assert all(p.requires_grad and p.grad is None for p in network.parameters())


def test_ratios_are_taken_within_a_round(monkeypatch):
    from benchmarks import timing

    now = [0.0]
    monkeypatch.setattr(timing.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(timing.time, "process_time", lambda: now[0] / 2)
    pace = iter([1, 1, 1, 1, 10, 10, 1, 1])  # the machine is slow in one round

    def takes(seconds):
        def run():
            now[0] += seconds * next(pace)

        return run

    table = timing.side_by_side({"unit": takes(1), "other": takes(3)}, "unit", 3, "").set_index("what")
    assert table.loc["other"].tolist() == pytest.approx([3, 3]) and table.loc["unit"].tolist() == [1, 1]


def test_memory_is_measured_in_processes_of_its_own(monkeypatch):
    from benchmarks import memory

    commands = []

    def run(command, **options):
        commands.append(command)
        turn = (len(commands) - 1) // len(memory.JOBS)
        megabytes = [100, 900, 110] if command[3] == memory.HAND else [50, 50, 55]
        return type("Done", (), {"stdout": f"{megabytes[turn]}\n"})

    monkeypatch.setattr(memory.subprocess, "run", run)
    table = memory.table("squeezenet1_1", 64, 2, repetitions=3).set_index("what")
    assert len(commands) == 3 * len(memory.JOBS) and all(
        command[4:] == ["squeezenet1_1", "64", "2"] for command in commands
    )
    assert table.loc[memory.HAND, "memory"] == 1 and (table["memory"].drop(memory.HAND) == 50 / 110).all()


def test_the_peak_of_a_process_is_not_that_of_its_parent():
    ballast = np.ones(250_000_000)  # 2 GB, as a benchmark that measured other things before may hold
    code = "from contrastlib.report.machines.memory import peak_memory; print(peak_memory())"
    command = [sys.executable, "-c", code]
    child = int(subprocess.run(command, capture_output=True, text=True, check=True, cwd=REPOSITORY).stdout)
    assert 10_000_000 < child < ballast.nbytes


@pytest.mark.parametrize(
    "jobs, network, size", [("JOBS", "squeezenet1_1", 64), ("TRANSFORMER_JOBS", "vit_b_16", 224)]
)
def test_every_memory_job_runs(jobs, network, size):
    from benchmarks import memory
    from benchmarks.networks import images_like, torchvision_network

    for job in getattr(memory, jobs).values():
        maps = tensors(job(torchvision_network(network), images_like(size, 1)))
        assert maps and all(each.ndim >= 3 and each.isfinite().all() for each in maps)


def tensors(found):
    """All tensors in lists and tuples."""
    return (
        [found] if isinstance(found, torch.Tensor) else [tensor for each in found for tensor in tensors(each)]
    )


def test_times_of_steps_that_ran_twice_are_the_last_ones(tmp_path):
    from benchmarks import build_times

    lines = ["pages\t30", "notebook 01\t4\t900", "notebooks\t9", "pages\t28", "notebook 01\t3\t800"]
    (tmp_path / "times").write_text("\n".join([*lines, "notebooks\t0\n"]))
    read = build_times.read(tmp_path / "times")
    assert read == {"seconds": {"pages": 28, "notebook 01": 3}, "memory": {"notebook 01": 800}}


def test_numbers_that_moved_are_found_by_image_and_setting(tmp_path):
    from benchmarks import moved

    old = pd.DataFrame(
        {"image": [0, 0, 1], "contrast": ["mean", "weighted", "mean"], "p_t": [0.5, 0.25, 0.125]}
    )
    old.attrs["provenance"] = {"commit": "a"}
    new = old.iloc[::-1].reset_index(drop=True)  # in another order
    new["p_t"] = [0.125, 0.75, 0.5001]
    new.attrs["provenance"] = {"commit": "b"}
    for name in ("masking_table-vgg", "precision_table-vgg"):
        save(old, tmp_path / "old" / f"{name}.parquet")
    save(new, tmp_path / "new" / "masking_table-vgg.parquet")
    save(old, tmp_path / "new" / "precision_table-vgg.parquet")  # not computed again
    found = moved.table(tmp_path / "old", tmp_path / "new")
    assert found.to_dict("records") == [
        {
            "study": "masking_table",
            "network": "vgg",
            "rows before": 3,
            "rows after": 3,
            "moved": pytest.approx(1 / 3),
            "largest": 0.5,
            "column": "p_t",
        }
    ]


def test_a_table_did_not_move_against_itself():
    """Rows that a float setting alone tells apart are not mixed up."""
    from benchmarks.moved import compare

    rows = [(image, epsilon, 100 * image + epsilon) for image in range(3) for epsilon in (0.001, 0.1)]
    table = pd.DataFrame(rows, columns=["image", "epsilon", "p_t"])
    found = compare(table, table)
    assert found["moved"] == 0 and found["largest"] == 0


def test_numbers_that_are_no_longer_finite_moved():
    from benchmarks.moved import compare

    nan, inf = float("nan"), float("inf")
    table = pd.DataFrame({"image": range(4), "p_t": [0.5, nan, inf, 0.5]})
    assert compare(table, table)["largest"] == 0
    found = compare(table, table.assign(p_t=[nan, nan, -inf, 0.5]))
    assert found["moved"] == 0.5 and found["largest"] == inf


def test_differences_of_large_numbers_are_relative():
    from benchmarks.moved import compare

    old = pd.DataFrame({"image": [0, 1], "sum": [1e6, 0.5]})
    found = compare(old, old.assign(sum=[1e6 + 100, 0.5]))
    assert found["moved"] == 0 and found["largest"] == pytest.approx(1e-4)


def test_rows_of_other_results_stay(tmp_path):
    from benchmarks import moved

    row = {
        "study": "b",
        "network": "vgg",
        "rows before": 1,
        "rows after": 1,
        "moved": 0.0,
        "largest": 0.0,
        "column": "p_t",
    }
    moved.save(pd.DataFrame([row, row | {"study": "a"}]), tmp_path / "moved.csv")
    moved.save(pd.DataFrame([row | {"largest": 0.25}]), tmp_path / "moved.csv")
    kept = pd.read_csv(tmp_path / "moved.csv")
    assert kept["study"].tolist() == ["a", "b"] and kept["largest"].tolist() == [0, 0.25]


def test_the_browser_is_timed_and_its_record_saved(tmp_path, capsys, monkeypatch):
    """It runs on the processor, also where there is a GPU."""
    from benchmarks.browser import main
    from contrastlib.explorer import bird, live
    from contrastlib.report.release.chromium import CHROMIUM
    from contrastlib.report.results.benchmark_records import in_the_browser

    runtime = REPOSITORY / "node_modules" / "onnxruntime-web" / "dist"
    if CHROMIUM is None or not runtime.exists():
        pytest.skip(
            "no Chromium or no onnxruntime-web here: install Debian's package chromium, and run `npm ci`"
        )
    live.write(tmp_path / "live", runtime, [live.Shown("birds_vgg", bird(31))])
    monkeypatch.setattr("contrastlib.report.machines.devices.fastest", lambda: torch.device("cuda"))
    assert main(
        ["--folder", str(tmp_path / "live"), "--frames", "2", "--save", str(tmp_path / "browser")]
    ) in (0, 1)
    printed = capsys.readouterr().out
    assert "first map" in printed and "saved: " in printed
    (record,) = (tmp_path / "browser").iterdir()
    saved = storage.load(record)
    assert (
        saved.set_index("what")["limit"].dropna().to_dict() == {"first map": 3000, "frame": 150}
        and (saved["milliseconds"] > 0).all()
    )
    assert saved.attrs["provenance"]["commit"] and "seconds" not in saved.attrs["provenance"]
    assert saved.attrs["provenance"]["device"] == "cpu"
    assert in_the_browser(tmp_path)["milliseconds"].tolist() == saved["milliseconds"].tolist()
