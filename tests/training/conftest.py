"""Accelerate keeps the devices and the precision of a process; each test starts with none."""

import pytest
from accelerate.state import AcceleratorState


@pytest.fixture(autouse=True)
def fresh_devices():
    """Whatever was trained before in the same process, and after the test."""
    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)
