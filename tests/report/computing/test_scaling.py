"""The model of runs with workers: schedules that can be worked out by hand, and predictions of runs."""

import math

import numpy as np
import pandas as pd
import pytest

from contrastlib.report import figures
from contrastlib.report.computing import scaling
from contrastlib.report.computing.scaling import simulate


def run(images, workers, **changes):
    """A measured run as the model says it: 2 s for an image and 1 s for a shard of 16."""
    shards = math.ceil(images / 16)
    one = [2.0 * min(16, images - 16 * shard) + 1 for shard in range(shards)]
    seconds = sum(one) if not workers else max(sum(one[w::workers]) for w in range(workers))
    processors = {
        "seconds_cpu": sum(one),
        "start_cpu": 3.0,
        "shard_cpu": 1.0,
        "forward_cpu": 0.4,
        "backward_cpu": 0.4,
    }
    return processors | {
        "study": "masking_table",
        "images": images,
        "workers": workers,
        "threads": 1,
        "seconds": seconds,
        "shards": shards,
        "start": 5.0,
        "shard": 1.0,
        "forwards": 3.0,
        "backwards": 1.0,
        "forward": 0.4,
        "backward": 0.4,
        **changes,
    }


def test_schedules_by_hand():
    assert simulate([], 3).seconds == 0
    assert simulate([1, 2, 3, 4], 1, start=2).seconds == 12
    assert simulate([4, 3, 2, 1], 2).seconds == 5
    assert simulate([1] * 10, 3).seconds == 4
    assert simulate([1] * 4, 4, client=1).seconds == 5, "the client keeps one table after the other"


def test_a_slow_client_keeps_workers_waiting():
    """It sends two shards to each worker, and another one when it has kept a table."""
    assert simulate([1] * 100, 50, client=0.5).seconds == pytest.approx(1 + 100 * 0.5)


def test_shards_of_workers_that_end_are_computed_again():
    seconds = np.full(400, 10.0)
    calm, rough = simulate(seconds, 20), simulate(seconds, 20, lifetime=50, restarts=[5.0], seed=1)
    assert calm.ends == calm.lost == 0 and calm.seconds == 200
    assert rough.ends > 20 and 0 < rough.lost < 10 * rough.ends
    least = (seconds.sum() + rough.lost + 5 * rough.ends) / 20
    assert least <= rough.seconds <= 1.2 * least
    assert (
        rough
        == simulate(seconds, 20, lifetime=50, restarts=[5.0], seed=1)
        != simulate(seconds, 20, lifetime=50, restarts=[5.0])
    )


def test_expected_losses():
    """Of a shard of 1 s with a mean lifetime of 1 s, e - 1 tries fail."""
    run = simulate(np.ones(20_000), 10, lifetime=1, seed=2)
    assert run.ends / 20_000 == pytest.approx(math.e - 1, rel=0.03)


@pytest.mark.parametrize("options", [{"workers": 0}, {"workers": 1, "lifetime": 0}])
def test_impossible_numbers(options):
    with pytest.raises(ValueError, match="must be positive"):
        simulate([1.0], **options)


def test_predictions_of_runs_that_the_model_fits():
    runs = pd.DataFrame([run(32, 0), run(64, 0), run(72, 1), run(192, 2), run(200, 2)])
    for clock in figures.scaling.CLOCKS:
        table = scaling.predicted(runs, clock)
        assert table["calibrated"].tolist() == [True, False, False, False, False]
        assert table["error"].abs().max() < 1e-12
    slower = scaling.predicted(
        runs.assign(seconds=runs["seconds"] * np.where(runs["images"] == 192, 1.25, 1))
    )
    assert slower["error"].round(3).tolist() == [0, 0, 0, -0.2, 0]


