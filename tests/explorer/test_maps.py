"""The maps of the explorer are those of contrastlib.explain, whatever is merged and rounded on the way."""

import copy
import itertools
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import avg_pool2d

import contrastlib
from contrastlib import contrasts, explainers
from contrastlib.explainers.lrp import lrp, score
from contrastlib.explorer import Explorer, bird, bird_scene, bundle
from contrastlib.explorer.arithmetic import row_weights
from contrastlib.explorer.maps import stacks
from contrastlib.explorer.methods import applicable, offered
from contrastlib.explorer.pooling import pooling
from contrastlib.explorer.ranking import Ranking, fixed_contrasts

LISTED = 4
CNN = (
    "gradcam",
    "linear_approximation",
    "xgradcam",
    "gradient",
    "input_x_gradient",
    "deeplift",
    "fullgrad",
    "guided_backpropagation",
    "integrated_gradients",
    "lrp",
    "clrp1",
)
TABLES = ("guided_backpropagation", "gradient_attention_rollout")
VIT = ("input_x_gradient", "vit_gradcam", "gradient_attention_rollout", "attention_x_gradient")
PLACES = [("tiny", method, None) for method in CNN] + [("tiny_vit", method, None) for method in VIT]
PLACES += [("tiny_vit", "vit_gradcam", layer) for layer in ("block.0", "norm.2")]
TABULATED = list(fixed_contrasts())
CONTRASTS = [*TABULATED, "among", "own"]
SHOWN = {"rank": 0, "foils": [], "weights": None}


@pytest.fixture(scope="module")
def explorer(networks):
    return Explorer([bird(31), bird_scene(7)], networks, methods=offered(), classes=LISTED)


def choose(explorer, **pane):
    """Both panes the same; the first layer that the method has unless one is given."""
    state = copy.deepcopy(explorer.state)
    entries = explorer.header["pictures"][state["picture"]]["views"][pane["network"]]["maps"]
    layers = [entry["layer"] for entry in entries if entry["method"] == pane["method"]]
    state["panes"] = [{**SHOWN, **pane, "layer": pane.get("layer") or layers[0]}] * 2
    explorer.state = state
    return explorer.state["panes"][0]


def expected(network, image, pane, listed):
    """The map by contrastlib alone: of a layer, or of pixels and pooled."""
    target, rest = listed[pane["rank"]], [s for s in range(30) if s not in listed]
    foils = [listed[rank] for rank in pane["foils"] if rank < LISTED] + (
        rest if LISTED in pane["foils"] else []
    )
    foils = foils if pane["contrast"] == "among" else None
    contrast = pane["contrast"]
    if contrast == "own":

        def contrast(y):
            w = -torch.tensor([*pane["weights"][:LISTED]])
            share = torch.zeros_like(y)
            share[0, rest] = y[0, rest].softmax(0) * pane["weights"][LISTED]
            return (
                torch.zeros_like(y).index_put((torch.tensor([0]), torch.tensor(listed)), w)
                - share
                + (contrasts.original(y, target))
            )

    if pane["method"] == "clrp1":
        signed = lrp(
            network,
            image,
            lambda y: score(y, target).sum(1, keepdim=True) * contrasts.cotangent(contrast, y, target, foils),
        ).sum(dim=1)
        return pooled(signed)[0].clamp(min=0)
    layer = pane["layer"] if pane["layer"] not in ("input", "tokens") else None
    maps = contrastlib.explain(
        network, image, target, pane["method"], contrast, layer, upsample=False, foils=foils
    )
    return (pooled(maps) if pane["layer"] == "input" else maps)[0]


def pooled(maps):
    factor = pooling(maps.shape[-1])
    return avg_pool2d(maps[None], factor)[0] * factor**2


def assert_close(found, wanted, share=1e-3):
    wanted = wanted.double().numpy()
    assert np.ptp(wanted) > 0
    assert abs(found - wanted).max() <= share * np.ptp(wanted)


def stored(places, contrast_names):
    """What the explorer has: all contrasts of weighted sums, those with fixed weights of the others."""
    return [
        (*place, contrast)
        for place, contrast in itertools.product(places, contrast_names)
        if place[1] not in TABLES or contrast in TABULATED
    ]


