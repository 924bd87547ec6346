"""What the tests of the release share."""

import json

import pytest


@pytest.fixture
def claims_file(records, tmp_path):
    """``claims.json`` as the book has it."""
    path = tmp_path / "claims.json"
    path.write_text(json.dumps(records))
    return path