def test_the_start_of_workers_is_predicted_by_those_of_other_runs():
    runs = pd.DataFrame(
        [run(32, 0), run(64, 0), run(72, 1, start=4.0), run(192, 2, start=6.0), run(200, 2, start=8.0)]
    )
    bare, table = scaling.predicted(runs), scaling.predicted(runs, with_start=True)
    assert (table["measured"] - bare["measured"]).tolist() == pytest.approx([0, 0, 4, 6, 8])
    assert (table["predicted"] - bare["predicted"]).tolist() == pytest.approx([0, 0, 7, 6, 5])
    assert table["error"].iloc[2] == pytest.approx(3 / table["measured"].iloc[2])


def test_a_slower_machine_beside_a_run_is_a_slower_run():
    runs = pd.DataFrame([run(32, 0), run(64, 2), run(64, 2, forward=0.8, backward=0.8)])
    first, second = scaling.predicted(runs)["predicted"].tolist()[1:]
    assert second - first == pytest.approx(32 * 2.0)


PAPER = pd.DataFrame(
    [
        {
            "notebook": "02",
            "study": "sign_perturbation",
            "network": n,
            "dataset": "d",
            "images": 100,
            "bytes": 10.0,
            "ways": 1,
            "operations": 1e9,
            "forwards": 3.0,
            "backwards": 2.0,
            "why": "",
        }
        for n in ("a", "b")
    ]
    + [
        {
            "notebook": "04",
            "study": "pointing",
            "network": "a",
            "dataset": "d",
            "images": 10,
            "bytes": 10.0,
            "ways": 2,
            "operations": 1e9,
            "forwards": math.nan,
            "backwards": math.nan,
            "why": "no boxes",
        }
    ]
)


def test_sums_of_the_papers_scale():
    table = scaling.paper_scale(PAPER, teraflops=1e-3, shard=64)
    assert len(table) == 2 and table["shards"].tolist() == [2, 2] and table["passes"].sum() == 1000
    assert table["read"].sum() == 2000 and table["hours"].sum() == pytest.approx(1000 / 3600)
    assert "pointing" in figures.scaling.left_out_in_words(PAPER)
    more = figures.scaling.million(PAPER, 1e-3, images=1000, networks=4)
    assert more["passes"] == 20_000 and more["shards"] == 16 * 4 and more["read"] == 40_000


def test_jobs_one_after_the_other():
    jobs = pd.DataFrame({"hours": [1.0, 2.0], "shards": [10.0, 10.0]})
    table = scaling.by_workers(jobs, [1.0], [1, 10, 100])
    assert table["hours"].tolist() == pytest.approx([3.0, 0.3, 0.3])


def test_workers_start_once_and_networks_are_loaded_for_each_job():
    """By the client first, and then by all workers at the same time."""
    jobs = pd.DataFrame({"hours": [1.0, 2.0], "shards": [10.0, 10.0]})
    table = scaling.by_workers(jobs, [1.0], [1, 10], start=36.0, load=18.0)
    assert table["hours"].tolist() == pytest.approx([3.03, 0.33]) and table[
        "begin"
    ].tolist() == pytest.approx([0.03, 0.03])


def test_shards_over_their_mean():
    shards = pd.DataFrame({"study": ["a", "a", "b"], "workers": [1, 1, 2], "seconds": [1.0, 3.0, 7.0]})
    assert scaling.relative(shards).tolist() == [0.5, 1.5, 1.0]


def test_a_missing_record(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"passes\.parquet"):
        scaling.records(tmp_path)


def test_the_kept_records_meet_the_promise():
    """Each kind of run that the page shows is there, and the model's errors are within the limit."""
    records = scaling.records()
    runs = records["runs"]
    one_thread = runs[runs["threads"] == 1]
    assert (
        set(one_thread["workers"]) == {0, 1, 2} and one_thread.groupby("study")["images"].nunique().min() >= 3
    )
    for options in ({"clock": "_cpu"}, {}, {"with_start": True}):
        table = scaling.predicted(one_thread, **options)
        assert table[~table["calibrated"]]["error"].abs().max() <= scaling.LIMIT
    assert (
        len(records["restarts"]) >= 10 and records["passes"].groupby("network")["size"].nunique().eq(3).all()
    )
