"""Functions of the page's modules, in Node."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from contrastlib.explorer import bundle
from contrastlib.plotting import percent

NODE = Path(sys.executable).with_name("node")
RUN = """
import { readFileSync } from "node:fs";
import { percent, shareText } from "./elements.js";
import { carried } from "./state.js";
const given = JSON.parse(readFileSync(0));
console.log(JSON.stringify(EXPRESSION));
"""


@pytest.fixture
def evaluated(tmp_path):
    """Value of an expression over the functions and over ``given``."""
    for name in bundle.MODULES:
        shutil.copy(bundle.FOLDER / name, tmp_path)
    (tmp_path / "package.json").write_text('{"type": "module"}')

    def run(expression, given):
        (tmp_path / "run.js").write_text(RUN.replace("EXPRESSION", expression))
        done = subprocess.run(
            [NODE, tmp_path / "run.js"], input=json.dumps(given), capture_output=True, text=True, check=True
        )
        return json.loads(done.stdout)

    return run


def test_probabilities_are_written_as_in_python(evaluated):
    chances = [0, 1e-9, 0.0005, 0.0007, 0.00099, 0.001, 0.0016, 0.123, 0.5, 0.999, 0.9991, 0.9996, 1]
    assert evaluated("given.map(percent)", chances) == [percent(each) for each in chances]


def test_shares_are_written_as_they_are(evaluated):
    written = ["0.0 %", "0.1 %", "33.3 %", "100.0 %"]
    assert evaluated("given.map(shareText)", [0, 0.0007, 1 / 3, 1]) == written


def view(indices, others):
    rest = {"count": others, "logit": -9, "rows": 1} if others else None
    return {"classes": [{"index": index} for index in indices], "rest": rest}


@pytest.mark.parametrize("to, foils", [
    (view([7, 3], 8), [0, 2]),
    (view([5, 3, 7], 8), [2, 3]),
    (view([7, 3, 5, 4], 0), [0]),
])  # fmt: skip
def test_foils_are_carried_to_another_network(evaluated, to, foils):
    """All others are the last rank of either view, where the other view has others."""
    pane = {"rank": 0, "contrast": "among", "foils": [1, 3]}
    found = evaluated("carried(...given)", [pane, view([3, 7, 5], 8), to])
    assert found["foils"] == foils
