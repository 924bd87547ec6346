"""What may import what: the contracts of .importlinter, and that private names stay in their modules."""

import ast
import json
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).parents[1]
FILES = [
    path.relative_to(ROOT).as_posix()
    for folder in ("contrastlib", "benchmarks")
    for path in sorted((ROOT / folder).rglob("*.py"))
]


def test_the_contracts_hold(capfd):
    status = lint_imports(config_filename=str(ROOT / ".importlinter"), no_cache=True, no_logo=True)
    assert status == 0, capfd.readouterr().out


def private_imports(code, own=()):
    """Names with an underscore that this code takes from modules of contrastlib or of the benchmarks.

    Args:
        code: of a module, or of a cell.
        own: the module and the packages around it, whose private modules it may import.
    """
    tree, modules = ast.parse(code), {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in (
            "contrastlib",
            "benchmarks",
        ):
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                if is_private(alias.name) and not (is_module(full) and node.module in own):
                    yield full
                if is_module(full):
                    modules[alias.asname or alias.name] = full
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Attribute)
            and is_private(node.attr)
            and getattr(node.value, "id", None) in modules
        ):
            yield f"{modules[node.value.id]}.{node.attr}"


def is_private(name):
    return name.startswith("_") and not name.endswith("__")


def is_module(name):
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


@pytest.mark.parametrize("file", FILES)
def test_no_module_takes_private_names_of_another(file):
    parts = file.removesuffix(".py").split("/")
    own = {".".join(parts[:count]) for count in range(1, len(parts) + 1)}
    assert not list(private_imports((ROOT / file).read_text(encoding="utf-8"), own))


REPORTING = ("cli", "report", "explorer")
"""Packages whose modules are found by rule, or are no part of the library."""
PACKAGES = [
    path.parent
    for path in sorted((ROOT / "contrastlib").rglob("__init__.py"))
    if not {*path.parts} & {*REPORTING}
]


def registers(code):
    """Whether a module adds something to a registry that all modules of its package are imported for."""
    return any(
        isinstance(node, ast.FunctionDef)
        and any(ast.unparse(each).startswith("register(") for each in node.decorator_list)
        for node in ast.parse(code).body
    )


def test_modules_that_register_are_found():
    assert registers("@register(title='Toy')\ndef toy(record, cotangent):\n    return 0")
    assert not registers("def register(**fields):\n    return fields\n\n\nregister(title='Toy')")


@pytest.mark.parametrize("folder", PACKAGES, ids=[path.relative_to(ROOT).as_posix() for path in PACKAGES])
def test_a_package_names_its_modules(folder):
    """In its docstring or in ``__all__``. Modules that register what they define are found without that."""
    tree = ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))
    offered = {
        name
        for node in tree.body
        if isinstance(node, ast.Assign) and node.targets[0].id == "__all__"
        for name in ast.literal_eval(node.value)
    }
    package = ".".join(folder.relative_to(ROOT).parts)
    found = [*folder.glob("*.py"), *folder.glob("*/__init__.py")]
    modules = {
        path.parent.name if path.parent != folder else path.stem
        for path in found
        if not registers(path.read_text(encoding="utf-8"))
    }
    described = {name for name in modules if f"{package}.{name}`" in ast.get_docstring(tree)}
    assert not {name for name in modules if not name.startswith("_")} - offered - described
    assert package != "contrastlib.evaluation" or offered == described


@pytest.mark.parametrize("file", sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb")))
def test_no_notebook_takes_private_names(file):
    cells = json.loads((ROOT / "notebooks" / file).read_text(encoding="utf-8"))["cells"]
    code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    assert not list(private_imports(code))


@pytest.mark.parametrize("code, found", [
    ("from contrastlib.report.computing.shards import _shard",
     ["contrastlib.report.computing.shards._shard"]),
    ("from contrastlib.report.computing import shards as s\ns._shard()",
     ["contrastlib.report.computing.shards._shard"]),
    ("def late():\n    from contrastlib.explainers.cam import _read", ["contrastlib.explainers.cam._read"]),
    ("from contrastlib import _explain", ["contrastlib._explain"]),
    (("from contrastlib.report.computing.shards import sharded\n"
      "from torch.nn.modules.conv import _ConvNd\nself._own"), []),
])  # fmt: skip
def test_private_names_are_found(code, found):
    assert list(private_imports(code)) == found


def without_encoding(code):
    """Calls that read or write text in the encoding of the machine."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Call) and "encoding" not in {each.arg for each in node.keywords}:
            called = ast.unparse(node.func)
            as_text = called == "open" and not any("b'" in ast.unparse(each) for each in node.args[1:])
            if as_text or called.endswith((".read_text", ".write_text")):
                yield ast.unparse(node)


@pytest.mark.parametrize("file", FILES)
def test_text_is_utf_8_on_every_machine(file):
    assert not list(without_encoding((ROOT / file).read_text(encoding="utf-8")))
