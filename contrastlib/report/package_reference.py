"""The reference of a package, generated from its docstrings: the Sphinx directive ``package-reference``.

In a page written in Markdown, below the title of the page::

    ```{package-reference} contrastlib.explainers
    ```
"""

from __future__ import annotations

import importlib
import pkgutil
import re

from docutils import nodes
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
ROW = """\
   * - :mod:`~{name}`
     - {sentence}"""
MODULE = """\
## {title}

```{{eval-rst}}
.. automodule:: {name}
   :members:
```
"""


class PackageReference(SphinxDirective):
    """A section for the package, with a table of its modules, and a section for each module."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Parse the generated Markdown. Called by Sphinx."""
        return self.parse_text_to_nodes(package_reference(self.arguments[0]), allow_section_headings=True)


def package_reference(name: str) -> str:
    r"""Markdown that documents the public members of a package and of its public modules.

    The package's section shows what the package defines itself, and a table of its modules and subpackages with the
    first sentence of each. A subpackage has no section here, because it has a page of its own.

    Args:
        name: the package, such as ``"contrastlib.explainers"``.

    Raises:
        ModuleNotFoundError: there is no such package.

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
    rows = "\n".join(
        ROW.format(name=child, sentence=first_sentence(importlib.import_module(child).__doc__)) for child in children)
    sections = [MODULE.format(name=child, title=child.partition(".")[2])
                for child, is_package in children.items() if not is_package]
    return "\n".join([PACKAGE.format(name=name, rows=rows), *sections])


def first_sentence(docstring: str) -> str:
    """The first sentence of a docstring, in one line; its first paragraph where that holds no end of a sentence.

    A sentence ends where a full stop, question mark or exclamation mark precedes a space and a capital letter.

    >>> first_sentence("Sets by name, e.g. ``load('birds')``.  Each has\\nan entry.\\n\\nMore.")
    "Sets by name, e.g. ``load('birds')``."
    """
    paragraph = " ".join(docstring.strip().split("\n\n")[0].split())
    return re.split(r"(?<=[.?!])\s(?=[A-Z])", paragraph)[0]


def public_modules(name: str) -> dict[str, bool]:
    """The modules and subpackages of a package whose names do not begin with an underscore, in alphabetical order.

    Args:
        name: the package.

    Returns:
        The full name of each, and whether it is a package.

    Raises:
        ModuleNotFoundError: there is no such package.

    >>> public_modules("contrastlib.models")["contrastlib.models.architectures"]
    True
    """
    found = pkgutil.iter_modules(importlib.import_module(name).__path__, f"{name}.")
    return {each.name: each.ispkg for each in found if not each.name.rpartition(".")[2].startswith("_")}
