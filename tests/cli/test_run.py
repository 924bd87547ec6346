"""What the command run makes of the values given for parameters, before it executes anything."""

import time
from concurrent.futures import Future
from pathlib import Path

import pytest

from contrastlib.__main__ import main
from contrastlib.cli import run as command
from contrastlib.report import notebooks


@pytest.fixture
def given(monkeypatch):
    """The values that ``run`` would give to a notebook."""
    values = {}
    monkeypatch.setattr(notebooks, "parameters", lambda source, all_values: values.update(all_values[source.stem]))
    monkeypatch.setattr(command, "_update", lambda plan, arguments: None)
    return values


@pytest.mark.parametrize("text, value", [
    ("1e-3", 1e-3), ("[-2E4]", [-2e4]), ("1.5e+2", 150.0), (".5e1", 5.0), ("0.2", 0.2), ("7", 7), ("true", True),
    ("[1e-3, 2]", [1e-3, 2]), ("'1e-3'", "1e-3"), ("birds_vgg", "birds_vgg"), ("1e-3x", "1e-3x"), ("null", None),
])  # fmt: skip
def test_values(given, text, value):
    assert main(["run", "01_theory", "-p", "x", text]) == 0
    assert given["x"] == value and type(given["x"]) is type(value)


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
        raise notebooks.NotebookFailed(f"{source.stem} failed")
    while source.stem == "slow" and not failed.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.3 if source.stem == "slow" else 0)  # time for another to begin
    return f"{source.stem}: done"


@pytest.mark.parametrize("names, said", [
    (["slow", "bad", "next", "last"], ["slow: done"]), (["first", "bad", "slow", "last"], ["first: done", "slow: done"]),
])
def test_nothing_begins_after_a_failure(tmp_path, capsys, names, said):
    """Even if it is not the turn of the one that failed; what is running finishes, and is reported."""
    log = tmp_path / "log"
    with pytest.raises(notebooks.NotebookFailed, match="^bad failed$"):
        command._each(_work, [(Path(name), log) for name in names], {}, jobs=2)
    assert "last" not in log.read_text() and "next" not in log.read_text()
    assert capsys.readouterr().out.splitlines() == said


def test_all_failures_are_reported(tmp_path, capsys):
    log = tmp_path / "log"
    with pytest.raises(notebooks.NotebookFailed, match="(?s)^worse failed.*bad failed$"):
        command._each(_work, [(Path(name), log) for name in ("slow", "worse", "bad", "last")], {}, jobs=3)
    assert capsys.readouterr().out.splitlines() == ["slow: done"]


def test_the_longest_notebooks_begin_first_where_several_run(monkeypatch, capsys):
    known = [path.stem for path in notebooks.find([])]
    assert command.LONGEST == ("10_lrp", "02_input_space") and set(command.LONGEST) <= set(known)
    submitted = []

    class Pool:
        def __init__(self, *_, **__): pass
        def __enter__(self): return self
        def __exit__(self, *_): pass
        def submit(self, work, source, _):
            submitted.append(source.stem)
            (done := Future()).set_result(source.stem)
            return done

    monkeypatch.setattr(command, "ProcessPoolExecutor", Pool)
    for jobs, expected in ((2, [*command.LONGEST, *(name for name in known if name not in command.LONGEST)]), (1, known)):
        submitted.clear()
        command._each(None, [(path, {}) for path in notebooks.find([])], {}, jobs)
        assert submitted == expected and capsys.readouterr().out.split() == known
