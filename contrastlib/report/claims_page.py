"""Claims in the book: tables of the claims page, verdicts in sentences, and ``claims.json``.

Notebooks judge their claims when they run (:mod:`contrastlib.report.verdict_tables`), and their outputs hold the findings.
The book reads them from there, so that a page never shows another verdict than the notebook that it links to.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from contrastlib.report.claims import Finding, claims
from contrastlib.report.verdict_tables import MIME, effects, shown

SCALES = ("quick", "real")


def executed_claims(folder: Path) -> dict[str, dict]:
    """The records of all claims, in the order of the records' files, with the findings of the executed notebooks.

    Args:
        folder: of the executed notebooks.

    Raises:
        ValueError: a notebook holds no verdict on one of its claims: it was executed before the claim was written.
    """
    found: dict[str, dict] = {}
    for path in sorted(folder.glob("*.ipynb")):
        found |= claims_in(json.loads(path.read_text(encoding="utf-8")))
    missing = [claim for claim in claims().values() if claim.id not in found]
    if missing:
        raise ValueError(
            f"{len(missing)} claims have no verdict yet, among them {missing[0].id} of {missing[0].page}: run `make book`"
        )
    return {name: found[name] for name in claims()}


def claims_in(notebook: Mapping) -> dict[str, dict]:
    """The records that the verdict tables of an executed notebook hold, by the claims' ids.

    >>> output = {"data": {MIME: {"a-claim": {"text": "…"}}}}
    >>> claims_in({"cells": [{"outputs": [output]}, {}]})
    {'a-claim': {'text': '…'}}
    """
    outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", [])]
    return {name: record for output in outputs for name, record in output.get("data", {}).get(MIME, {}).items()}


def finding(record: Mapping, scale: str) -> Finding | None:
    """The finding of a record at a scale; None where there is none."""
    kept = record["findings"].get(scale)
    return _finding(kept) if kept else None


def _finding(kept: Mapping) -> Finding:
    values = {key: value for key, value in kept.items() if key not in ("counted", "variants")}
    return Finding(**values, variants={name: _finding(each) for name, each in kept["variants"].items()})


def table(records: Iterable[Mapping], root: str) -> str:
    """Markdown: one row for each claim, with its verdicts, effects and the page that tests it.

    Args:
        records: see :func:`executed_claims`.
        root: address of the executed notebooks, seen from the page of the table.
    """
    lines = ["| claim | quick | real | effect, by network | page |", "|---|---|---|---|---|"]
    for record in records:
        found = {scale: each for scale in SCALES if (each := finding(record, scale))}
        verdicts = [shown(found[scale]) if scale in found else "not run" for scale in SCALES]
        where = f"{record['section']}: " if record["section"] else ""
        effect = effects(claims()[record["id"]], found)
        lines.append(f"| {where}{record['text']} | {' | '.join(verdicts)} | {effect} | [{record['page'][3:].replace('_', ' ')}]({root}{record['page']}.ipynb) |")
    return "\n".join(lines)


def setup(app) -> None:
    """Add the directive ``claims``, the role ``verdict`` and the file ``claims.json`` to the book."""
    from docutils import nodes
    from sphinx.util.docutils import SphinxDirective, SphinxRole

    def records(srcdir: str) -> dict[str, dict]:
        return executed_claims(Path(srcdir) / "book" / "executed")

    class Claims(SphinxDirective):
        """All claims of a paper (or "ours"), or those named in its lines, as a table."""

        required_arguments = 0
        optional_arguments = 1
        has_content = True

        def run(self):
            every = records(self.env.srcdir)
            if self.arguments:
                chosen = [record for record in every.values() if record["paper"] == self.arguments[0]]
            else:
                chosen = [every[line.strip()] for line in self.content if line.strip()]
            root = "executed/" if self.env.docname.startswith("book/") else "book/executed/"
            parent = nodes.container(classes=["claims"])
            self.state.nested_parse(table(chosen, root).splitlines(), self.content_offset, parent)
            return parent.children

    class Verdict(SphinxRole):
        """``{verdict}`claim-id scale```: the verdict with its counts."""

        def run(self):
            name, scale = self.text.split()
            found = finding(records(self.env.srcdir)[name], scale)
            return [nodes.inline("", shown(found), classes=["verdict"])], []

    def write(app, error) -> None:
        if error is None and app.builder.format == "html":
            text = json.dumps(list(records(app.srcdir).values()), indent=1, ensure_ascii=False)
            (Path(app.outdir) / "claims.json").write_text(text + "\n", encoding="utf-8")

    app.add_directive("claims", Claims)
    app.add_role("verdict", Verdict())
    app.connect("build-finished", write)
