"""What the command run makes of the values given for parameters, before it executes anything."""

import pytest

from contrastlib import notebooks
from contrastlib.__main__ import main
from contrastlib.commands import run as command


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
