"""Random YAML as the file of a profile, as a value of ``-p``, and as parameters of a notebook."""

import pytest
from command_lines import status_of
from documents import networks, profile_files, value_texts, values
from hypothesis import given
from hypothesis import strategies as st
from outcomes import fuzzed, outcome

from contrastlib.report.notebooks import execution, parameters

SOURCES = st.sampled_from(["01_theory", "03_maps", "07_dominance"])


@pytest.fixture(scope="module")
def profiles(sandbox):
    """The folder of profiles, an empty one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(execution, "PROFILES", sandbox / "profiles")
        (sandbox / "profiles").mkdir()
        yield sandbox / "profiles"


@fuzzed(0.05)
@given(profile_files, SOURCES)
def test_files(profiles, content, source):
    (profiles / "random.yaml").write_bytes(content)
    status_of("profiles", ["run", "--profile", "random", source])


@fuzzed(0.05)
@given(
    st.sampled_from(["steps", "resamples", "networks", "network", "threshold", "nothing"]),
    value_texts,
    SOURCES,
)
def test_values(sandbox, name, text, source):
    status_of("profiles", ["run", source, "-p", name, text.replace("\0", "")])


@fuzzed(0.05)
@given(st.dictionaries(
    st.sampled_from([
        "network", "networks", "dataset", "threshold", "resamples", "pictures", "epsilons", "needs",
    ]),
    values | networks, max_size=3,
))  # fmt: skip
def test_parameters(given_parameters):
    outcome("profiles", lambda: parameters.check(**given_parameters))
