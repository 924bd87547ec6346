"""The command run where something is wrong: thing and remedy in one line, before a run if possible."""

import multiprocessing
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest

from contrastlib.__main__ import main
from contrastlib.cli import run as command
from contrastlib.report.notebooks import execution, staleness

ROOT = Path(__file__).parents[2]


def test_a_notebook_does_not_run_if_its_result_cannot_be_written(repository, refusing, monkeypatch, capsys):
    place, said = refusing
    repository.notebook("01_writes", "open('ran', 'w').close()")
    monkeypatch.setattr(execution, "EXECUTED", place / "executed")
    assert main(["run"]) == 2
    error = capsys.readouterr().err
    assert (
        re.search(rf"contrastlib run: {place}/executed/01_writes.ipynb cannot be written: {said}", error)
        and error.count("\n") == 1
    )
    assert not (repository.root / "notebooks" / "ran").exists()


@pytest.mark.parametrize(
    "stamp",
    [
        "",
        "[]",
        "{}",
        "null",
        "3",
        '{"output": 3}',
        '{"output": "x", "made": 1, "inputs": {}}',
        '{"output": "x", "made": [1], "inputs": {}}',
        '{"output": "x", "made": [], "inputs": {"file": 1}}',
        '{"output": "x", "made": [], "inputs": []}',
        "[" * 2000,
        b"\xff\xfe",
        "folder",
    ],
)
def test_a_damaged_stamp(repository, capsys, monkeypatch, stamp):
    """The notebook is executed again, and the reason is said."""
    repository.notebook("01_alone", "print(n)")
    executed = repository.root / "book" / "executed"
    executed.mkdir(parents=True)
    (executed / "01_alone.ipynb").write_text("{}")
    place = executed / "01_alone.json"
    place.mkdir() if stamp == "folder" else place.write_bytes(
        stamp if isinstance(stamp, bytes) else stamp.encode()
    )
    monkeypatch.setattr(execution, "execute", lambda *_, **__: None)
    assert main(["run"]) == 0
    assert re.search(r"01_alone: executed in 0 s \(its stamp is damaged\)", capsys.readouterr().out)


@pytest.mark.parametrize("content, complaint", [
    ("- 1", "it holds a list"),
    ("3", "it holds a number"),
    ("a", "it holds text"),
    ("all: 3", "below 'all' is a number"),
    ("01_x: [1]", "below '01_x' is a list"),
    ("all: {n: !!set {a}}", "a tag"),
    ("all: {n: &a [*a]}", "nested too deeply"),
    ("all: {n: " + "[" * 999, "nested too deeply"),
    ("all:\n  n: [1", "line 2"),
    ("3: {}", "the key 3 is a number"),
    (b"\xff", "cannot be read"),
    ("all: {n: 1, m: 2024-01-01}", None),
    ("", None),
    ("# none", None),
])  # fmt: skip
def test_profiles(repository, capsys, monkeypatch, content, complaint):
    repository.notebook("01_alone", "print(n)")
    path = repository.root / "notebooks" / "profiles" / "quick.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    monkeypatch.setattr(command, "_update", lambda plan, arguments: None)
    assert main(["run"]) == (2 if complaint else 0)
    error = capsys.readouterr().err
    assert error.count("\n") == bool(complaint) and (
        not complaint or re.search(f"quick.yaml.*{complaint}", error)
    )


@pytest.mark.parametrize("content, complaint", [
    ("", "01_alone.ipynb cannot be read as a notebook"),
    ("[]", "cannot be read as a notebook"),
    ("{}", "cannot be read as a notebook|cells tagged"),
    (b"\xff", "cannot be read as a notebook"),
    ('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}', "has 0 cells tagged `parameters`"),
    ("folder", "cannot be read as a notebook"),
])  # fmt: skip
def test_damaged_notebooks(repository, capsys, content, complaint):
    path = repository.root / "notebooks" / "01_alone.ipynb"
    path.mkdir() if content == "folder" else path.write_bytes(
        content if isinstance(content, bytes) else content.encode()
    )
    assert main(["run"]) == 2
    error = capsys.readouterr().err
    assert re.search(complaint, error) and error.count("\n") == 1


@pytest.mark.parametrize("line", ["n = ", "n = f()", "n, m = 1, 2", "n = m = 1", "n = '\\ud800'"])
def test_a_parameters_cell_that_is_no_python(repository, capsys, line, monkeypatch):
    repository.notebook("01_alone", "print(n)", parameters=line)
    monkeypatch.setattr(command, "_update", lambda plan, arguments: None)
    status = main(["run"])
    error = capsys.readouterr().err
    assert (
        (status, error) == (0, "")
        if "ud800" in line
        else status == 2 and "the parameters cell of 01_alone.ipynb" in error
    )


