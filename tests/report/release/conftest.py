"""What the tests of the release share."""

import json

import pytest

from contrastlib.report.claims_page import executed_claims
from contrastlib.report.provenance import REPOSITORY
from contrastlib.report.release.claim_records import released


@pytest.fixture(scope="package")
def records():
    """All claims, as the stored notebooks judge them."""
    stored = executed_claims(REPOSITORY / "notebooks")
    return [released(record) for record in stored.values()]


@pytest.fixture
def claims_file(records, tmp_path):
    """``claims.json`` as the book has it."""
    path = tmp_path / "claims.json"
    path.write_text(json.dumps(records))
    return path
