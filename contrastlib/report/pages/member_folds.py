"""The reference in HTML: signature and first paragraph of each member are seen, and the rest is folded.

Other forms of the book show all of it, and so does print: see ``book/assets/book.js``.
"""

from __future__ import annotations

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator

PAGES = "book/reference/"
"""Beginning of the names of the pages whose members are folded."""
PARTS = {
    "Parameters": "arguments",
    "Variables": "attributes",
    "Type": "type",
    "Returns": "result",
    "Return type": "result",
    "Yields": "result",
    "Raises": "errors",
}
"""Name of a field of a docstring -> what the bar calls it."""


class MemberFold(nodes.General, nodes.Element):
    """What is folded of a member. Its attribute ``summary`` has the words of the bar."""


def fold_members(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Fold the members of a page of the reference. Called by Sphinx."""
    if app.builder.format == "html" and docname.startswith(PAGES):
        for content in [*doctree.findall(addnodes.desc_content)]:
            fold(content)


def fold(content: nodes.Element) -> None:
    """Move what follows the first paragraph of a member into a fold. Members of a class stay outside.

    Args:
        content: The description of the member. It is changed.

    >>> member, example = addnodes.desc(), nodes.doctest_block("", ">>> 1")
    >>> content = addnodes.desc_content("", nodes.paragraph("", "One."), example, member)
    >>> fold(content)
    >>> [type(each).__name__ for each in content], content[1]["summary"]
    (['paragraph', 'MemberFold', 'desc'], 'Example')
    """
    rest = [each for each in content[1:] if not isinstance(each, (addnodes.desc, addnodes.index))]
    if rest and isinstance(content[0], nodes.paragraph):
        for each in rest:
            content.remove(each)
        content.insert(1, MemberFold("", *rest, summary=summary(rest)))


def summary(parts: list[nodes.Node]) -> str:
    """What a bar says of what it folds, each kind once and in order.

    >>> field = nodes.field("", nodes.field_name("", "Returns"), nodes.field_body())
    >>> summary([nodes.paragraph("", "More."), nodes.field_list("", field), nodes.doctest_block("", ">>> 1")])
    'Details, result, example'
    """
    words: list[str] = []
    for part in parts:
        if isinstance(part, nodes.field_list):
            words += [PARTS.get(name.astext(), "details") for name in part.findall(nodes.field_name)]
        else:
            words.append("example" if isinstance(part, nodes.doctest_block) else "details")
    return ", ".join(dict.fromkeys(words)).capitalize()


def open_fold(translator: HTML5Translator, node: MemberFold) -> None:
    """Write the beginning of a fold. Called by Sphinx."""
    translator.body.append(translator.starttag(node, "details", CLASS="fold member-fold"))
    translator.body.append(f"<summary>{translator.encode(node['summary'])}</summary>\n")


def close_fold(translator: HTML5Translator, node: MemberFold) -> None:
    """Write the end of a fold. Called by Sphinx."""
    translator.body.append("</details>\n")
