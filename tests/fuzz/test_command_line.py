"""Random command lines, in this process: what is wrong is told in a line, and nothing else ends them."""

import pytest
from command_lines import COMMANDS, status_of
from hypothesis import given
from hypothesis import strategies as st
from outcomes import fuzzed

pytestmark = pytest.mark.usefixtures("sandbox")


@fuzzed(0.05)
@given(COMMANDS["explain"])
def test_explain(words):
    status_of("command line", words)


@fuzzed(0.05)
@given(st.one_of(*(words for name, words in COMMANDS.items() if name != "explain")))
def test_other_commands(words):
    status_of("command line", words)
