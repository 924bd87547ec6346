"""Files to rerun the report elsewhere: their commands are targets of make, their versions the project's."""

import json
import os
import re
import shlex
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PYTHONS = re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["classifiers"]))
TARGETS = set(re.findall(r"^([a-z.-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
WORKFLOW = yaml.safe_load((ROOT / ".github/workflows/book.yml").read_text())
JOBS = WORKFLOW["jobs"]
DEVCONTAINER = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text())
CONTAINER = (ROOT / "Containerfile").read_text().replace("\\\n", " ")


def commands(job):
    return [step["run"] for step in JOBS[job]["steps"] if "run" in step]


def made(command):
    """Targets and variables of a command of make."""
    words = shlex.split(re.sub(r"\$\{\{.*?\}\}", "x", command))
    assert words[0] == "make"
    return [word for word in words[1:] if "=" not in word], dict(
        word.split("=", 1) for word in words[1:] if "=" in word
    )


IN_CLUSTERS = commands("cluster")
RUN = [
    *commands("test"),
    *commands("versions"),
    IN_CLUSTERS[0],
    IN_CLUSTERS[-1],
    DEVCONTAINER["postCreateCommand"],
    *re.findall(r"RUN (make .*)", CONTAINER),
]


@pytest.mark.parametrize("command", RUN)
def test_commands_are_targets_of_make(command):
    """With variables that the Makefile knows, and files that are there."""
    targets, variables = made(command)
    assert set(targets) <= TARGETS
    assert all(
        re.search(rf"^{name} \?=", (ROOT / "Makefile").read_text(), re.MULTILINE) for name in variables
    )
    assert (ROOT / variables.get("LOCK", ".")).exists()


def test_the_workflow_runs_what_continuous_integration_runs():
    ours = re.findall(r"^make (.+)$", (ROOT / ".ci/run").read_text(), re.MULTILINE)
    assert [made(command)[0] for command in commands("test")][1] == ours
    assert JOBS["publish"]["needs"] == ["test", "versions"] and "main" in JOBS["publish"]["if"]
    (upload,) = [step for step in JOBS["test"]["steps"] if "upload-pages" in step.get("uses", "")]
    assert upload["with"]["path"] == "_build/html"


def test_the_workflow_runs_the_tests_of_clusters_with_slurm():
    *_, slurm, tests = IN_CLUSTERS
    root, shell, script, action = shlex.split(slurm)
    assert (root, shell, action) == ("sudo", "bash", "start") and f"slurm.sh {action}" in (
        ROOT / script
    ).read_text()
    assert made(tests) == (["test-cluster"], {})


def test_versions_of_python():
    """The first is the oldest that the project allows; the book is made with it everywhere."""
    assert PROJECT["requires-python"] == f">={PYTHONS[0]}"
    assert JOBS["versions"]["strategy"]["matrix"]["python-version"] == PYTHONS
    for job in ("test", "cluster"):
        setup = next(step for step in JOBS[job]["steps"] if "setup-python" in step.get("uses", ""))
        assert setup["with"]["python-version"] == PYTHONS[0]
    assert re.findall(r"FROM python:(\S+?)-", CONTAINER) == [PYTHONS[0]]
    assert (ROOT / ".binder/runtime.txt").read_text().strip() == f"python-{PYTHONS[0]}"
    assert re.search(r">= \(3, (\d+)\)", (ROOT / "Makefile").read_text())[1] == PYTHONS[0].removeprefix("3.")


def test_the_container_has_the_packages_of_continuous_integration():
    needed = re.search(r"--no-install-recommends (chromium.*?) >", (ROOT / ".ci/run").read_text())[1].split()
    installed = re.search(r"--no-install-recommends (.*?) &&", CONTAINER)[1].split()
    assert {*needed, "git", "make"} == set(installed)


def test_the_container_starts_jupyterlab(capsys):
    """With the command line of the project, whose help knows the words."""
    from contrastlib.__main__ import main

    program, *words = json.loads(re.search(r"CMD (\[.*\])", CONTAINER)[1])
    assert program == ".venv/bin/python" and words[:3] == ["-m", "contrastlib", "lab"] and words[3] == "--"
    with pytest.raises(SystemExit):
        main([words[2], "--help"])
    assert "Further arguments go to" in capsys.readouterr().out


def test_the_devcontainer_builds_a_stage_of_the_container():
    build = DEVCONTAINER["build"]
    folder = ROOT / ".devcontainer"
    assert (folder / build["dockerfile"]).resolve() == ROOT / "Containerfile" and (
        folder / build["context"]
    ).resolve() == ROOT
    assert f"AS {build['target']}\n" in CONTAINER
    assert (
        DEVCONTAINER["customizations"]["vscode"]["settings"]["python.defaultInterpreterPath"]
        == ".venv/bin/python"
    )
    port = re.search(r"EXPOSE (\d+)", CONTAINER)[1]
    assert DEVCONTAINER["forwardPorts"] == [int(port)]


def test_the_container_copies_nothing_that_make_makes():
    ignored = set((ROOT / ".dockerignore").read_text().split("\n"))
    assert {".venv", "node_modules", "_build", "book/executed", "book/vendor", "data/downloads"} <= ignored


def test_binder_installs_the_pinned_environment():
    lines = [
        line
        for line in (ROOT / ".binder/requirements.txt").read_text().splitlines()
        if not line.startswith("#")
    ]
    files = [ROOT / ".binder" / line.split()[1] for line in lines if line.startswith(("-r", "-c"))]
    assert [file.resolve().name for file in files] == ["requirements.txt", "constraints.txt"] and all(
        map(Path.exists, files)
    )
    assert "-e ." in lines


def test_binder_runs_a_notebook_that_is_there():
    script = ROOT / ".binder/postBuild"
    assert os.access(script, os.X_OK) and "set -euo pipefail" in script.read_text()
    (name,) = re.findall(r"python -m contrastlib run (\S+)", script.read_text())
    assert (ROOT / "notebooks" / f"{name}.ipynb").exists()
