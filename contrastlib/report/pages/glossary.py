"""Terms of the glossary: the list on their page, and their meaning at their first mention on other pages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import yaml
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from contrastlib.report.results.provenance import REPOSITORY

FILE = REPOSITORY / "book" / "glossary.yaml"
PAGE = "book/glossary"
OBJECT = "glossary-term"
"""Type of a term for Sphinx. The search leaves out Sphinx's own type."""
UNMARKED = (
    nodes.title,
    nodes.reference,
    nodes.literal,
    nodes.literal_block,
    nodes.math,
    nodes.math_block,
    nodes.raw,
    nodes.term,
    nodes.comment,
    nodes.table,
)


@dataclass(frozen=True)
class Term:
    """A term of the glossary.

    Attributes:
        term: The term.
        text: Its meaning.
        also: Other forms of it.
        pages: Beginnings of the names of pages on which it is marked. All pages if empty.
    """

    term: str
    text: str
    also: tuple[str, ...] = ()
    pages: tuple[str, ...] = field(default=())

    @property
    def anchor(self) -> str:
        """Anchor on the page of the glossary.

        >>> Term("relative probability", "").anchor
        'term-relative-probability'
        """
        return "term-" + re.sub(r"[^a-z]+", "-", self.term.lower())

    @property
    def names(self) -> list[str]:
        """The term and its other forms, without plurals and what differs in case alone.

        >>> Term("GWAR", "", ("gradient-weighted rollout", "Gradient-weighted rollout")).names
        ['GWAR', 'gradient-weighted rollout']
        >>> Term("family", "", ("families",)).names
        ['family']
        """
        others = {each.lower(): each for each in reversed(self.also)}
        beginning = self.term.lower()[:-1]
        return [self.term, *(each for low, each in others.items() if not low.startswith(beginning))]

    def pattern(self) -> str:
        """Regular expression for the term in any of its forms, as a whole word."""
        forms = sorted((self.term, *self.also), key=len, reverse=True)
        return rf"(?<![\w-])(?:{'|'.join(map(re.escape, forms))})(?![\w-])"


@lru_cache
def terms(path: Path = FILE) -> tuple[Term, ...]:
    """The terms, in alphabetical order."""
    entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    found = (Term(e["term"], e["text"], tuple(e.get("also", ())), tuple(e.get("pages", ()))) for e in entries)
    return tuple(sorted(found, key=lambda each: each.term.lower()))


class GlossaryTerms(SphinxDirective):
    """The terms and their meanings, as a list of definitions."""

    def run(self) -> list[nodes.Node]:
        """Build the list, and tell the search of each term. Called by Sphinx."""
        self.env.note_dependency(str(FILE))
        for each in terms():
            for name in each.names:
                self.env.get_domain("std").note_object(OBJECT, name, each.anchor, self.get_location())
        items = [
            nodes.definition_list_item(
                "",
                nodes.term("", each.term, ids=[each.anchor]),
                nodes.definition("", nodes.paragraph("", each.text)),
            )
            for each in terms()
        ]
        return [nodes.definition_list("", *items, classes=["glossary-terms"])]


def mark_terms(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Make the first mention of each term on a page a link that has its meaning. Called by Sphinx."""
    unmarked = docname == PAGE or docname.startswith("book/reference")
    if app.builder.format != "html" or unmarked or PAGE not in app.env.found_docs:
        return
    address = app.builder.get_relative_uri(docname, PAGE)
    left = [each for each in terms() if not each.pages or docname.startswith(each.pages)]
    for text in [*doctree.findall(nodes.Text)]:
        if left and _in_a_sentence(text):
            parts, met = marked(text.astext(), left, address)
            if met:
                text.parent.replace(text, parts)
                left = [each for each in left if each not in met]


def marked(text: str, wanted: list[Term], address: str) -> tuple[list[nodes.Node], set[Term]]:
    """A text whose first mentions of terms are links, and the terms that it mentions.

    Args:
        text: The text.
        wanted: Terms that are not marked yet.
        address: Address of the glossary.

    Returns:
        Nodes of the text, and the terms.

    >>> parts, met = marked("a foil, the foil", [Term("foil", "Another class.")], "glossary.html")
    >>> [part.astext() for part in parts], parts[1]["reftitle"]
    (['a ', 'foil', ', the foil'], 'Another class.')
    """
    parts: list[nodes.Node] = []
    met: set[Term] = set()
    end = 0
    for start, stop, term in _mentions(text, wanted):
        parts += [nodes.Text(text[end:start])] * (start > end)
        link = {"refuri": f"{address}#{term.anchor}", "reftitle": term.text, "classes": ["glossary-term"]}
        parts.append(nodes.reference("", text[start:stop], internal=True, **link))
        met.add(term)
        end = stop
    return [*parts, *[nodes.Text(text[end:])] * (end < len(text))], met


def _mentions(text: str, wanted: list[Term]) -> Iterator[tuple[int, int, Term]]:
    """First mention of each term, in order, without those that overlap an earlier one."""
    found = [(match, term) for term in wanted if (match := re.search(term.pattern(), text))]
    end = 0
    for match, term in sorted(found, key=lambda pair: (pair[0].start(), -pair[0].end())):
        if match.start() >= end:
            yield match.start(), match.end(), term
            end = match.end()


def _in_a_sentence(text: nodes.Text) -> bool:
    node = text.parent
    paragraph = False
    while node is not None:
        if isinstance(node, UNMARKED):
            return False
        paragraph = paragraph or isinstance(node, nodes.paragraph)
        node = node.parent
    return paragraph
