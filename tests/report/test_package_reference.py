"""The reference of a package is generated from its docstrings, and every package of this project has a page."""

import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import contrastlib
from contrastlib.report.package_reference import first_sentence, package_reference, public_modules

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "book" / "reference").glob("*.md"))
CONFIGURATION = """
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "contrastlib.report.sphinx_ext"]
"""
FILES = {
    "__init__.py": '"""A toy package. It has two modules."""\nfrom toy_package.second import double\n__all__ = ["double"]\n\n\n'
                   'def own() -> int:\n    """Return 1."""\n',
    "second.py": '"""Numbers, e.g. twice ``n``. More."""\n\n\ndef double(n: int) -> int:\n    """Return 2 n."""\n',
    "first.py": '"""What comes first."""\n',
    "_private.py": '"""Not to be seen."""\n',
    "inner/__init__.py": '"""A package in the package."""\n',
    "inner/deep.py": '"""What lies deep."""\n',
}


@pytest.fixture
def toy_package(tmp_path, monkeypatch):
    """A package in a folder of ``sys.path``."""
    for name, text in FILES.items():
        path = tmp_path / "toy_package" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in [each for each in sys.modules if each.split(".")[0] == "toy_package"]:
        del sys.modules[name]


def documented(text: str) -> list[str]:
    return re.findall(r"automodule:: (\S+)", text)


def test_public_modules_in_order(toy_package):
    assert public_modules("toy_package") == {"toy_package.first": False, "toy_package.inner": True, "toy_package.second": False}


def test_a_subpackage_is_listed_and_documented_elsewhere(toy_package):
    text = package_reference("toy_package")
    assert documented(text) == ["toy_package", "toy_package.first", "toy_package.second"]
    assert re.findall(r":mod:`~(\S+)`\n     - (.*)", text) == [
        ("toy_package.first", "What comes first."), ("toy_package.inner", "A package in the package."),
        ("toy_package.second", "Numbers, e.g. twice ``n``.")]


@pytest.mark.parametrize(("docstring", "expected"), [
    ("One.", "One."),
    ("No full stop", "No full stop"),
    ("Why? Because.", "Why?"),
    ("Gu et al. 2018, sec. 5.2\nand Fig. 4. Then.", "Gu et al. 2018, sec. 5.2 and Fig. 4."),
])  # fmt: skip
def test_first_sentence(docstring, expected):
    assert first_sentence(docstring) == expected


def test_every_package_has_a_page_in_the_contents_and_the_overview():
    """A new package needs a page; a new module of a package needs nothing."""
    packages = {each.name for each in pkgutil.walk_packages(contrastlib.__path__, "contrastlib.") if each.ispkg}
    contents = (ROOT / "_toc.yml").read_text(encoding="utf-8")
    overview = (ROOT / "book" / "reference.md").read_text(encoding="utf-8")
    shown = {}
    for page in PAGES:
        [shown[page.stem]] = re.findall(r"^```{package-reference} (\S+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
        assert f"file: book/reference/{page.stem}\n" in contents
    assert sorted(shown.values()) == sorted(packages | {"contrastlib"})
    assert dict(re.findall(r"^\| \[`(\S+)`\]\(reference/(\w+)\.md\)", overview, re.MULTILINE)) == {
        package: stem for stem, package in shown.items()}


@pytest.mark.slow
def test_the_page_of_a_package(toy_package):
    """Sections in order: the package with what it defines itself, then its modules."""
    (toy_package / "conf.py").write_text(CONFIGURATION)
    (toy_package / "index.md").write_text(
        "# Title\n\n```{toctree}\ninner\n```\n\n```{package-reference} toy_package\n```\n\n## After\n")
    (toy_package / "inner.md").write_text("# Inner\n\n```{package-reference} toy_package.inner\n```\n")
    subprocess.run([sys.executable, "-m", "sphinx", "-q", "-W", "-n", toy_package, toy_package / "html"], check=True)
    html = (toy_package / "html/index.html").read_text(encoding="utf-8")
    titles = re.findall(r"<h[12]>(.*?)<a", html)
    assert titles == ["Title", "toy_package", "first", "second", "After", "Rerun this page"]
    assert re.findall(r'<dt class="sig[^>]* id="([^"]+)"', html) == ["toy_package.own", "toy_package.second.double"]
    assert 'href="inner.html#module-toy_package.inner"' in html
