"""The reference of a package is generated from its docstrings; every package of this project has one."""

import pkgutil
import re
import sys
from pathlib import Path

import pytest

import contrastlib
from contrastlib.report.pages.package_reference import (
    BAR_LINES,
    divided,
    first_sentence,
    package_reference,
    public_modules,
    shown_lines,
    table_lines,
)

ROOT = Path(__file__).parents[3]
PAGES = sorted((ROOT / "book" / "reference").glob("*.md"))
DIRECTIVE = r"^```{package-reference} (\S+)\n(?::part: (\d+) of (\d+)\n)?```$"
LINES = 230  # as many as twelve screens have
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
    found = divided(modules, parts, above=100)
    assert len(found) == parts and [module for part in found for module in part] == modules
    lengths = [sum(map(shown_lines, part)) for part in found]
    lengths[0] += 100
    longest = max(map(shown_lines, modules))
    assert max(lengths) <= sum(lengths) / parts + longest and min(lengths) > 0


def test_the_longest_part_is_as_short_as_can_be(monkeypatch):
    monkeypatch.setattr(
        "contrastlib.report.pages.package_reference.shown_lines", {"a": 1, "b": 5, "c": 2}.get
    )
    assert divided(["a", "b", "c"], 2) == [["a", "b"], ["c"]]
    assert divided(["a", "b", "c"], 2, above=3) == [["a"], ["b", "c"]]


def test_lines_are_those_that_are_seen(tmp_path, monkeypatch):
    """Of a member the signature and the first paragraph, and a bar if there is more."""
    members = {"": 0, "_hidden": 0, "short": 3, "long": 3 + BAR_LINES}
    monkeypatch.syspath_prepend(tmp_path)
    for name, lines in members.items():
        more = "\n\n    >>> 1\n    1\n    " if name == "long" else ""
        text = f'def {name}():\n    """Return 1.{more}"""\n' if name else ""
        (tmp_path / f"lines_of_{name}.py").write_text(f'"""A module."""\n{text}')
        assert shown_lines(f"lines_of_{name}") == 3 + lines


def test_no_page_is_too_long():
    """A page that this names is to be divided further. tests/browser measures the pages."""
    long = {}
    for page in PAGES:
        [(package, part, parts)] = re.findall(DIRECTIVE, page.read_text(encoding="utf-8"), re.MULTILINE)
        above = table_lines(package)
        modules = [module for module, is_package in public_modules(package).items() if not is_package]
        shown = divided(modules, int(parts or 1), above)[int(part or 1) - 1]
        lines = sum(map(shown_lines, shown)) + (above if part in ("", "1") else 0)
        if lines > LINES:
            long[page.name] = round(lines)
    assert not long


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