@pytest.mark.parametrize("network, method, layer, contrast", stored(PLACES, CONTRASTS))
def test_every_map_is_that_of_explain(explorer, networks, network, method, layer, contrast):
    model = next(each for each in networks if each.name == network)
    for picture, rank in ((0, 0), (0, 2), (1, 1)):
        explorer.state = {**explorer.state, "picture": picture}
        extra = {"among": {"foils": [3, LISTED]}, "own": {"weights": [0.5, 0.25, 0.1, 0.05, 0.1]}}.get(
            contrast, {}
        )
        if contrast == "own":
            extra["weights"][rank] = 0
        pane = choose(
            explorer, network=network, method=method, layer=layer, rank=rank, contrast=contrast, **extra
        )
        listed = [each["index"] for each in explorer.header["pictures"][picture]["views"][network]["classes"]]
        image = explorer.pictures[picture].tensor(model)[None]
        assert_close(explorer.map(), expected(model, image, pane, listed))


def test_ranks_and_logits_are_the_networks(explorer, networks):
    for network, (i, picture) in itertools.product(networks, enumerate(explorer.pictures)):
        logits = contrastlib.autograd.predict(network, picture.tensor(network)[None])[0].double()
        view = explorer.header["pictures"][i]["views"][network.name]
        assert [each["index"] for each in view["classes"]] == logits.argsort(descending=True)[
            :LISTED
        ].tolist()
        found = [each["logit"] for each in view["classes"]]
        torch.testing.assert_close(
            torch.tensor(found).double(), logits.sort(descending=True).values[:LISTED], rtol=1e-5, atol=1e-6
        )
        assert view["rest"]["count"] == 30 - LISTED
        total = np.logaddexp.reduce([*found, view["rest"]["logit"]])
        assert total == pytest.approx(logits.logsumexp(0).item(), abs=1e-5)


@pytest.mark.parametrize(
    "kind, method",
    [("convolutional", method) for method in CNN if method not in ("clrp1", *TABLES)]
    + [("transformer", "vit_gradcam"), ("transformer", "attention_x_gradient")],
)
def test_merging_the_rest_is_exact(make_network, kind, method):
    """In float64, with 3 of 30 classes listed; to 1e-6 with the weights as the header has them."""
    network = make_network[kind](torch.float64)
    images = torch.stack([bird(i).tensor(network).double() for i in (3, 4)])
    ranking, found = stacks(network, images, [method], classes=3)
    for i, contrast, rank in itertools.product(range(2), TABULATED, range(3)):
        rows = found[i][-1]
        view = ranking.view(i, network.class_names)
        exact = view | {"weights": {name: each[:, i].tolist() for name, each in ranking.weights.items()}}
        layer = rows.layer if method == "vit_gradcam" else None
        wanted = contrastlib.explain(
            network,
            images[i : i + 1],
            ranking.listed[i, rank].item(),
            method,
            contrast,
            layer,
            upsample=False,
        )
        wanted = (pooled(wanted) if rows.layer == "input" else wanted)[0].numpy()
        for each, within in ((exact, 1e-8), (view, 1e-6)):  # the header keeps nine digits of a logit
            weights = row_weights(
                rows.kinds[method], len(rows.maps), each, {"rank": rank, "contrast": contrast}
            )
            np.testing.assert_allclose(
                np.tensordot(weights, rows.maps, 1), wanted, rtol=0, atol=within * abs(wanted).max()
            )


def test_a_thousand_classes_need_no_more_passes(make_network):
    network = make_network["convolutional"](classes=1000)
    pulled = []
    original = explainers.cam.ForwardPass.pull_back

    def counted(self, cotangent):
        pulled.append(len(cotangent))
        return original(self, cotangent)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(explainers.cam.ForwardPass, "pull_back", counted)
        explorer = Explorer([bird(31)], [network], methods=["gradcam"], classes=20)
    view = explorer.header["pictures"][0]["views"]["tiny"]
    assert sum(pulled) == 20 + view["rest"]["rows"]
    listed = [each["index"] for each in view["classes"]]
    image = explorer.pictures[0].tensor(network)[None]
    for contrast in ("mean", "weighted"):
        choose(explorer, network="tiny", method="gradcam", contrast=contrast, rank=7)
        assert_close(
            explorer.map(),
            contrastlib.explain(network, image, listed[7], contrast=contrast, upsample=False)[0],
        )


