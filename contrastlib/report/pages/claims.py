"""Claims in the book: tables of the claims page, and verdicts in sentences.

Notebooks judge their claims when they run (:mod:`contrastlib.report.claims.verdict_tables`), and their
outputs contain the findings. The book reads the findings from these outputs, so that a page and the notebook
it links to show the same verdicts.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from docutils import nodes
from sphinx.util.docutils import SphinxDirective, SphinxRole

from contrastlib.report.claims.correction_records import of_claims
from contrastlib.report.claims.judging import Finding
from contrastlib.report.claims.records import Claim, claims
from contrastlib.report.claims.verdict_tables import KEY, PAPERS, effects, overall, shown, title
from contrastlib.report.claims.verdicts import WORDS, sign_of
from contrastlib.report.markdown import markdown_table
from contrastlib.report.notebooks.said import metadata_in
from contrastlib.report.pages.folds import folded
from contrastlib.report.pages.titles import titles

EXECUTED = Path("book") / "executed"
SCALES = ("quick", "real")


def executed_claims(folder: Path) -> dict[str, dict]:
    """Records of all claims with the findings of the executed notebooks, in the order of the files.

    Args:
        folder: Folder of the executed notebooks.

    Returns:
        Identifier -> record.

    Raises:
        ValueError: A notebook has no verdict on one of its claims, because it was executed before the claim
            was written.
    """
    found: dict[str, dict] = {}
    for path in sorted(folder.glob("*.ipynb")):
        found |= claims_in(json.loads(path.read_text(encoding="utf-8")))
    missing = [claim for claim in claims().values() if claim.id not in found]
    if missing:
        raise ValueError(
            f"{len(missing)} claims have no verdict yet, among them {missing[0].id} of {missing[0].page}: "
            "run `make book`"
        )
    return {name: found[name] for name in claims()}


def claims_in(notebook: Mapping) -> dict[str, dict]:
    """Records of the verdict tables of an executed notebook, by the identifiers of the claims.

    >>> output = {"metadata": {KEY: {"a-claim": {"text": "…"}}}}
    >>> claims_in({"cells": [{"outputs": [output]}, {}]})
    {'a-claim': {'text': '…'}}
    """
    return metadata_in(notebook, KEY)


def finding(record: Mapping, scale: str) -> Finding | None:
    """Finding of a record at a scale. None if there is none."""
    kept = record["findings"].get(scale)
    return _finding(kept) if kept else None


def table(records: Iterable[Mapping], folder: str) -> str:
    """Table in Markdown with a row for each claim: its verdicts, its effects and the page that tests it.

    Args:
        records: Records of :func:`executed_claims`.
        folder: Folder of the executed notebooks, relative to the page that shows the table.

    Returns:
        The table.
    """
    rows = []
    for record in records:
        found = {scale: each for scale in SCALES if (each := finding(record, scale))}
        verdicts = [_said(found[scale], record) if scale in found else "not run" for scale in SCALES]
        rows.append(
            [_stated(record), *verdicts, effects(claims()[record["id"]], found), _page(record, folder)]
        )
    return markdown_table(["claim", "quick", "real", "effect, by network", "page"], rows)


def by_page(records: Iterable[Mapping], folder: str) -> str:
    """Tables in Markdown of the claims that each page tests, folded below a line that counts the verdicts.

    Args:
        records: As in :func:`table`.
        folder: As in :func:`table`.

    Returns:
        A section that opens for each page.
    """
    pages: dict[str, list[Mapping]] = {}
    for record in records:
        pages.setdefault(record["page"], []).append(record)
    return "\n\n".join(folded(_counted(page, found), table(found, folder)) for page, found in pages.items())


def summary(records: Iterable[Mapping]) -> str:
    """Table in Markdown with the number of claims of each paper by verdict, quick · real.

    >>> finding = {"word": "supported"}
    >>> text = summary([{"paper": "ours", "findings": {"quick": finding, "real": {"word": "no boxes"}}}])
    >>> print(text.splitlines()[-1])
    | ours | 1 · 0 | 0 · 0 | 0 · 0 | 0 · 0 | 0 · 0 | 0 · 1 |
    """
    heads = {word: f"{each.sign} {word}" for word, each in WORDS.items()} | {"not tested": "– not tested"}
    found = [
        (record["paper"], scale, record["findings"].get(scale, {}).get("word"))
        for record in records
        for scale in SCALES
    ]
    counts = Counter((paper, scale, word if word in heads else "not tested") for paper, scale, word in found)
    papers = [paper for paper in PAPERS if any(paper == each for each, _, _ in found)]
    rows = [
        [PAPERS[paper], *(" · ".join(str(counts[paper, scale, word]) for scale in SCALES) for word in heads)]
        for paper in papers
    ]
    return markdown_table(["claims of", *heads.values()], rows)


def words() -> str:
    """Table in Markdown of the verdicts and when each is given."""
    return markdown_table(
        ["sign", "verdict", "given if"], [[each.sign, word, each.meaning] for word, each in WORDS.items()]
    )


def smallest_effects(every: Iterable[Claim]) -> str:
    """Table in Markdown of the smallest effects of interest, each with the number of claims.

    >>> claim = Claim("a", "p", "ours", "", "…", "ours", smallest_effect="0.05 of the cosine")
    >>> print(smallest_effects([claim, claim]))
    | smallest effect of interest | claims |
    | --- | --- |
    | 0.05 of the cosine | 2 |
    """
    counts = Counter(each.smallest_effect for each in every if each.smallest is not None)
    rows = [[effect, str(count)] for effect, count in counts.most_common()]
    return markdown_table(["smallest effect of interest", "claims"], rows)


def compared(records: Iterable[Mapping], folder: str) -> str:
    """Table in Markdown with the verdicts by the rule used before and by the present one, where they differ.

    Args:
        records: As in :func:`table`.
        folder: As in :func:`table`.

    Returns:
        The table, with what would have refuted the claim by the rule used before.
    """
    rows = []
    for record in records:
        for scale in SCALES:
            found = finding(record, scale)
            if found and found.before and found.before.split(" (")[0] != found.word:
                now, page = _said(replace(found, variants={}), record), _page(record, folder)
                rows.append([_stated(record), scale, found.before, now, record["refuted"], page])
    return markdown_table(["claim", "scale", "before", "now", "refuted, as stated before", "page"], rows)


def depending(records: Iterable[Mapping], folder: str) -> str:
    """Table in Markdown with the verdicts that change if one network is left out.

    Not those that only become undecided.

    Args:
        records: As in :func:`table`.
        folder: As in :func:`table`.

    Returns:
        The table, with both verdicts.
    """
    rows = []
    for record in records:
        for scale in SCALES:
            found = finding(record, scale)
            if found and found.without:
                others = "; ".join(
                    f"without {title(name)}: {shown(Finding(word))}" for name, word in found.without.items()
                )
                rows.append(
                    [
                        _stated(record),
                        f"{scale}: {shown(replace(found, variants={}))}",
                        others,
                        _page(record, folder),
                    ]
                )
    return markdown_table(["claim", "verdict", "with one network left out", "page"], rows)


class ClaimsDirective(SphinxDirective):
    """Claims as tables.

    The argument selects the claims: the key of a paper or "ours" for all of its claims by page, "summary" for
    counts of verdicts, "depending" for verdicts that depend on one network, "compared" for those of the rule
    used before, "words" for the verdicts, and "smallest" for the smallest effects of interest.
    """

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Parse the table. Called by Sphinx."""
        which, every = self.arguments[0], executed_claims(Path(self.env.srcdir) / EXECUTED).values()
        tables = {
            "summary": lambda: summary(every),
            "depending": lambda: depending(every, "executed"),
            "compared": lambda: compared(every, "executed"),
            "words": words,
            "smallest": lambda: smallest_effects(claims().values()),
        }
        own = tables.get(
            which, lambda: by_page([record for record in every if record["paper"] == which], "executed")
        )
        return self.parse_text_to_nodes(own())


