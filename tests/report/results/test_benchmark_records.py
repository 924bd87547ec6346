"""Ratios of kept benchmark records, and the verdicts on the promises."""

import json

import pandas as pd
import pytest

from contrastlib.report.figures import cost
from contrastlib.report.results import benchmark_records
from contrastlib.report.results.benchmark_records import against_by_hand, build_times, measured, promises
from contrastlib.report.results.storage import save

ROWS = [  # table, what, quantity, ratios of the two records, limit
    ("activation", "contrastlib, 24 maps at once", "24 maps, wall", (1.0, 1.2), 1.15),
    ("activation", "captum LayerGradCam, one map", "24 maps, wall", (25.0, 27.0), None),
    ("classes", "contrastlib, batched", "wall", (0.05, 0.09), 0.1),
    ("memory", "contrastlib, a map of the pixels", "memory", (1.5, 1.3), 1.2),
    ("memory", "contrastlib, 4 maps of the pixels", "memory", (0.75, 0.75), 1.2),
    ("memory", "by hand: a forward and 4 backward passes", "memory", (1.25, 1.25), None),
    ("methods", "gradcam, original", "cpu", (1.0, 1.0), None),
    ("methods", "gradcam, weighted", "cpu", (1.1, 1.1), None),
]


@pytest.fixture
def records(tmp_path):
    for number in (0, 1):
        table = pd.DataFrame(
            [(*row[:3], row[3][number], row[4]) for row in ROWS],
            columns=["table", "what", "quantity", "ratio", "limit"],
        )
        table.attrs["provenance"] = {
            "commit": "a",
            "date": f"2026-01-0{number + 1}",
            "parameters": {"classes": 7},
        }
        save(table, tmp_path / f"{number}.parquet")
    return measured(tmp_path)


def test_the_median_the_least_and_the_most_of_the_records(records):
    row = records.set_index("what").loc["captum LayerGradCam, one map"]
    assert (row["ratio"], row["min"], row["max"]) == (26, 25, 27)
    assert records.attrs["records"] == 2 and records.attrs["parameters"]["classes"] == {"classes": 7}
    assert benchmark_records.ratio(records, "classes", "contrastlib", "wall") == pytest.approx(0.07)
    assert benchmark_records.many_maps(records).to_dict() == {"contrastlib": 1.1, "captum LayerGradCam": 26}
    assert benchmark_records.of_methods(records).loc["gradcam"].to_dict() == {
        "original": 1.0,
        "weighted": 1.1,
    }


def test_the_verdict_on_a_promise_is_that_of_every_record(records):
    assert promises(records).set_index("job")["verdict"].to_dict() == {
        "24 maps of a layer, in forward passes": "undecided",
        "maps of 7 classes, VGG-16": "kept",
        "memory: a map of the pixels": "broken",
        "memory: 4 maps of the pixels": "kept",
    }
    assert set(against_by_hand(records)["kind"]) == {"time", "peak"}
    words = cost.promises_in_words(records)
    assert (
        "2 of 4 are kept in every record, 1 in some records only, 1 in none" in words
        and "1.25 by hand" in words
    )
    assert "1.10 forward passes together, and 26 with the fastest of 1 other" in cost.in_short(records)


def test_of_a_table_the_records_of_its_last_commit_count(records, tmp_path):
    later = pd.DataFrame(
        {
            "table": ["classes"],
            "what": ["contrastlib, batched"],
            "quantity": ["cpu"],
            "ratio": [0.2],
            "limit": [0.1],
        }
    )
    later.attrs["provenance"] = {"commit": "b", "date": "2026-01-03", "parameters": {"classes": 7}}
    save(later, tmp_path / "2.parquet")
    found = measured(tmp_path)
    assert found.attrs["records"] == 3 and found.attrs["parameters"]["memory"] == {"classes": 7}
    verdicts = promises(measured(tmp_path)).set_index("job")
    assert verdicts.loc["maps of 7 classes, VGG-16", ["kind", "max", "verdict"]].tolist() == [
        "processor time",
        0.2,
        "broken",
    ]
    assert verdicts.drop("maps of 7 classes, VGG-16").equals(
        promises(records).set_index("job").drop("maps of 7 classes, VGG-16")
    )


def test_a_folder_without_records(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"python -m benchmarks --save"):
        measured(tmp_path)


def test_steps_of_the_build_and_their_limits(tmp_path):
    made = {
        "commit": "0123456789abcdef",
        "python": "3.11",
        "machine": "x86",
        "date": "2026-01-01T10:00",
        "processors": 2,
    }
    seconds = {"notebooks": 290, "pages": 20, "tests": 400}
    (tmp_path / "build_times.json").write_text(json.dumps(made | {"seconds": seconds}))
    steps = build_times(tmp_path)
    assert steps["seconds"].to_dict() == seconds | {"the whole book": 310}
    assert steps["verdict"].dropna().to_dict() == {"tests": "kept", "the whole book": "broken"}
    assert steps.attrs["made"] == "2 processors, x86, Python 3.11, 2026-01-01, commit 0123456789"


def test_times_of_the_browser(tmp_path):
    """Those of the last record; without one, the page says that nothing was measured."""
    assert benchmark_records.in_the_browser(tmp_path) is None and cost.browser_table(None) is None
    assert cost.browser_in_words(None) == "It has not been measured: no record is kept."
    for day, frame in ((1, 100), (2, 200)):
        table = pd.DataFrame(
            {
                "what": ["loading", "first map", "frame", "slowest frame"],
                "milliseconds": [900, 400, frame, 300],
                "limit": [None, 3000, 150, None],
            }
        )
        table.attrs["provenance"] = {
            "commit": "0123456789abcdef",
            "machine": "x86",
            "date": f"2026-01-0{day}T10:00",
            "processors": 2,
        }
        save(table, tmp_path / "browser" / f"{day}.parquet")
    times = benchmark_records.in_the_browser(tmp_path)
    assert times["verdict"].dropna().to_dict() == {
        "from then to the first map": "kept",
        "a map while the reader paints, median": "broken",
    }
    assert times.attrs["made"] == "2 processors, x86, 2026-01-02, commit 0123456789"
    assert cost.browser_in_words(times) == "1 of 2 limits are kept in this run."
    assert "2 processors" in cost.browser_table(times).to_html()
