"""A hash of the code that a module can reach inside contrastlib."""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
import pkgutil
from collections.abc import Iterable
from pathlib import Path


def code_digest(*modules: str) -> str:
    """Hash of contrastlib modules and of all they import from contrastlib.

    Comments, docstrings and formatting do not count.

    >>> code_digest("contrastlib.contrasts") == code_digest("contrastlib.contrasts")
    True
    """
    digest = hashlib.sha256()
    for name in sorted(closure(modules)):
        digest.update(_normalised(_source(name)))
    return digest.hexdigest()


def closure(modules: Iterable[str]) -> set[str]:
    """The modules, and all that they import from contrastlib, directly or not."""
    found, waiting = set(), list(modules)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += _imports(name) - found
    return found


@functools.cache
def _imports(module: str) -> set[str]:
    """contrastlib modules that this one imports, anywhere in it; of a registry all modules of its package."""
    names, package = set(), importlib.util.find_spec(module).parent
    for node in ast.walk(ast.parse(_source(module))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            origin = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
            names |= {origin} | {f"{origin}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Attribute) and node.attr == "walk_packages":
            folders = importlib.util.find_spec(package).submodule_search_locations
            names |= {each.name for each in pkgutil.walk_packages(folders, f"{package}.")}
    return {name for name in names if name.partition(".")[0] == "contrastlib" and _is_module(name)}


def _is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def _source(module: str) -> str:
    return Path(importlib.util.find_spec(module).origin).read_text()


@functools.cache
def _normalised(source: str) -> bytes:
    """A hash of what the code does: of its syntax tree without docstrings."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        first = body[0] if isinstance(body, list) and body else None
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
            first.value.value = ""
    return hashlib.sha256(ast.dump(tree).encode()).digest()
