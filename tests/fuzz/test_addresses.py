"""Random addresses of the explorer, read in Node as a browser reads them, and presets, checked in Python."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from headers import anything, assert_state, hashes, headers, presets, view_presets
from hypothesis import given
from hypothesis import strategies as st
from outcomes import counted, fuzzed, outcome

from contrastlib.explorer import bundle, initial_state
from contrastlib.explorer.initial_state import KNOWN

NODE = Path(sys.executable).with_name("node")
SERVER = """
import { createInterface } from "node:readline";
import { address, fromAddress, validState } from "./state.js";
const answer = ({ hash, state, header }) => {
  const read = hash === null ? state : fromAddress("explore", hash);
  const shown = read && validState(read, header);
  const written = shown && address("explore", shown);
  const settled = shown && validState(shown, header);
  const again = written && validState(fromAddress("explore", written), header);
  return { shown, settled, written, again };
};
for await (const line of createInterface({ input: process.stdin })) {
  let said;
  try { said = answer(JSON.parse(line)); } catch (error) { said = { error: String(error.stack) }; }
  console.log(JSON.stringify(said));
}
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """``browser(hash=..., header=...)``: what the explorer shows for an address or a state."""
    folder = tmp_path_factory.mktemp("modules")
    for name in bundle.MODULES:
        shutil.copy(bundle.FOLDER / name, folder)
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "server.js").write_text(SERVER)
    node = subprocess.Popen(
        [NODE, folder / "server.js"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )

    def ask(header, hash=None, state=None):
        node.stdin.write(json.dumps({"hash": hash, "state": state, "header": header}, allow_nan=False) + "\n")
        node.stdin.flush()
        said = json.loads(node.stdout.readline())
        assert "error" not in said, said["error"]
        return said

    yield ask
    node.stdin.close()
    node.wait(10)
    node.stdout.close()


def assert_shown(said, header):
    """A state of this explorer is shown, and its own address leads back to it, up to digits of weights."""
    assert_state(said["shown"], header)
    assert_alike(said["shown"], said["settled"], 1e-12, kept=KNOWN)
    # an address has four digits of weights and two of the opacity, and a fill only where something is filled
    assert_alike(
        said["shown"],
        said["again"],
        5e-3,
        kept=[each for each in KNOWN if each != "fill" or said["shown"]["keep"] != "all"],
    )


def assert_alike(one, other, tolerance, kept):
    """The same state, but for digits of weights and the opacity."""
    assert other["opacity"] == pytest.approx(one["opacity"], abs=tolerance)
    assert [one[field] for field in ("picture", "other", *kept)] == [
        other[field] for field in ("picture", "other", *kept)
    ]
    for pane, back in zip(one["panes"], other["panes"]):
        assert back == {**pane, "weights": pane["weights"] and pytest.approx(pane["weights"], abs=tolerance)}


@fuzzed(0.12)
@given(st.data(), headers())
def test_addresses(browser, data, header):
    said = browser(header, hash=data.draw(hashes(header)))
    if said["shown"] is not None:
        assert_shown(said, header)
    counted("addresses", "result" if said["shown"] else "left alone")


@fuzzed(0.06)
@given(st.data(), headers())
def test_presets(browser, data, header):
    """A preset that Python takes is shown in the browser as it is; others are named errors."""
    panes = data.draw(
        st.one_of(
            st.none(),
            st.lists(presets(header), min_size=2, max_size=2),
            st.lists(presets(header), max_size=3),
        )
    )
    view = data.draw(view_presets)
    found = outcome("addresses", lambda: initial_state.state(panes, view, header))
    if not found.error:
        assert_state(found.value, header)
        said = browser(header, state=found.value)
        assert_shown(said, header)


@fuzzed(0.04)
@given(
    st.lists(anything, max_size=2),
    st.lists(st.sampled_from(["a", "b"]), max_size=3),
    st.lists(st.sampled_from(["a", "c"]), max_size=2),
    anything,
    anything,
)
def test_arguments(pictures, networks, layers, classes, name):
    outcome("addresses", lambda: initial_state.check(pictures, networks, layers, classes, name))
