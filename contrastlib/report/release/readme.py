"""The findings in brief in ``README.md``, the same sentences as on the first page of the book."""

from __future__ import annotations

import re
from collections.abc import Mapping

from contrastlib.report.pages.findings import in_brief, shown_in_brief

SUMMARY = re.compile(
    "(?<=<!-- findings: written by `make metadata` -->\n).*?(?=<!-- end of findings -->)", re.DOTALL
)
"""The place of the findings in ``README.md``, between two comments."""


def with_findings(readme: str, records: Mapping[str, Mapping]) -> str:
    """``README.md`` with the findings in brief. Each number links to the stored notebook that it is from.

    Args:
        readme: Text of the file.
        records: As from :func:`contrastlib.report.pages.claims.executed_claims`.

    Returns:
        Text of the new file.

    Raises:
        ValueError: The two comments are missing, or the verdict on a claim is not the one for which its
            sentence was written.
    """
    if not SUMMARY.search(readme):
        raise ValueError(f"README.md has no place for the findings: no text matches {SUMMARY.pattern}")
    sentences = "\n".join(shown_in_brief(each, records) for each in in_brief())
    return SUMMARY.sub(lambda _: sentences.replace("](executed/", "](notebooks/") + "\n", readme)
