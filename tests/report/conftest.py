"""Fixtures of the tests of the report."""

import pytest
import torch

from contrastlib.report.results.provenance import REPOSITORY


@pytest.fixture(scope="package")
def records():
    """All claims, as the stored notebooks judge them."""
    from contrastlib.report.pages.claim_records import released  # imports Sphinx, which few tests need
    from contrastlib.report.pages.claims import executed_claims

    stored = executed_claims(REPOSITORY / "notebooks")
    return [released(record) for record in stored.values()]


@pytest.fixture
def one_thread():
    """As many threads as a worker has: the last bits of a sum depend on their number."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
