"""What the command run makes of the values given for parameters, before it executes anything."""

import json
import time
from concurrent.futures import Future
from pathlib import Path

import pytest

from contrastlib.__main__ import main
from contrastlib.cli import run as command
from contrastlib.report.notebooks import execution
from contrastlib.report.pages import parts as page_parts


@pytest.fixture
def given(monkeypatch):
    """The values that ``run`` would give to a notebook."""
    values = {}
    monkeypatch.setattr(
        execution, "parameters", lambda source, all_values: values.update(all_values[source.stem])
    )
    monkeypatch.setattr(command, "_update", lambda plan, arguments: None)
    return values


@pytest.mark.parametrize("text, value", [
    ("1e-3", 1e-3), ("[-2E4]", [-2e4]), ("1.5e+2", 150.0), (".5e1", 5.0), ("0.2", 0.2), ("7", 7),
    ("true", True), ("[1e-3, 2]", [1e-3, 2]), ("'1e-3'", "1e-3"), ("birds_vgg", "birds_vgg"),
    ("1e-3x", "1e-3x"), ("null", None),
    ("-1e-3", -1e-3), ("-1", -1), ("-.5", -0.5), ("-2.5E+3", -2500.0), ("-.inf", -float("inf")),
    ("-1_000", -1000), ("- 1", [1]),
    ("None", None), ("[None, 1]", [None, 1]), ("{a: None}", {"a": None}), ("'None'", "None"),
    ("~", None), ("True", True), ("False", False),
    ("no", "no"), ("on", "on"), ("2024-01-01", "2024-01-01"), ("1:30", "1:30"),
    ("010", 10), ("0x10", 16), ("1_000", 1000), ("''", ""),
    ("[0x10, 0o10, 1e3, .5]", [16, 8, 1000.0, 0.5]),
])  # fmt: skip
def test_values(given, text, value):
    assert main(["run", "01_theory", "-p", "x", text]) == 0
    assert given["x"] == value and type(given["x"]) is type(value)


@pytest.mark.parametrize("text", ["", " ", "# none"])
def test_a_value_that_is_empty_and_what_to_write(given, capsys, text):
    assert main(["run", "01_theory", "-p", "x", text]) == 2
    assert (
        capsys.readouterr().err
        == f"contrastlib run: -p x {text!r} has no value: write null for none, or \"''\" for empty text\n"
    )
    for remedy, value in (("null", None), ("''", "")):
        assert main(["run", "01_theory", "-p", "x", remedy]) == 0 and given["x"] == value


@pytest.mark.parametrize("name", ["photo", "measurements"])
def test_paths_are_relative_to_where_the_user_is(given, capsys, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "my picture.png").touch()
    for text in ("my picture.png", "./my picture.png", "~/my picture.png", str(tmp_path / "my picture.png")):
        assert main(["run", "01_theory", "-p", name, text]) == 0
        assert given[name] == str(tmp_path / "my picture.png")
    assert main(["run", "01_theory", "-p", name, "None"]) == 0 and given[name] is None
    assert (
        main(["run", "01_theory", "-p", "network", "my picture.png"]) == 0
        and given["network"] == "my picture.png"
    )
    assert main(["run", "01_theory", "-p", name, "yours.png"]) == 2
    assert (
        capsys.readouterr().err
        == f"contrastlib run: -p {name} 'yours.png': there is no file {tmp_path / 'yours.png'}\n"
    )


@pytest.mark.parametrize("text", ["[1, 2", "{a: b: c}", "@x", "'"])
def test_what_is_no_yaml(given, capsys, text):
    assert main(["run", "01_theory", "-p", "x", text]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"contrastlib run: -p x {text!r} is no YAML: ") and error.count("\n") == 1


def _work(source, log):
    """Notes that it began; ``bad`` fails once ``slow`` has begun, which ends when told that ``bad`` did."""
    with open(log, "a") as began:
        began.write(f"{source.stem}\n")
    failed, deadline = log.with_name("failed"), time.monotonic() + 60
    if source.stem in ("bad", "worse"):
        while "slow" not in log.read_text() and time.monotonic() < deadline:
            time.sleep(0.01)
        failed.touch()
        raise execution.NotebookFailed(f"{source.stem} failed")
    while source.stem == "slow" and not failed.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.3 if source.stem == "slow" else 0)  # time for another to begin
    return f"{source.stem}: done"


@pytest.mark.parametrize(
    "names, said",
    [
        (["slow", "bad", "next", "last"], ["slow: done"]),
        (["first", "bad", "slow", "last"], ["first: done", "slow: done"]),
    ],
)
def test_nothing_begins_after_a_failure(tmp_path, capsys, names, said):
    """Even if it is not the turn of the one that failed; what is running finishes, and is reported."""
    log = tmp_path / "log"
    with pytest.raises(execution.NotebookFailed, match="^bad failed$"):
        command._each(_work, [(Path(name), log) for name in names], {}, jobs=2)
    assert "last" not in log.read_text() and "next" not in log.read_text()
    assert capsys.readouterr().out.splitlines() == said


def test_all_failures_are_reported(tmp_path, capsys):
    log = tmp_path / "log"
    with pytest.raises(execution.NotebookFailed, match="(?s)^worse failed.*bad failed$"):
        command._each(_work, [(Path(name), log) for name in ("slow", "worse", "bad", "last")], {}, jobs=3)
    assert capsys.readouterr().out.splitlines() == ["slow: done"]


def test_the_longest_notebooks_begin_first_where_several_run(tmp_path, monkeypatch, capsys):
    """One whose time is not known begins before them."""
    known = [path.stem for path in execution.find([])]
    times = {f"notebook {name}": seconds for seconds, name in enumerate(known[1:], 1)}
    (tmp_path / "times.json").write_text(json.dumps({"seconds": times}))
    monkeypatch.setattr(page_parts, "TIMES", tmp_path / "times.json")
    submitted = []

    class Pool:
        def __init__(self, *_, **__):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def submit(self, work, source, _):
            submitted.append(source.stem)
            (done := Future()).set_result(source.stem)
            return done

    monkeypatch.setattr(command, "ProcessPoolExecutor", Pool)
    for jobs, expected in ((2, [known[0], *known[:0:-1]]), (1, known)):
        submitted.clear()
        command._each(None, [(path, {}) for path in execution.find([])], {}, jobs)
        assert submitted == expected and capsys.readouterr().out.split() == known
