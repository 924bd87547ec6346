"""Fixtures of the tests of the report."""

import pytest
import torch


@pytest.fixture
def one_thread():
    """As many threads as a worker has: the last bits of a sum depend on their number."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
