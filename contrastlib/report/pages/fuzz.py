"""Tables of the page on random inputs: the counts of the last run, and what was found and mended.

In a page written in Markdown::

    ```{random-inputs} counts
    ```
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml
from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from contrastlib.report.markdown import markdown_table

COUNTS = Path("data") / "results" / "fuzz.json"
"""Counts of inputs by kind and outcome, with provenance; ``python tests/fuzz`` writes it."""
FINDINGS = Path("book") / "fuzz" / "findings.yaml"
"""Faults that random inputs found: what went in, what came out, and what comes out now."""


class RandomInputs(SphinxDirective):
    """A table of the page on random inputs.

    The argument is "counts" for the inputs by kind and outcome, "run" for when and where they were made, or
    "findings" for the faults.
    """

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Parse the table. Called by Sphinx."""
        root, which = Path(self.env.srcdir), self.arguments[0]
        self.env.note_dependency(str(root / (FINDINGS if which == "findings" else COUNTS)))
        if which == "findings":
            text = findings(yaml.safe_load((root / FINDINGS).read_text(encoding="utf-8")))
        else:
            record = json.loads((root / COUNTS).read_text(encoding="utf-8"))
            text = counts(record) if which == "counts" else conditions(record)
        return self.parse_text_to_nodes(text)


def counts(record: Mapping) -> str:
    """Table in Markdown with a row for each kind of input: results, named errors by class, and the sum.

    Args:
        record: Content of ``data/results/fuzz.json``.

    Raises:
        ValueError: The counts of the kinds do not sum to the number of inputs.

    >>> kinds = {"contrasts": {"result": 1200, "ValueError": 300, "TypeError": 20}, "profiles": {"result": 7}}
    >>> print(counts({"inputs": 1527, "kinds": kinds}))
    | inputs | result | named error | in all |
    | --- | --- | --- | --- |
    | contrasts | 1,200 | 320: ValueError 300, TypeError 20 | 1,520 |
    | profiles | 7 | 0 | 7 |
    | **all** | 1,207 | 320 | 1,527 |
    """
    rows, results, errors = [], 0, 0
    for kind, outcomes in record["kinds"].items():
        named = {name: count for name, count in outcomes.items() if name != "result"}
        listed = ", ".join(f"{name} {named[name]:,}" for name in sorted(named, key=named.get, reverse=True))
        right, wrong = outcomes.get("result", 0), sum(named.values())
        rows.append([kind, f"{right:,}", f"{wrong:,}: {listed}" if named else "0", f"{right + wrong:,}"])
        results, errors = results + right, errors + wrong
    if results + errors != record["inputs"]:
        raise ValueError(
            f"{COUNTS} names {record['inputs']} inputs, and its kinds sum to {results + errors}: "
            "make it anew with `make fuzz`"
        )
    rows.append(["**all**", f"{results:,}", f"{errors:,}", f"{record['inputs']:,}"])
    return markdown_table(["inputs", "result", "named error", "in all"], rows)


def conditions(record: Mapping) -> str:
    """Sentence in Markdown that says when and where the inputs were made, and how to make them again.

    Args:
        record: Content of ``data/results/fuzz.json``.

    >>> made = {"date": "2026-01-02T03:04:05+00:00", "commit": "0123456789abcdef", "seconds": 600,
    ...         "python": "3.11.7", "machine": "x86_64 AVX2", "libraries": {"torch": "2.6.0"},
    ...         "hypothesis": "6.1"}
    >>> print(conditions({"inputs": 2043, "asked": 2000, "seed": 3, "provenance": made}))
    **2,043 inputs**, made on 2026-01-02 in 10 minutes at commit 0123456789 with seed 3 (Python 3.11.7,
    torch 2.6.0, hypothesis 6.1, x86_64 AVX2). The same again: `python tests/fuzz --inputs 2000 --seed 3`.
    """
    made = record["provenance"]
    return (
        f"**{record['inputs']:,} inputs**, made on {made['date'][:10]} in {made['seconds'] / 60:.0f} minutes "
        f"at commit {made['commit'][:10]} with seed {record['seed']} (Python {made['python']},\n"
        f"torch {made['libraries']['torch']}, hypothesis {made['hypothesis']}, {made['machine']}). "
        f"The same again: `python tests/fuzz --inputs {record['asked']} --seed {record['seed']}`."
    )


def findings(found: Sequence[Mapping[str, str]]) -> str:
    """Table in Markdown with a row for each fault that was found.

    Args:
        found: Records with the fields input, was and now.

    >>> print(findings([{"input": "`box=(0,)`", "was": "Python's own TypeError", "now": "a ValueError"}]))
    | input | what came out | what comes out now |
    | --- | --- | --- |
    | `box=(0,)` | Python's own TypeError | a ValueError |
    """
    rows = [[each[field].strip() for field in ("input", "was", "now")] for each in found]
    return markdown_table(["input", "what came out", "what comes out now"], rows)
