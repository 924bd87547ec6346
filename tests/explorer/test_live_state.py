"""The state of a page with a live network, in Node."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from contrastlib.explorer import live
from contrastlib.explorer.ranking import fixed_contrasts

NODE = Path(sys.executable).with_name("node")
FOLDER = Path(live.__file__).parent
RUN = """
import { readFileSync } from "node:fs";
import { validState } from "./state.js";
const { requested, header } = JSON.parse(readFileSync(0));
console.log(JSON.stringify(validState(requested, header)));
"""


@pytest.fixture(scope="module")
def valid_state(tmp_path_factory):
    folder = tmp_path_factory.mktemp("modules")
    for path in FOLDER.glob("*.js"):
        shutil.copy(path, folder)
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "run.js").write_text(RUN)

    def run(requested, default):
        kinds = {"mean": (False, False), "weighted": (False, False), "among": (False, True)}
        header = {
            "network": {"classes": ["a", "b", "c"]},
            "default_contrast": default,
            "contrasts": {name: {"group": group, "foils": foils} for name, (group, foils) in kinds.items()},
            "methods": {"gradcam": {}},
            "state": {"targets": [0]},
        }
        given = json.dumps({"requested": requested, "header": header})
        done = subprocess.run(
            [NODE, folder / "run.js"], input=given, capture_output=True, text=True, check=True
        )
        return json.loads(done.stdout)

    return run


def test_a_contrast_without_a_function_in_the_browser_is_not_offered(added_contrast):
    assert added_contrast.name in fixed_contrasts()
    assert added_contrast.name not in live.offered_contrasts()


@pytest.mark.parametrize("default", ["mean", "weighted"])
def test_the_contrast_without_foils_is_the_default_of_the_header(valid_state, default):
    assert valid_state({"targets": [1], "contrast": "none"}, default)["contrast"] == default
    assert valid_state({"targets": [1], "foils": [2], "contrast": "none"}, default)["contrast"] == "among"
    assert valid_state({"targets": [1], "contrast": "weighted"}, default)["contrast"] == "weighted"
