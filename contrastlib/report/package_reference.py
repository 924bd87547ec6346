"""The reference of a package, generated from its docstrings: the Sphinx directive ``package-reference``.

In a page written in Markdown, below the title of the page::

    ```{package-reference} contrastlib.explainers
    ```

A long reference is divided among several pages by the first letters of the modules' names. Their pages hold
the options ``:letters: a-i`` and ``:letters: j-z``, for example.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from typing import ClassVar

from docutils import nodes
from docutils.parsers.rst.directives import unchanged_required
from sphinx.util.docutils import SphinxDirective

ALL = "a-z"
"""The range of all letters."""
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

    The argument is the name of the package. The option ``letters`` limits the page to modules whose names
    begin with these letters.
    """

    required_arguments = 1
    option_spec: ClassVar = {"letters": unchanged_required}

    def run(self) -> list[nodes.Node]:
        """Parse the generated Markdown. Called by Sphinx."""
        text = package_reference(self.arguments[0], self.options.get("letters", ALL))
        return self.parse_text_to_nodes(text, allow_section_headings=True)


def package_reference(name: str, letters: str = ALL) -> str:
    r"""Return Markdown that documents the public members of a package and of its public modules.

    The section of the package documents what the package itself defines, and lists all its modules and
    subpackages with the first sentence of each. A subpackage has no further section, because it has its own
    page.

    Args:
        name: Name of the package, such as ``"contrastlib.explainers"``.
        letters: First and last letter of a range, such as ``"a-f"``. Only modules whose names begin with a
            letter in this range have a section. The section of the package belongs to the range that begins
            with a.

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
    first, last = letters.split("-")
    children = public_modules(name)
    modules = [child for child, is_package in children.items()
               if not is_package and first <= child.rpartition(".")[2][0] <= last]
    sections = [MODULE.format(name=module, title=module.partition(".")[2]) for module in modules]
    if first == ALL[0]:
        sentences = {child: first_sentence(importlib.import_module(child).__doc__) for child in children}
        rows = [ROW.format(name=child, sentence=sentence) for child, sentence in sentences.items()]
        sections.insert(0, PACKAGE.format(name=name, rows="\n".join(rows)))
    return "\n".join(sections)


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