def test_all_classes_listed(networks, explorer):
    """There is no rest then, and the maps are the same."""
    every = Explorer([bird(31)], networks, methods=["gradcam", "lrp", "clrp1", "vit_gradcam"], classes=99)
    view = every.header["pictures"][0]["views"]["tiny"]
    assert view["rest"] is None and len(view["classes"]) == 30
    explorer.state = {**explorer.state, "picture": 0}
    for method, contrast in itertools.product(("gradcam", "lrp", "clrp1"), TABULATED):
        maps = []
        for each in (every, explorer):
            choose(each, network="tiny", method=method, contrast=contrast, rank=1)
            maps.append(each.map())
        assert_close(maps[0], torch.from_numpy(maps[1]))


@pytest.mark.parametrize("network, method", [place[:2] for place in PLACES[:-2]])
def test_the_lines_of_python_run_and_give_the_same_map(explorer, networks, network, method):
    sums = method not in TABLES
    for contrast, extra in [("weighted", {}), ("mean", {}), ("original", {})] + sums * [
        ("among", {"foils": [0, 3]}),
        ("among", {"foils": [0, LISTED]}),
        ("own", {"weights": [0.5, 0, 0.25, 0, 0.25]}),
        ("own", {"weights": [1, 0, 0, 0, 0]}),
    ]:
        check_lines(explorer, networks, network, method, contrast, extra)


def check_lines(explorer, networks, network, method, contrast, extra):
    explorer.state = {**explorer.state, "picture": 1}
    choose(explorer, network=network, method=method, contrast=contrast, rank=1, **extra)
    space = {"network": next(each for each in networks if each.name == network)}
    exec(explorer.code(), space)
    found = explorer.map()
    if space["maps"].shape[1:] != found.shape:
        found = explainers.upsample(torch.from_numpy(found)[None], space["maps"].shape[1:])[0].numpy()
    assert_close(found, space["maps"][0])


@pytest.mark.slow
def test_the_lines_of_python_stand_alone():
    """In a Python that has imported nothing, with a network of the registry."""
    explorer = Explorer(
        [bird(31)],
        ["birds_vgg"],
        methods=["gradcam"],
        classes=3,
        panes=[{"contrast": "own", "weights": [0, 1, 0, 1]}, {}],
    )
    code = explorer.code() + "\nimport json\nprint(json.dumps(maps[0].tolist()))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    found = explainers.upsample(torch.from_numpy(explorer.map())[None], (128, 128))[0]
    assert_close(found.numpy(), torch.tensor(json.loads(done.stdout)))


NODE = """
import {{ mapOf, upsampled }} from {module!r};
import {{ readFileSync }} from "node:fs";
const cases = JSON.parse(readFileSync(0));
console.log(JSON.stringify(cases.map(({{ entry, planes, coefficients, view, pane }}) => {{
  const stack = {{ planes: Int16Array.from(planes), coefficients: Float32Array.from(coefficients) }};
  const map = mapOf(entry, stack, view, pane);
  return [Array.from(map), Array.from(upsampled(map, entry.height, entry.width, 40, 48))];
}})));
"""


