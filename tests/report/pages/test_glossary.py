"""The glossary: its terms, and where they are marked."""

import re

import pytest
from docutils import nodes

from contrastlib import contrasts
from contrastlib.explainers import registry
from contrastlib.report.notebooks.execution import REPOSITORY, find
from contrastlib.report.pages import glossary, one_by_one

ASKED = {"cotangent", "contrast", "foil", "cell", "GWAR", "relevance", "relative probability", "mask rules"}


def test_terms():
    """All that readers asked for, with a meaning of one to three sentences that begins without the term."""
    terms = {each.term: each for each in glossary.terms()}
    assert set(terms) >= ASKED and len({each.anchor for each in terms.values()}) == len(terms)
    for term in terms.values():
        assert 1 <= len(re.findall(r"\.(?:\s|$)", term.text)) <= 4, term
        assert not term.text.lower().startswith(term.term.lower()), term


def test_the_first_mention_is_marked_and_code_is_not():
    terms = [glossary.Term("cell", "A measurement.", ("cells",)), glossary.Term("mask rules", "How many.")]
    parts, met = glossary.marked("No cellar, but cells and a cell under mask rules", terms, "g.html")
    assert [part.astext() for part in parts if isinstance(part, nodes.reference)] == [
        "cells",
        "mask rules",
    ] and len(met) == 2
    paragraph = nodes.paragraph("", "", nodes.literal("", "cell"), nodes.Text(" cell"))
    code, text = paragraph.findall(nodes.Text)
    assert not glossary._in_a_sentence(code) and glossary._in_a_sentence(text)


@pytest.mark.parametrize("record", registry.EXPLAINERS.values(), ids=registry.EXPLAINERS)
def test_every_method_has_a_section(record):
    section = one_by_one.method(record)
    assert section.startswith("## ") and record.formula in section


def test_methods_lead_to_notebooks_that_exist():
    assert set(one_by_one.PAGES) <= set(registry.EXPLAINERS)
    assert set(one_by_one.PAGES.values()) <= {path.stem for path in find([])}


@pytest.mark.parametrize("record", contrasts.CONTRASTS.values(), ids=contrasts.CONTRASTS)
def test_every_contrast_has_a_section(record):
    assert one_by_one.contrast(record).startswith(f"## {record.title}\n")


def test_papers_are_cited_with_links():
    """Every entry of the bibliography leads to its paper."""
    entries = re.findall(r"(?s)@\w+\{(\w+),(.*?)\n\}", (REPOSITORY / "book" / "references.bib").read_text())
    assert len(entries) > 10
    assert not [name for name, entry in entries if not re.search(r"url\s*= \{https://", entry)]
