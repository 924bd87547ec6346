"""The reference of a package, generated from its docstrings: the Sphinx directive ``package-reference``.

In a page written in Markdown, below the title of the page::

    ```{package-reference} contrastlib.explainers
    ```

A long reference is divided among several pages. The option ``:part: 2 of 3`` selects the modules of the
second of three pages.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import pkgutil
import re
from functools import cache
from itertools import accumulate
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
    modules = divided([child for child, is_package in children.items() if not is_package], parts)[part - 1]
    sections = [MODULE.format(name=module, title=module.partition(".")[2]) for module in modules]
    if part == 1:
        sentences = {child: first_sentence(importlib.import_module(child).__doc__) for child in children}
        rows = [ROW.format(name=child, sentence=sentence) for child, sentence in sentences.items()]
        sections.insert(0, PACKAGE.format(name=name, rows="\n".join(rows)))
    return "\n".join(sections)


def divided(modules: list[str], parts: int) -> list[list[str]]:
    """Divide modules, in their order, into parts with about the same number of lines of docstrings.

    >>> divided(["contrastlib.datasets.base", "contrastlib.datasets.folders"], 2)
    [['contrastlib.datasets.base'], ['contrastlib.datasets.folders']]
    """
    lengths = [docstring_lines(module) for module in modules]
    centres = [end - length / 2 for end, length in zip(accumulate(lengths), lengths)]
    numbers = [int(parts * centre / sum(lengths)) for centre in centres]
    return [[module for module, each in zip(modules, numbers) if each == number] for number in range(parts)]


@cache
def docstring_lines(module: str) -> int:
    """Return the number of lines of all docstrings of a module, which estimates the length of its reference.

    >>> 0 < docstring_lines("contrastlib.explorer.pooling") < docstring_lines("contrastlib.explorer.packing")
    True
    """
    tree = ast.parse(Path(importlib.util.find_spec(module).origin).read_text(encoding="utf-8"))
    expressions = [node for node in ast.walk(tree) if isinstance(node, ast.Expr)]
    texts = [each for each in expressions if isinstance(each.value, ast.Constant)]
    return sum(text.end_lineno - text.lineno + 1 for text in texts)


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