def test_an_installed_package_says_that_it_has_no_notebooks(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(execution, "NOTEBOOKS", tmp_path / "notebooks")
    monkeypatch.setattr(execution, "PROFILES", tmp_path / "notebooks" / "profiles")
    for words in (["run"], ["run", "03_maps"], ["run", "--profile", "real"], ["run", "--save"]):
        assert main(words) == 2
        error = capsys.readouterr().err
        assert error.startswith(
            "contrastlib run: there are no notebooks: they are part of contrastlib's repository, "
            "but not of the installed package"
        )
        assert error.endswith("Run the command in a clone of the repository\n") and error.count("\n") == 1


@pytest.mark.parametrize(
    "error, status, said",
    [
        (KeyError("x"), 1, "this is a bug of contrastlib, KeyError: 'x': CONTRASTLIB_DEBUG=1 shows where"),
        (
            OSError(28, "No space left on device", "a.bin"),
            2,
            "a.bin: No space left on device: free some space on its disk",
        ),
    ],
)
def test_exceptions_of_another_process(repository, capsys, monkeypatch, error, status, said):
    def fail(*_, **__):
        raise error

    repository.notebook("01_alone", "print(n)")
    monkeypatch.setattr(execution, "execute", fail)  # before the process is forked
    assert main(["run"]) == status
    assert capsys.readouterr().err == f"contrastlib run: {said}\n"


@pytest.mark.slow
@pytest.mark.parametrize("cell, said", [
    ("import os; os.kill(os.getpid(), 9)",
     ("01_dies.ipynb: its kernel ended, probably because memory was short: "
      "close other programs, and run it alone")),
    ("import os; os.kill(os.getppid(), 9)",
     "a process ended while 01_dies ran, probably because memory was short"),
])  # fmt: skip
def test_a_kernel_or_a_process_that_dies(repository, capsys, cell, said):
    repository.notebook("01_dies", cell)
    assert main(["run"]) == 1
    error = capsys.readouterr().err
    assert said in error and "Traceback" not in error
    assert (
        main(shlex.split(re.search("`python -m contrastlib (run 01_dies)`", error)[1])) == 1
    )  # the remedy is a command
    repository.notebook("01_dies", "print(n)")
    capsys.readouterr()
    assert main(["run", "01_dies"]) == 0


@pytest.mark.slow
def test_interrupted(tmp_path):
    """Ctrl-C of a run whose kernel is busy: status 130, one line, and no process is left.

    A shell lets what it starts in the background ignore Ctrl-C, and tests inherit that; this run does not.
    """
    clone = tmp_path / "clone"
    (clone / "notebooks" / "profiles").mkdir(parents=True)
    (clone / "contrastlib").symlink_to(ROOT / "contrastlib")
    begin = (
        f"import os, time; open({str(tmp_path / 'began')!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    )
    for name in ("01_busy", "02_busy"):
        cells = [
            nbformat.v4.new_code_cell("n = 1", metadata={"tags": ["parameters"]}),
            nbformat.v4.new_code_cell(begin),
        ]
        nbformat.write(nbformat.v4.new_notebook(cells=cells), clone / "notebooks" / f"{name}.ipynb")
    (clone / "notebooks" / "profiles" / "quick.yaml").write_text("{}")
    code = (
        "import signal, sys; from pathlib import Path\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from contrastlib.report.notebooks import execution as notebooks, staleness\n"
        "root = Path(sys.argv[1])\n"
        "notebooks.NOTEBOOKS, notebooks.PROFILES = root / 'notebooks', root / 'notebooks/profiles'\n"
        "notebooks.EXECUTED = root / 'executed'; notebooks.REPOSITORY = staleness.REPOSITORY = root\n"
        "from contrastlib.__main__ import main\nsys.exit(main(['run']))"
    )
    run = subprocess.Popen(
        [sys.executable, "-c", code, clone],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ | {"PYTHONPATH": str(ROOT), "JUPYTER_DEFAULT_PROVISIONER_NAME": "local-provisioner"},
    )
    deadline = time.monotonic() + 120
    while not (tmp_path / "began").exists() and run.poll() is None and time.monotonic() < deadline:
        time.sleep(0.2)
    kernel = int((tmp_path / "began").read_text())
    os.killpg(run.pid, signal.SIGINT)  # as a terminal does
    _, error = run.communicate(timeout=120)
    assert run.returncode == 130 and error == "contrastlib run: interrupted\n"
    deadline = time.monotonic() + 20
    while Path(f"/proc/{kernel}").exists() and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not Path(f"/proc/{kernel}").exists()


def test_a_process_that_does_not_end_after_an_interruption_is_killed(monkeypatch):
    def deaf(pipe):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        pipe.send("ready")
        time.sleep(600)

    monkeypatch.setattr(command, "PATIENCE", 0.2)
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=deaf, args=(there,))
    process.start()
    assert here.recv() == "ready"
    command._end([process])
    process.join(20)
    assert process.exitcode == -signal.SIGKILL


def test_a_photo_with_another_content_is_another_photo(repository, capsys, monkeypatch):
    """It lies where the user stands, and counts as an input of the notebook."""
    monkeypatch.chdir(repository.data)
    monkeypatch.setattr(staleness, "watched", lambda: [repository.root / "notebooks"])
    repository.notebook("01_shows", "print(open(photo).read())", parameters="photo = None")
    for content in ("a cat", "a dog"):
        (repository.data / "picture.png").write_text(content)
        for said in ("executed", "up to date"):
            assert main(["run", "-p", "photo", "picture.png"]) == 0
            assert f"01_shows: {said}" in capsys.readouterr().out
        assert repository.outputs("book/executed/own/01_shows.ipynb") == [f"{content}\n"]
