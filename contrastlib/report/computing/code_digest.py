"""Hash of the code that an evaluation uses: its own module, and the imported modules of the library.

If the hash changes, a decision on the version of a study is needed
(:mod:`contrastlib.report.studies.versions`).

A registry, such as :mod:`contrastlib.explainers.registry`, imports all modules of its package. A new module
of such a package is no change of the studies that exist, so the hash can be limited to the modules that were
accepted. A module that another module imports by name always counts.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
import pkgutil
from collections.abc import Collection
from pathlib import Path
from typing import Any

COMPUTING = (
    "contrastlib.evaluation",
    "contrastlib.explainers",
    "contrastlib.autograd",
    "contrastlib.contrasts",
    "contrastlib._explain",
    "contrastlib._logits",
    "contrastlib._class_sets",
    "contrastlib.datasets.birds.repainting",
)
"""Packages and modules that count. Those of data, networks, figures and downloads do not, but for the module
that repaints birds: it makes the images of an intervention."""
ACCEPTED = Path(__file__).with_name("versions.json")
"""The file of the versions of the studies. It has the hash of the code that each version stands for, and the
modules that these hashes cover because of a registry."""


def code_digest(module: str, registered: Collection[str] | None = None) -> str:
    """Hash of a module and of all its imports from the parts of contrastlib that compute.

    Comments, docstrings and formatting do not affect the hash. It is the same for all releases of Python.

    Args:
        module: Full name of the module.
        registered: Full names of the modules that count if a registry alone imports them; all if None.

    Returns:
        The SHA-256 hash.

    >>> code_digest("contrastlib.contrasts") == code_digest("contrastlib.contrasts")
    True
    """
    digest = hashlib.sha256()
    for name in sorted(closure(module, registered)):
        digest.update(f"{name}: {syntax(_source(name))}\n".encode())
    return digest.hexdigest()


def module_digests(package: str) -> dict[str, str]:
    """Hash of each module of a package, with the same exceptions as :func:`code_digest`.

    Args:
        package: Full name of the package.

    Returns:
        Full name of the module -> its SHA-256 hash.

    >>> list(module_digests("contrastlib.models.architectures"))[:2]
    ['contrastlib.models.architectures', 'contrastlib.models.architectures.cifar_resnet']
    """
    folder = importlib.util.find_spec(package).submodule_search_locations
    found = pkgutil.walk_packages(folder, f"{package}.")
    return {
        name: hashlib.sha256(syntax(_source(name)).encode()).hexdigest()
        for name in (package, *(each.name for each in found))
    }


def closure(module: str, registered: Collection[str] | None = None) -> set[str]:
    """The module, and the modules of ``COMPUTING`` that it imports, directly or indirectly.

    For a name that a package imports from a module, the module counts: ``from contrastlib.explainers import
    gradcam`` leads to ``contrastlib.explainers.cam`` and not to all explainers.

    Args:
        module: Full name of the module.
        registered: Full names of the modules that count if a registry alone imports them; all if None.

    Returns:
        Full names of modules.
    """
    found, waiting = set(), [module]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            walked = _walked(name) if registered is None else _walked(name) & set(registered)
            waiting += (_imports(name) | walked) - found
    return found


def registered_modules(module: str) -> set[str]:
    """Modules that the registries in the closure of a module import because of their package alone.

    Args:
        module: Full name of the module.

    Returns:
        Full names of modules. There may be some among them that other modules import by name.

    >>> "contrastlib.explainers.cam" in registered_modules("contrastlib.explainers.registry")
    True
    """
    return set().union(*map(_walked, closure(module)))


@functools.cache
def _imports(module: str) -> set[str]:
    """Modules of ``COMPUTING`` that a module imports by name, anywhere."""
    return {
        found for origin, name in _imported(module) for found in _modules(origin, name) if _computes(found)
    }


@functools.cache
def _walked(module: str) -> set[str]:
    """For a registry, all modules of its package."""
    if not any(
        isinstance(node, ast.Attribute) and node.attr == "walk_packages" for node in ast.walk(_tree(module))
    ):
        return set()
    package = importlib.util.find_spec(importlib.util.find_spec(module).parent)
    found = pkgutil.walk_packages(package.submodule_search_locations, f"{package.name}.")
    return {each.name for each in found}


def _imported(module: str) -> list[tuple[str, str | None]]:
    """(module, imported name or None) for each import from contrastlib."""
    pairs: list[tuple[str, str | None]] = []
    package = importlib.util.find_spec(module).parent
    for node in ast.walk(_tree(module)):
        if isinstance(node, ast.Import):
            pairs += [(alias.name, None) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            origin = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
            pairs += [(origin, alias.name) for alias in node.names]
    return [pair for pair in pairs if pair[0].partition(".")[0] == "contrastlib"]


def _modules(origin: str, name: str | None) -> set[str]:
    """Modules that define a name that is imported from a module or package."""
    if name is None:
        return {origin}
    if _is_module(f"{origin}.{name}"):
        return {f"{origin}.{name}"}
    if importlib.util.find_spec(origin).submodule_search_locations is None:
        return {origin}
    passed_on = [source for source, own in _imported(origin) if own == name and source != origin]
    return set().union(*(_modules(source, name) for source in passed_on)) if passed_on else {origin}


def _computes(module: str) -> bool:
    return any(module == part or module.startswith(f"{part}.") for part in COMPUTING)


def _is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def _source(module: str) -> str:
    return Path(importlib.util.find_spec(module).origin).read_text(encoding="utf-8")


def _tree(module: str) -> ast.Module:
    return _parsed(_source(module))


@functools.cache
def _parsed(source: str) -> ast.Module:
    """Syntax tree without docstrings."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        first = body[0] if isinstance(body, list) and body else None
        if (
            isinstance(first, ast.Expr)
            and isinstance(first.value, ast.Constant)
            and isinstance(first.value.value, str)
        ):
            del body[0]
    return tree


@functools.cache
def syntax(source: str) -> str:
    r"""Syntax tree of Python code, without docstrings, as text.

    Comments, docstrings and formatting do not affect it. It is the same for all releases of Python.

    Raises:
        SyntaxError: The code is wrong.

    >>> syntax("def one():  # the least\n    return 1") == syntax("def one(): return (1)")
    True
    """
    return str(_plain(_parsed(source)))


def _plain(node: Any) -> object:
    """Syntax tree as lists and strings.

    Empty fields are left out, because new releases of Python add such fields.
    """
    if isinstance(node, ast.AST):
        fields = (
            (name, _plain(value))
            for name, value in ast.iter_fields(node)
            if value is not None and value != []
        )
        return [type(node).__name__, *fields]
    return [_plain(each) for each in node] if isinstance(node, list) else repr(node)
