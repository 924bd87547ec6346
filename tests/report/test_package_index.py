"""The docstring of a package names each of its modules, and says what it is."""

import importlib
import pkgutil
import re

import pytest

from contrastlib import report

PACKAGES = [
    "contrastlib.explorer",
    "contrastlib.explorer.heads",
    "contrastlib.explorer.live",
    "contrastlib.report",
    *(f"contrastlib.report.{each.name}" for each in pkgutil.iter_modules(report.__path__) if each.ispkg),
]


@pytest.mark.parametrize("name", PACKAGES)
def test_each_module_is_named_once(name):
    package = importlib.import_module(name)
    modules = {
        f"{name}.{each.name}"
        for each in pkgutil.iter_modules(package.__path__)
        if not each.name.startswith("_")
    }
    named = re.findall(r":mod:`~(\S+)`", package.__doc__)
    assert sorted(named) == sorted(modules)
