"""Tables and sentences of the page on scaling, from records that can be worked out by hand."""

import pandas as pd
import pytest

from contrastlib.report import figures
from contrastlib.report.computing import scaling

COSTS = {
    "study": "masking_table",
    "shard": 1.0,
    "forwards": 3.0,
    "backwards": 1.0,
    "forward": 0.4,
    "backward": 0.4,
    "others": 0.5,
}


def run(images, workers, seconds, threads=1, start=5.0):
    clocks = {f"{name}_cpu": COSTS[name] for name in ("shard", "forward", "backward")}
    return (
        COSTS
        | clocks
        | {
            "images": images,
            "workers": workers,
            "threads": threads,
            "shards": images // 16,
            "seconds": seconds,
            "seconds_cpu": 33 * images / 16,
            "start": start,
            "start_cpu": 3.0,
        }
    )


RUNS = pd.DataFrame(
    [run(16, 0, 33), run(64, 0, 132), run(64, 1, 132), run(64, 2, 88), run(64, 0, 80, threads=2)]
)


def test_the_error_of_a_run_is_said():
    """Two workers need 66 s by the model, and needed 88."""
    said = figures.scaling.in_short({"runs": RUNS})
    assert "seconds elapsed of 2 of 3 measured runs within 15%, with a largest error of 25%" in said
    assert "seconds of processors of 3 of 3 measured runs within 15%, with a largest error of 0%" in said
    assert (
        "seconds elapsed with the start of workers of 2 of 3 measured runs within 15%, "
        "with a largest error of 24%"
    ) in said
    shown = figures.scaling.model_table(RUNS).data
    assert shown["elapsed, error"].round(2).tolist() == [0, 0, -0.25] and shown["workers"].tolist() == [
        "one process",
        1,
        2,
    ]


def test_two_workers_beside_one_process_with_their_start():
    assert "1.42 to 1.42 times as fast as one process with one thread" in figures.scaling.speed_in_words(RUNS)
    assert "0.86 to 0.86 times as fast as one process with two threads" in figures.scaling.speed_in_words(
        RUNS
    )
    assert figures.scaling.speed_table(RUNS).data.loc[:, "one worker"].item() == 137


PAPER = pd.DataFrame(
    [
        {
            "notebook": "02_input_space",
            "study": "sign_perturbation",
            "network": "a",
            "dataset": "d",
            "images": 6400,
            "bytes": 1e5,
            "ways": 1,
            "operations": 1e9,
            "forwards": 60.0,
            "backwards": 40.0,
            "why": "",
        }
    ]
)


def test_sums_of_a_notebook():
    table = figures.scaling.paper_table(PAPER, teraflops=1.0).data
    assert table.loc["all"].round(3).tolist() == [0.64, 100, 0.64, 0.178]
    assert figures.scaling.left_out_in_words(PAPER) == "The passes of all these studies are counted."
    said = figures.scaling.million_in_words(PAPER, 1.0, images=1_000_000, networks=50)
    assert "5.0 × 10⁹ passes, 1,389 GPU hours, 781,250 shards, and 5.0 TB" in said


def test_the_figures_have_a_line_and_a_dot_for_each_row():
    passes = pd.DataFrame(
        {
            "network": ["a", "a"],
            "size": [96, 224],
            "operations": [1e8, 1e9],
            "forward": [0.01, 0.1],
            "backward": [0.02, 0.2],
        }
    )
    drawn = figures.scaling.passes_figure(passes).axes[0].lines
    assert [line.get_ydata().tolist() for line in drawn] == [[10, 100], [20, 200]]
    assert figures.scaling.passes_table(passes).data.iloc[0].tolist() == pytest.approx([0.1, 10, 20, 10])
    jobs = scaling.paper_scale(PAPER, 1.0)
    simulated = {
        "none ends": scaling.by_workers(jobs, [1.0], [1, 10]),
        "some end": scaling.by_workers(jobs, [1.0], [1, 10], lifetime=30.0),
    }
    assert len(figures.scaling.workers_figure(simulated).axes[0].lines) == 3
    words = figures.scaling.workers_in_words(simulated)
    assert (
        "none ends: 1.1 minutes with 10 workers. In 0.0 of them workers start and networks are loaded. "
        "0 workers end"
    ) in words
    assert words.count("\n") == 1
