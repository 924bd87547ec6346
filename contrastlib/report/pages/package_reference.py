"""The reference of a package, generated from its docstrings: the Sphinx directive ``package-reference``.

In a page written in Markdown, below the title of the page::

    ```{package-reference} contrastlib.explainers
    ```

A long reference is divided among several pages. The option ``:part: 2 of 3`` selects the modules of the
second of three pages. ``member_folds`` folds the members, so that pages stay short.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import pkgutil
import re
from functools import cache
from pathlib import Path
from typing import ClassVar

from docutils import nodes
from docutils.parsers.rst.directives import unchanged_required
from sphinx.util.docutils import SphinxDirective

PACKAGE = """\
## {name}

```{{eval-rst}}
.. automodule:: {name}
   :members:
   :ignore-module-all:

.. list-table::
   :header-rows: 1

   * - module
     - what it holds
{rows}
```
"""
"""Markdown of the section of a package."""
ROW = """\
   * - :mod:`~{name}`
     - {sentence}"""
"""A row of its table of modules."""
MODULE = """\
## {title}

```{{eval-rst}}
.. automodule:: {name}
   :members:
```
"""
"""Markdown of the section of a module."""
LINE = 85
"""Characters of a line of a signature."""
ROW_LINES, BAR_LINES = 1.7, 1.2
"""Lines of a row of the table of modules, and of the bar of a fold."""


class PackageReference(SphinxDirective):
    """The sections of a package and of its modules.

    The argument is the name of the package. The option ``part`` limits the page to a part of the modules,
    such as "2 of 3".
    """

    required_arguments = 1
    option_spec: ClassVar = {"part": unchanged_required}

    def run(self) -> list[nodes.Node]:
        """Parse the generated Markdown. Called by Sphinx."""
        part, parts = map(int, self.options.get("part", "1 of 1").split(" of "))
        text = package_reference(self.arguments[0], part, parts)
        return self.parse_text_to_nodes(text, allow_section_headings=True)


def package_reference(name: str, part: int = 1, parts: int = 1) -> str:
    r"""Return Markdown that documents the public members of a package and of its public modules.

    The section of the package documents what the package itself defines, and lists all its modules and
    subpackages with the first sentence of each. A subpackage has no further section, because it has its own
    page.

    Args:
        name: Name of the package, such as ``"contrastlib.explainers"``.
        part: Number of the part, from 1. The section of the package belongs to the first part.
        parts: Number of parts among which the modules are divided.

    Raises:
        ModuleNotFoundError: There is no such package.

    >>> text = package_reference("contrastlib.explainers")
    >>> print(text)
    ## contrastlib.explainers
    ...
       * - :mod:`~contrastlib.explainers.cam`
         - ...
    ...
    ## explainers.cam
    <BLANKLINE>
    ```{eval-rst}
    .. automodule:: contrastlib.explainers.cam
       :members:
    ```
    ...
    >>> ":mod:`~contrastlib.explainers.lrp`" in text, "automodule:: contrastlib.explainers.lrp\n" in text
    (True, False)
    """
    children = public_modules(name)
    modules = [child for child, is_package in children.items() if not is_package]
    modules = divided(modules, parts, table_lines(name))[part - 1]
    sections = [MODULE.format(name=module, title=module.partition(".")[2]) for module in modules]
    if part == 1:
        sentences = {child: first_sentence(importlib.import_module(child).__doc__) for child in children}
        rows = [ROW.format(name=child, sentence=sentence) for child, sentence in sentences.items()]
        sections.insert(0, PACKAGE.format(name=name, rows="\n".join(rows)))
    return "\n".join(sections)


def divided(modules: list[str], parts: int, above: float = 0) -> list[list[str]]:
    """Divide modules, in their order, into parts of which the longest is as short as can be.

    Args:
        modules: Names of the modules.
        parts: Number of parts, at most that of the modules.
        above: Number of lines above the modules of the first part.

    >>> divided(["contrastlib.datasets.base", "contrastlib.datasets.folders"], 2)
    [['contrastlib.datasets.base'], ['contrastlib.datasets.folders']]
    """
    lengths = [shown_lines(module) for module in modules]
    lengths[:1] = [length + above for length in lengths[:1]]

    @cache
    def shortest(start: int, left: int) -> tuple[float, tuple[int, ...]]:
        """Length of the longest part from a module on, and the ends of the parts."""
        if left == 1:
            return sum(lengths[start:]), (len(lengths),)
        return min(
            (max(sum(lengths[start:end]), rest), (end, *ends))
            for end in range(start + 1, len(lengths) - left + 2)
            for rest, ends in [shortest(end, left - 1)]
        )

    ends = shortest(0, parts)[1]
    return [modules[start:end] for start, end in zip((0, *ends), ends)]


@cache
def shown_lines(module: str) -> float:
    """Estimate the lines of the reference of a module while its members are folded.

    Each member has its signature, its first paragraph, and a bar if its docstring has more than that.

    >>> 0 < shown_lines("contrastlib.explorer.pooling") < shown_lines("contrastlib.explorer.packing")
    True
    """
    tree = ast.parse(Path(importlib.util.find_spec(module).origin).read_text(encoding="utf-8"))
    return 3 + (ast.get_docstring(tree) or "").count("\n") + _members(tree.body)


def table_lines(name: str) -> float:
    """Estimate the lines of the section of a package, with the table of its modules.

    >>> table_lines("contrastlib.explainers") > len(public_modules("contrastlib.explainers"))
    True
    """
    return shown_lines(name) + ROW_LINES * len(public_modules(name))


def _members(body: list[ast.stmt]) -> float:
    lines = 0.0
    for before, node in zip([None, *body], body):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
            lines += _member(node)
        elif isinstance(node, ast.Expr) and isinstance(before, (ast.Assign, ast.AnnAssign)):
            lines += 3  # a constant and what it is
    return lines


def _member(node: ast.FunctionDef | ast.ClassDef) -> float:
    docstring = ast.get_docstring(node)
    if docstring is None:
        return 0
    first, _, rest = docstring.partition("\n\n")
    is_class = isinstance(node, ast.ClassDef)
    signature = 1 if is_class else len(ast.unparse(node.args)) // LINE + 1
    members = _members(node.body) if is_class else 0
    return 1 + signature + first.count("\n") + 1 + BAR_LINES * bool(rest) + members


def first_sentence(docstring: str) -> str:
    r"""Return the first sentence of a docstring in one line.

    This is its whole first paragraph if no sentence ends there. A sentence ends where a full stop, question
    mark or exclamation mark precedes a space and a capital letter.

    >>> first_sentence("Sets by name, e.g. ``load('birds')``.  Each has\nan entry.\n\nMore.")
    "Sets by name, e.g. ``load('birds')``."
    """
    paragraph = " ".join(docstring.strip().split("\n\n")[0].split())
    return re.split(r"(?<=[.?!])\s(?=[A-Z])", paragraph)[0]


def public_modules(name: str) -> dict[str, bool]:
    """Return the modules and subpackages of a package whose names do not begin with an underscore.

    Args:
        name: Name of the package.

    Returns:
        The full names in alphabetical order, and whether each is a package.

    Raises:
        ModuleNotFoundError: There is no such package.

    >>> public_modules("contrastlib.models")["contrastlib.models.architectures"]
    True
    """
    found = pkgutil.iter_modules(importlib.import_module(name).__path__, f"{name}.")
    return {each.name: each.ispkg for each in found if not each.name.rpartition(".")[2].startswith("_")}
