"""The versions of the studies are tied to the code that they compute with."""

import json
from dataclasses import replace

import pytest

from contrastlib import explainers
from contrastlib.report import studies
from contrastlib.report.computing import code_digest
from contrastlib.report.studies import versions


def test_the_versions_of_all_studies_are_accepted():
    undecided = versions.undecided()
    assert not undecided, "\n".join(undecided)


@pytest.fixture
def table(tmp_path, monkeypatch):
    """One accepted study; ``table(digest, version)`` is another state of it."""
    study = studies.precision_table

    def state(digest, version=1):
        monkeypatch.setattr(versions, "STUDIES", {study.name: replace(study, version=version)})
        monkeypatch.setattr(versions, "code_digest", lambda module, registered: digest)

    monkeypatch.setattr(versions, "ACCEPTED", tmp_path / "versions.json")
    state("as it was")
    assert versions.main(["--accept"]) == 0
    return state


def test_a_change_of_the_code_has_to_be_decided(table, capsys):
    assert versions.main([]) == 0
    table("changed")
    assert versions.main([]) == 1
    said = capsys.readouterr().out
    assert "The code of precision_table changed, and its version is 1 as before." in said
    assert "raise its version in contrastlib/report/studies/records.py" in said
    assert "run `python -m contrastlib.report.studies.versions --accept`" in said
    assert versions.main(["--accept"]) == 0 and versions.main([]) == 0


@pytest.mark.parametrize(
    "module", ["contrastlib.datasets.birds.scene", "contrastlib.models.architectures.padding"]
)
def test_a_change_of_what_makes_images_and_networks_has_to_be_decided(table, monkeypatch, capsys, module):
    """A new module of the same package does not."""
    now = versions.sources()
    monkeypatch.setattr(versions, "sources", lambda: now | {"contrastlib.datasets.new": "a"})
    assert versions.main([]) == 0
    monkeypatch.setattr(versions, "sources", lambda: now | {module: "changed"})
    capsys.readouterr()
    assert versions.main([]) == 1
    assert f"{module} changed. If images, labels or networks may change" in capsys.readouterr().out
    monkeypatch.setattr(versions, "sources", lambda: {name: now[name] for name in now if name != module})
    assert versions.main([]) == 1
    assert f"{module} is gone. If images, labels or networks may change" in capsys.readouterr().out


def test_a_raised_version_has_to_be_accepted(table, capsys):
    table("changed", version=2)
    assert versions.main([]) == 1 and "has version 2, and version 1 is accepted" in capsys.readouterr().out
    assert versions.main(["--accept"]) == 0
    assert json.loads(versions.ACCEPTED.read_text())["studies"] == {
        "precision_table": {"version": 2, "digest": "changed"}
    }


def test_a_new_explainer_needs_no_decision(tmp_path, monkeypatch):
    """Its module is found by the registry alone; a change of it needs one as soon as it is accepted."""
    study = studies.masking_table
    evaluation = study.evaluation.__module__
    monkeypatch.setattr(versions, "STUDIES", {study.name: study})
    monkeypatch.setattr(versions, "ACCEPTED", tmp_path / "versions.json")
    versions.accept()
    folders = [*explainers.__path__, str(tmp_path)]
    monkeypatch.setattr(explainers, "__path__", folders)
    monkeypatch.setattr(explainers.__spec__, "submodule_search_locations", folders)

    def write(code):
        (tmp_path / "made_up_explainer.py").write_text(code)
        code_digest._walked.cache_clear()
        code_digest._imports.cache_clear()

    write("value = 1")
    assert "contrastlib.explainers.made_up_explainer" in code_digest.registered_modules(evaluation)
    assert not versions.undecided()
    versions.accept()
    assert not versions.undecided()
    write("value = 2")
    assert len(versions.undecided()) == 1
    write("value = 1")
    assert not versions.undecided()
    (tmp_path / "made_up_explainer.py").unlink()
    code_digest._walked.cache_clear()
    assert len(versions.undecided()) == 1
    monkeypatch.undo()
    code_digest._walked.cache_clear()


def test_studies_that_are_new_or_gone():
    one = {"version": 1, "digest": "a"}
    assert versions.differences({"old": one}, {"new": one}) == [
        f"new is new: run `{versions.COMMAND}`.",
        f"old is gone: run `{versions.COMMAND}`.",
    ]
