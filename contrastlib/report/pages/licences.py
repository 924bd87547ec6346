"""Licences of the scripts and styles of others, which the book serves, beside them."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from importlib.metadata import Distribution, distribution, packages_distributions
from pathlib import Path

from sphinx.application import Sphinx

from contrastlib.report.results.provenance import REPOSITORY

FOLDER = "licences"
"""Folder of the licences in ``_static``. That of MathJax is beside MathJax."""
LICENCE = re.compile(r"(?i)(licen[cs]e|copying|notice)[\w.-]*")


def write_licences(app: Sphinx, exception: Exception | None) -> None:
    """Copy the licences of Sphinx, its theme and its extensions into the book. Called by Sphinx at the end.

    Args:
        app: The application.
        exception: The error that ended the build, if any. Then nothing is copied.
    """
    if exception is None and app.builder.format == "html":
        static = Path(app.outdir) / "_static" / FOLDER
        copy_licences([*app.extensions, app.config.html_theme], static)
        shutil.copy(REPOSITORY / "LICENSE", static / "contrastlib.txt")


def copy_licences(modules: Iterable[str], folder: Path) -> None:
    """Copy the licences of the packages that contain some modules.

    Args:
        modules: Names of modules. Packages without a file of a licence are left out.
        folder: Folder of the copies, which are called PACKAGE.txt. It is created.
    """
    folder.mkdir(parents=True, exist_ok=True)
    known = packages_distributions()
    names = {name for module in modules for name in known.get(module.partition(".")[0], ())}
    for name in sorted(names - {"contrastlib"}):
        texts = [path.read_text(encoding="utf-8") for path in _licences(distribution(name))]
        if texts:
            (folder / f"{name}.txt").write_text("\n\n".join(texts), encoding="utf-8")


def _licences(package: Distribution) -> list[Path]:
    """Files of licences of a package."""
    return [Path(package.locate_file(file)) for file in package.files or () if LICENCE.fullmatch(file.name)]
