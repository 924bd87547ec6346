"""What the command run makes of the values given for parameters, before it executes anything."""

from concurrent.futures import Future

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


def test_the_longest_notebook_begins_first_where_several_run(monkeypatch, capsys):
    known = [path.stem for path in notebooks.find([])]
    assert set(command.LONGEST) <= set(known)
    submitted = []

    class Pool:
        def __init__(self, *_, **__): pass
        def __enter__(self): return self
        def __exit__(self, *_): pass
        def submit(self, work, source, _):
            submitted.append(source.stem)
            (done := Future()).set_result(source.stem)
            return done
        def shutdown(self, **_): pass

    monkeypatch.setattr(command, "ProcessPoolExecutor", Pool)
    for jobs, expected in ((2, [*command.LONGEST, *(name for name in known if name not in command.LONGEST)]), (1, known)):
        submitted.clear()
        command._each(None, [(path, {}) for path in notebooks.find([])], {}, jobs)
        assert submitted == expected and capsys.readouterr().out.split() == known
