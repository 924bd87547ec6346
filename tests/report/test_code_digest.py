"""What the hash of a module's code covers."""

import contrastlib
from contrastlib.report import code_digest


def test_the_digest_covers_what_a_module_reaches():
    closure = code_digest.closure(["contrastlib.report.studies"])
    for reached in ("contrasts", "autograd.forward_pass", "explainers.cam", "explainers.gradients", "evaluation.masking",
                    "evaluation.perturbation", "models", "models.architectures.cifar_resnet", "datasets", "datasets.archives"):
        assert f"contrastlib.{reached}" in closure
    assert "contrastlib.contrasts" in code_digest.closure(["contrastlib.evaluation.precision"])
    assert "contrastlib" in code_digest.closure(["contrastlib.evaluation.relevance_mass"])  # explain, for saliency
    assert code_digest.code_digest("contrastlib.contrasts") != code_digest.code_digest("contrastlib.autograd.forward_pass")
    drawing = {f"contrastlib.datasets.birds.{name}" for name in ("raster", "species", "sets", "scene", "scenery", "bird", "anatomy")}
    assert drawing <= code_digest.closure(["contrastlib.report.batches"])


def test_the_digest_follows_relative_imports(tmp_path, monkeypatch):
    inner = tmp_path / "made_up" / "inner"
    inner.mkdir(parents=True)
    modules = {
        "made_up/__init__.py": "", "made_up/other.py": "", "made_up/unused.py": "", "made_up/beside.py": "",
        "made_up/inner/__init__.py": "from .first import value",
        "made_up/inner/first.py": "from . import second\nfrom .. import beside\nvalue = second.value",
        "made_up/inner/second.py": "def late():\n    from ..other import value\nvalue = 1",
    }
    for name, code in modules.items():
        (tmp_path / name).write_text(code)
    monkeypatch.setattr(contrastlib, "__path__", [*contrastlib.__path__, str(tmp_path)])
    reached = code_digest.closure(["contrastlib.made_up.inner"])
    assert reached == {f"contrastlib.made_up{end}" for end in ("", ".beside", ".other", ".inner", ".inner.first", ".inner.second")}
    before = code_digest.code_digest("contrastlib.made_up.inner")
    (inner / "second.py").write_text("value = 2")
    assert code_digest.code_digest("contrastlib.made_up.inner") != before
