"""What the reader has chosen, to the page's address and back, in Node."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from contrastlib.explorer import bundle

NODE = Path(sys.executable).with_name("node")
RUN = """
import { readFileSync } from "node:fs";
import { address, fromAddress, validState } from "./state.js";
import { filled } from "./snippets.js";
const { state, header, hash, text, values } = JSON.parse(readFileSync(0));
const written = state && address("explore", validState(state, header));
console.log(JSON.stringify({ written, first: state && validState(state, header),
  again: written && validState(fromAddress("explore", written), header),
  read: hash ? fromAddress("explore", hash) : null, filled: text && filled(text, values) }));
"""


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    folder = tmp_path_factory.mktemp("modules")
    for name in bundle.MODULES:
        shutil.copy(bundle.FOLDER / name, folder)
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "run.js").write_text(RUN)

    def run(**given):
        done = subprocess.run(
            [NODE, folder / "run.js"], input=json.dumps(given), capture_output=True, text=True, check=True
        )
        return json.loads(done.stdout)

    return run


@pytest.mark.parametrize(
    "name",
    [
        "birds_vgg",
        "torchvision/vgg16_bn",
        "my, net",
        "100%41",
        "%2C",
        "%",
        "a%252Cb",
        "owl & wren = ?#+",
        "Müller 🐦",
        ",,",
    ],
)
def test_any_name_survives_the_address(node, name):
    """In network, method and layer, beside a network whose name is a piece of it."""
    classes = [{"index": i, "name": "c", "logit": -i} for i in range(3)]
    maps = [
        {"method": method, "layer": layer, "kind": "linear"}
        for method in ("gradcam", name)
        for layer in ("a", name)
    ]
    view = {
        "classes": classes,
        "rest": {"count": 5, "logit": -9, "rows": 1},
        "weights": {"weighted": []},
        "maps": maps,
    }
    header = {"default_contrast": "weighted", "pictures": [{"views": {"my": view, name: view, "100A": view}}]}
    chosen = {"network": name, "method": name, "layer": name}
    state = {
        "panes": [
            {**chosen, "contrast": "among", "foils": [1, 3]},
            {**chosen, "rank": 1, "contrast": "own", "weights": [0.25, 0, 0.25, 0.5]},
        ]
    }
    found = node(state=state, header=header)
    assert found["first"]["panes"][0]["network"] == name and found["first"]["panes"][1]["contrast"] == "own"
    assert found["again"] == found["first"]


def test_an_address_is_written_as_ever(node):
    view = {
        "classes": [{"logit": 1}, {"logit": 0}],
        "rest": None,
        "weights": {"weighted": []},
        "maps": [{"method": "gradcam", "layer": "b.0", "kind": "linear"}],
    }
    found = node(
        state={}, header={"default_contrast": "weighted", "pictures": [{"views": {"birds_vgg": view}}]}
    )
    pane = "birds_vgg,gradcam,b.0,0,weighted"
    assert found["written"] == f"#explore?picture=0&a={pane}&b={pane}&opacity=60"


@pytest.mark.parametrize("hash", ["#100%", "#%", "#%E0%A4%A", "#other?a=%zz", "#", "#explore", "#explore%"])
def test_an_address_of_something_else_is_left_alone(node, hash):
    assert node(hash=hash)["read"] is None


@pytest.mark.parametrize(
    "hash", ["#explore?picture=%", "#explore?picture=%E0%A4%A&a=%zz", "#explore?a=100%25,%2"]
)
def test_a_damaged_address_is_read_as_far_as_it_goes(node, hash):
    assert len(node(hash=hash)["read"]["panes"]) == 2


@pytest.mark.parametrize("weights", ["1e308,1e308,1e308", "0,1e308,1e308", "0,NaN,0", "0,0,0", "1,2"])
def test_weights_without_a_finite_sum_are_no_weights(node, weights):
    view = {
        "classes": [{"logit": 1}, {"logit": 0}],
        "rest": {"count": 5, "logit": -9, "rows": 1},
        "weights": {"weighted": []},
        "maps": [{"method": "gradcam", "layer": "b.0", "kind": "linear"}],
    }
    header = {"default_contrast": "weighted", "pictures": [{"views": {"birds_vgg": view}}]}
    read = node(hash=f"#explore?a=birds_vgg,gradcam,b.0,0,own,{weights}", header=header)["read"]
    shown = node(state=read, header=header)["first"]["panes"][0]
    assert shown["contrast"] == "weighted" and shown["weights"] is None


def test_values_are_put_in_as_they_are(node):
    text, values = "Why {target} and not {rival}? {left}", {"target": "$& $' {rival}", "rival": "$$"}
    assert node(text=text, values=values)["filled"] == "Why $& $' {rival} and not $$? {left}"