def test_the_browser_computes_the_same(explorer, tmp_path):
    """arithmetic.js in Node."""
    from contrastlib.explorer.packing import unpacked_planes

    cases, wanted = [], []
    explorer.state = {**explorer.state, "picture": 1}
    for network, method, layer, contrast in stored(PLACES, CONTRASTS):
        extra = {"among": {"foils": [0, LISTED]}, "own": {"weights": [0.5, 0, 0.25, 0, 0.25]}}.get(
            contrast, {}
        )
        pane = choose(
            explorer, network=network, method=method, layer=layer, contrast=contrast, rank=1, **extra
        )
        view = explorer.header["pictures"][1]["views"][network]
        entry = next(e for e in view["maps"] if (e["method"], e["layer"]) == (method, pane["layer"]))
        planes = unpacked_planes(explorer.chunks[entry["stack"]], entry["height"], entry["width"])
        coefficients = np.frombuffer(explorer.chunks[entry["coefficients"]], "<f4")
        cases.append(
            {
                "entry": entry,
                "planes": planes.ravel().tolist(),
                "coefficients": coefficients.tolist(),
                "view": view,
                "pane": pane,
            }
        )
        wanted.append(explorer.map())
    script = tmp_path / "run.mjs"
    module = tmp_path / "arithmetic.mjs"
    module.write_text((bundle.FOLDER / "arithmetic.js").read_text(encoding="utf-8"), encoding="utf-8")
    script.write_text(NODE.format(module=str(module)), encoding="utf-8")
    node = Path(sys.executable).with_name("node")
    done = subprocess.run([node, script], input=json.dumps(cases), capture_output=True, text=True, check=True)
    for heat, (small, large) in zip(wanted, json.loads(done.stdout), strict=True):
        np.testing.assert_allclose(np.reshape(small, heat.shape), heat, rtol=0, atol=1e-9 * abs(heat).max())
        up = explainers.upsample(torch.from_numpy(heat)[None], (40, 48))[0].numpy()
        np.testing.assert_allclose(np.reshape(large, up.shape), up, rtol=0, atol=1e-6 * abs(heat).max())


def test_which_methods_apply(networks, make_network):
    cnn, vit = networks
    assert applicable(cnn, None) == [
        "gradcam",
        "linear_approximation",
        "xgradcam",
        "input_x_gradient",
        "lrp",
        "clrp1",
    ]
    assert applicable(vit, None) == ["vit_gradcam", "gradient_attention_rollout"]
    assert applicable(vit, ["gradcam", "input_x_gradient", "vit_gradcam", "lrp"]) == [
        "input_x_gradient",
        "vit_gradcam",
    ]
    with pytest.raises(
        ValueError, match="gradcam, lrp cannot explain tiny_vit: name others of .*vit_gradcam"
    ):
        applicable(vit, ["gradcam", "lrp"])
    with pytest.raises(ValueError, match="unknown method 'lime'; the explorer has .*gradcam"):
        applicable(cnn, ["lime"])
    cnn = make_network["convolutional"]()
    cnn.layer = None
    assert applicable(cnn, None) == ["input_x_gradient", "lrp", "clrp1"]


@pytest.mark.parametrize("method", ["lrp", "fullgrad"])
def test_methods_are_left_out_where_the_network_is_not_theirs(make_network, method):
    """Relevance propagation without rules, FullGrad without linear pieces."""
    network = make_network["convolutional"]()
    network.network[1] = torch.nn.GELU()
    explorer = Explorer([bird(31)], [network], methods=[method, "gradcam"], classes=3)
    assert list(explorer.header["methods"]) == ["gradcam"]
    with pytest.raises(ValueError, match=f"{method} cannot explain tiny: name other methods"):
        Explorer([bird(31)], [network], methods=[method], classes=3)


def test_several_layers_from_one_pass(make_network):
    network = make_network["convolutional"]()
    runs = []
    network.register_forward_hook(lambda *_: runs.append(1))
    explorer = Explorer(
        [bird(31), bird(32), bird(33)],
        [network],
        methods=["gradcam", "input_x_gradient"],
        classes=3,
        layers={"tiny": ["network.0", "network.2"]},
        masked=[],
    )
    entries = explorer.header["pictures"][2]["views"]["tiny"]["maps"]
    assert [(each["layer"], each["height"]) for each in entries] == [
        ("network.0", 30),
        ("network.2", 28),
        ("input", 32),
    ]
    assert len(runs) == 1


def test_ranking_of_equal_logits_takes_the_first():
    ranking = Ranking(torch.tensor([[1.0, 3.0, 3.0, 1.0]]), 3)
    assert ranking.listed.tolist() == [[1, 2, 0]]
