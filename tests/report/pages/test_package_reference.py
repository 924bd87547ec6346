"""The reference of a package is generated from its docstrings; every package of this project has one."""

import pkgutil
import re
import sys
from pathlib import Path

import pytest

import contrastlib
from contrastlib.report.pages.package_reference import (
    divided,
    docstring_lines,
    first_sentence,
    package_reference,
    public_modules,
)

ROOT = Path(__file__).parents[3]
PAGES = sorted((ROOT / "book" / "reference").glob("*.md"))
DIRECTIVE = r"^```{package-reference} (\S+)\n(?::part: (\d+) of (\d+)\n)?```$"
CONFIGURATION = """
import sys
from pathlib import Path

from contrastlib.report.pages.package_reference import PackageReference

sys.path.insert(0, str(Path(__file__).parent))
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]


def setup(app):
    app.add_directive("package-reference", PackageReference)
"""
FILES = {
    "__init__.py": '"""A toy package. It has two modules."""\nfrom toy_package.second import double\n'
    '__all__ = ["double"]\n\n\ndef own() -> int:\n    """Return 1."""\n',
    "second.py": '"""Numbers, e.g. twice ``n``. More."""\n\n\n'
    'def double(n: int) -> int:\n    """Return 2 n."""\n',
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
    assert list(public_modules("toy_package").items()) == [
        ("toy_package.first", False),
        ("toy_package.inner", True),
        ("toy_package.second", False),
    ]


def test_a_subpackage_is_listed_and_documented_elsewhere(toy_package):
    text = package_reference("toy_package")
    assert documented(text) == ["toy_package", "toy_package.first", "toy_package.second"]
    assert re.findall(r":mod:`~(\S+)`\n     - (.*)", text) == [
        ("toy_package.first", "What comes first."),
        ("toy_package.inner", "A package in the package."),
        ("toy_package.second", "Numbers, e.g. twice ``n``."),
    ]


def test_a_part_of_the_modules(toy_package):
    assert documented(package_reference("toy_package", 1, 2)) == ["toy_package", "toy_package.first"]
    rest = package_reference("toy_package", 2, 2)
    assert documented(rest) == ["toy_package.second"] and "list-table" not in rest


@pytest.mark.parametrize("parts", [1, 2, 3, 5])
def test_parts_are_in_order_and_about_equally_long(parts):
    modules = list(public_modules("contrastlib.evaluation"))
    found = divided(modules, parts)
    assert len(found) == parts and [module for part in found for module in part] == modules
    lengths = [sum(map(docstring_lines, part)) for part in found]
    longest = max(map(docstring_lines, modules))
    assert max(lengths) <= sum(lengths) / parts + longest and min(lengths) > 0


@pytest.mark.parametrize(("docstring", "expected"), [
    ("One.", "One."),
    ("No full stop", "No full stop"),
    ("Why? Because.", "Why?"),
    ("Gu et al. 2018, sec. 5.2\nand Fig. 4. Then.", "Gu et al. 2018, sec. 5.2 and Fig. 4."),
])  # fmt: skip
def test_first_sentence(docstring, expected):
    assert first_sentence(docstring) == expected


def test_every_module_of_every_package_has_a_page():
    """A new package needs a page, in the contents and in the overview; a new module needs nothing."""
    modules = pkgutil.walk_packages(contrastlib.__path__, "contrastlib.")
    packages = [each.name for each in modules if each.ispkg]
    contents = (ROOT / "_toc.yml").read_text(encoding="utf-8")
    overview = (ROOT / "book" / "reference.md").read_text(encoding="utf-8")
    linked = dict(re.findall(r"^\| \[`(\S+)`\]\(reference/(\w+)\.md\)", overview, re.MULTILINE))
    found = {}
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        [(package, part, parts)] = re.findall(DIRECTIVE, text, re.MULTILINE)
        found.setdefault(package, []).append((int(part or 1), int(parts or 1)))
        assert f"file: book/reference/{page.stem}\n" in contents
        assert (linked[package] == page.stem) == (found[package][-1][0] == 1)
    assert sorted(found) == sorted(linked) == sorted([*packages, "contrastlib"])
    for pages in found.values():
        assert sorted(pages) == [(number, len(pages)) for number in range(1, len(pages) + 1)]


@pytest.mark.slow
def test_the_page_of_a_package(toy_package, sphinx_build):
    """Sections in order: the package with what it defines itself, then its modules."""
    (toy_package / "conf.py").write_text(CONFIGURATION)
    (toy_package / "index.md").write_text(
        "# Title\n\n```{toctree}\ninner\n```\n\n```{package-reference} toy_package\n```\n\n## After\n"
    )
    (toy_package / "inner.md").write_text("# Inner\n\n```{package-reference} toy_package.inner\n```\n")
    sphinx_build("-n", toy_package, toy_package / "html")
    html = (toy_package / "html/index.html").read_text(encoding="utf-8")
    titles = re.findall(r"<h[12]>(.*?)<a", html)
    assert titles == ["Title", "toy_package", "first", "second", "After"]
    objects = re.findall(r'<dt class="sig[^>]* id="([^"]+)"', html)
    assert objects == ["toy_package.own", "toy_package.second.double"]
    assert 'href="inner.html#module-toy_package.inner"' in html
