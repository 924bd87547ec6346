"""What the hash of an evaluation's code covers."""

import sys

import pytest

import contrastlib
from contrastlib.report.computing import code_digest


def test_the_digest_covers_what_an_evaluation_computes_with():
    closure = code_digest.closure("contrastlib.evaluation.dominance")
    for reached in (
        "evaluation.dominance",
        "evaluation.precision",
        "contrasts",
        "autograd.forward_pass",
        "explainers.cam",
    ):
        assert f"contrastlib.{reached}" in closure
    assert "contrastlib.explainers.vit" not in closure, "gradcam alone is taken from the explainers"
    assert "contrastlib._explain" in code_digest.closure(
        "contrastlib.evaluation.relevance_mass"
    )  # for saliency
    assert "contrastlib.explainers.lrp.rules" in code_digest.closure("contrastlib.evaluation.conservation")
    assert {"contrastlib._logits", "contrastlib._class_sets"} <= code_digest.closure(
        "contrastlib.evaluation.later_methods"
    )
    assert "contrastlib.datasets.birds.repainting" in code_digest.closure(
        "contrastlib.report.studies.bird_interventions"
    )
    own = code_digest.closure("contrastlib.report.studies.dataset_evaluations")
    assert {"contrastlib.report.studies.dataset_evaluations", "contrastlib.evaluation.ablation"} <= own
    beside = (
        "contrastlib.datasets",
        "contrastlib.models",
        "contrastlib.assets",
        "contrastlib.report.computing.batches",
    )
    assert not [name for name in own if name.startswith(beside)], "a change of a download changes no number"


@pytest.fixture
def made_up(tmp_path, monkeypatch):
    """A package ``contrastlib.made_up``; ``write(file, code)`` changes one of its modules."""
    modules = {
        "__init__.py": "",
        "other.py": "",
        "unused.py": "",
        "beside.py": "",
        "inner/__init__.py": "from .first import value\nfrom .third import helper",
        "inner/first.py": "from . import second\nfrom .. import beside\nvalue = second.value",
        "inner/second.py": "def late():\n    from ..other import value\nvalue = 1",
        "inner/third.py": "def helper(x: int = None) -> None:\n    return f'{x}'",
        "start.py": (
            "import torch\nfrom contrastlib.made_up.inner import value\nfrom contrastlib import datasets"
        ),
    }

    def write(file, code):
        path = tmp_path / "made_up" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(code)

    for file, code in modules.items():
        write(file, code)
    monkeypatch.setattr(contrastlib, "__path__", [*contrastlib.__path__, str(tmp_path)])
    monkeypatch.setattr(code_digest, "COMPUTING", ("contrastlib.made_up",))
    for cached in (code_digest._imports, code_digest._walked):
        cached.cache_clear()
    yield write
    for cached in (code_digest._imports, code_digest._walked):
        cached.cache_clear()
    for name in [name for name in sys.modules if name.startswith("contrastlib.made_up")]:
        del sys.modules[name]


def test_the_digest_follows_relative_imports_and_what_packages_pass_on(made_up):
    reached = code_digest.closure("contrastlib.made_up.start")
    assert reached == {
        f"contrastlib.made_up.{name}" for name in ("start", "beside", "other", "inner.first", "inner.second")
    }


def test_what_changes_the_digest(made_up):
    start = "contrastlib.made_up.start"
    before = code_digest.code_digest(start)
    for file in ("unused.py", "inner/third.py"):
        made_up(file, "value = 3")
    made_up(
        "inner/second.py",
        "'''A docstring.'''\ndef late():\n    from ..other import value\n\nvalue = (1)  # a comment",
    )
    assert code_digest.code_digest(start) == before
    made_up("inner/second.py", "value = 2")
    assert code_digest.code_digest(start) != before


def test_a_registry_alone_imports_only_registered_modules(made_up):
    made_up("inner/registry.py", "import pkgutil\nfound = pkgutil.walk_packages([])")
    made_up("start.py", "from contrastlib.made_up.inner import registry, value")
    start = "contrastlib.made_up.start"
    names = ("first", "registry", "second", "third")
    assert code_digest.registered_modules(start) == {f"contrastlib.made_up.inner.{name}" for name in names}
    third = "contrastlib.made_up.inner.third"
    everything = code_digest.closure(start)
    assert third in everything
    assert code_digest.closure(start, [third]) == everything
    assert code_digest.closure(start, []) == everything - {third}, "the others are imported by name"


def test_the_digest_is_the_same_for_all_releases_of_python(made_up):
    """Of a function with a default, annotations and an f-string, whose trees get fields in newer releases."""
    assert code_digest.code_digest("contrastlib.made_up.inner.third") == (
        "d1df6f60990094b2118f8e213ba4bf4b88ee17cd96b2e95c59f6081cd66127f9"
    )