class VerdictRole(SphinxRole):
    """The verdict on a claim with its counts.

    The text of the role consists of the identifier of the claim and the scale.
    """

    def run(self) -> tuple[list[nodes.Node], list]:
        """Create the text. Called by Sphinx."""
        name, scale = self.text.split()
        found = finding(executed_claims(Path(self.env.srcdir) / EXECUTED)[name], scale)
        return [nodes.inline("", shown(found), classes=["verdict"])], []


def _said(found: Finding, record: Mapping) -> str:
    """A verdict with the mean effect and its interval, if there is one."""
    effect = overall(found, record["format"]) if found.overall else ""
    return ", ".join(filter(None, [shown(replace(found, variants={})), effect, _variants(found)]))


def _variants(found: Finding) -> str:
    return "; ".join(f"{name}: {shown(variant)}" for name, variant in found.variants.items())


def _counted(page: str, records: Sequence[Mapping]) -> str:
    """Name of a page, and how many of the claims that it tests have which verdict at each scale.

    >>> record = {"findings": {"quick": {"word": "supported"}, "real": {"word": "no boxes"}}}
    >>> _counted("08_fullgrad", [record, record]), _counted("03_maps", [record])
    ('FullGrad: 2 claims (quick ✓ 2; real – 2)', 'Activation maps: 1 claim (quick ✓ 1; real – 1)')
    """
    words = {scale: [record["findings"].get(scale, {}).get("word") for record in records] for scale in SCALES}
    signs = {scale: Counter(sign_of(word) for word in words[scale]) for scale in SCALES}
    counts = "; ".join(
        f"{scale} {', '.join(f'{sign} {number}' for sign, number in found.items())}"
        for scale, found in signs.items()
    )
    return f"{_words(page)}: {len(records)} claim{'s' * (len(records) > 1)} ({counts})"


def _words(page: str) -> str:
    """Title of the page of a notebook, without what follows a colon; its name where there is no such page.

    >>> _words("03_maps")
    'Activation maps'
    """
    return titles().get(page, page).partition(":")[0]


def _stated(record: Mapping) -> str:
    return f"{record['text']} ({record['section']})" if record["section"] else record["text"]


def _page(record: Mapping, folder: str) -> str:
    """Links to the page that tests a claim, and to the corrections that name it."""
    page = f"[{_words(record['page'])}]({folder}/{record['page']}.ipynb)"
    errata = [f"[erratum {number}](#erratum-{number})" for number in of_claims().get(record["id"], ())]
    return ", ".join([page, *errata])


def _finding(kept: Mapping) -> Finding:
    properties = ("said", "generalisation", "variants")
    values = {key: value for key, value in kept.items() if key not in properties}
    return Finding(**values, variants={name: _finding(each) for name, each in kept["variants"].items()})
