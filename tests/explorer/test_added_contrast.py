"""The explorer offers a contrast that is registered, in Python and in the browser, and its maps are right."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from contrastlib import contrasts, explainers
from contrastlib.explorer import Explorer, bird, bundle
from contrastlib.explorer.packing import unpacked_planes
from contrastlib.explorer.ranking import fixed_contrasts

RUN = """
import { readFileSync } from "node:fs";
import { mapOf } from "./arithmetic.js";
import { contrastsOf, validState } from "./state.js";
const { entry, planes, coefficients, header, requested } = JSON.parse(readFileSync(0));
const view = header.pictures[0].views[requested.panes[0].network];
const stack = { planes: Int16Array.from(planes), coefficients: Float32Array.from(coefficients) };
const pane = validState(requested, header).panes[0];
const map = Array.from(mapOf(entry, stack, view, pane));
console.log(JSON.stringify({ menu: contrastsOf(entry.kind, view), pane, map }));
"""
METHODS = ("gradcam", "lrp", "clrp1", "vit_gradcam", "gradient_attention_rollout")


@pytest.fixture
def explorer(added_contrast, networks):
    panes = [{"contrast": added_contrast.name, "rank": 1}, {"contrast": "original"}]
    return Explorer([bird(31)], networks, methods=METHODS, classes=4, panes=panes)


def entries(explorer):
    for network, view in explorer.header["pictures"][0]["views"].items():
        for entry in view["maps"]:
            pane = {
                **explorer.state["panes"][0],
                "network": network,
                "method": entry["method"],
                "layer": entry["layer"],
            }
            yield view, entry, pane


def test_header(explorer, added_contrast):
    words = {"title": added_contrast.title, "about": "against a toy", "question": added_contrast.question}
    assert explorer.header["contrasts"][added_contrast.name] == words
    classes = explorer.header["pictures"][0]["views"]["tiny"]["classes"]
    assert explorer.question(0).startswith(f"Why {classes[1]['name']} (")
    assert f", {classes[0]['name']} (" in explorer.question(0)


def test_maps(explorer, networks, added_contrast):
    """Those of contrastlib.explain, and in the lines of Python."""
    for view, entry, pane in entries(explorer):
        explorer.state = {**explorer.state, "panes": [pane, pane]}
        space = {"network": next(each for each in networks if each.name == pane["network"])}
        exec(explorer.code(), space)
        wanted = space["maps"][0].numpy()
        found = explorer.map()
        if wanted.shape != found.shape:
            found = explainers.upsample(torch.from_numpy(found)[None], wanted.shape)[0].numpy()
        assert np.ptp(wanted) > 0
        assert abs(found - wanted).max() <= 1e-3 * np.ptp(wanted), entry["method"]
        assert repr(added_contrast.name) in explorer.code()


def test_the_header_stays_small(networks, added_contrast, monkeypatch):
    def rows_and_size():
        explorer = Explorer([bird(31)], networks[:1], methods=["gradcam"], classes=12)
        view = explorer.header["pictures"][0]["views"]["tiny"]
        size = len(json.dumps(view["weights"], separators=(",", ":")))
        return view["rest"]["rows"], size

    rows, size = rows_and_size()
    monkeypatch.delitem(contrasts.CONTRASTS, added_contrast.name)
    rows_before, size_before = rows_and_size()
    rests = 12 if added_contrast.name == "by_distance" else 1  # on its own, or shared by all targets
    assert rows == rows_before + rests
    assert size - size_before < (5_000 if rests > 1 else 2_500)


def test_the_browser(explorer, added_contrast, tmp_path):
    for name in bundle.MODULES:
        shutil.copy(bundle.FOLDER / name, tmp_path)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "run.js").write_text(RUN)
    for _, entry, pane in entries(explorer):
        explorer.state = {**explorer.state, "panes": [pane, pane]}
        planes = unpacked_planes(explorer.chunks[entry["stack"]], entry["height"], entry["width"])
        given = {
            "entry": entry,
            "planes": planes.ravel().tolist(),
            "header": explorer.header,
            "requested": explorer.state,
            "coefficients": np.frombuffer(explorer.chunks[entry["coefficients"]], "<f4").tolist(),
        }
        node = Path(sys.executable).with_name("node")
        done = subprocess.run(
            [node, "run.js"],
            input=json.dumps(given),
            capture_output=True,
            text=True,
            check=True,
            cwd=tmp_path,
        )
        found = json.loads(done.stdout)
        assert found["pane"] == pane
        interactive = [] if entry["kind"] == "table" else ["among", "own"]
        assert found["menu"] == [*fixed_contrasts(), *interactive]
        assert added_contrast.name in found["menu"]
        heat = explorer.map()
        np.testing.assert_allclose(
            np.reshape(found["map"], heat.shape), heat, rtol=0, atol=1e-9 * abs(heat).max()
        )
