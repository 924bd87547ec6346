"""The recorded effects of masking are those of the library's own evaluation."""

import numpy as np
import pytest
import torch

import contrastlib
from contrastlib.evaluation.masking import masked_pixels, relative_after
from contrastlib.explainers import upsample
from contrastlib.explorer import Explorer, bird, masked
from contrastlib.explorer.packing import unpacked_planes

SIGNS_AND_FILLS = [(sign, fill) for sign in masked.SIGNS for fill in masked.FILLS]


@pytest.fixture(scope="module")
def explorer(networks):
    return Explorer(
        [bird(31), bird(4)],
        networks,
        methods=["gradcam", "lrp", "clrp1", "gradient_attention_rollout"],
        classes=4,
        masked=["gradcam", "clrp1", "gradient_attention_rollout"],
    )


def records(explorer):
    """The number of the picture, the pane, the sign, the fill, and the probabilities of each record."""
    for number, picture in enumerate(explorer.header["pictures"]):
        for network, view in picture["views"].items():
            for entry in view["maps"]:
                if "masked" not in entry:
                    continue
                chosen = masked.panes(view, entry["kind"])
                columns = len(view["classes"]) + 1
                rows = unpacked_planes(
                    explorer.chunks[entry["masked"]], len(chosen) * len(SIGNS_AND_FILLS), columns
                )[0]
                common = {
                    "network": network,
                    "method": entry["method"],
                    "layer": entry["layer"],
                    "weights": None,
                }
                keys = [(common | pane, sign, fill) for pane in chosen for sign, fill in SIGNS_AND_FILLS]
                for (pane, sign, fill), row in zip(keys, rows, strict=True):
                    yield number, pane, sign, fill, np.exp(-row / masked.PRECISION)


def test_records_are_the_evaluation_of_the_map_that_is_shown(explorer):
    found = list(records(explorer))
    assert {pane["method"] for _, pane, *_ in found} == {"gradcam", "clrp1", "gradient_attention_rollout"}
    for number, pane, sign, fill, p in found:
        explorer.state = explorer.header["state"] | {
            "picture": number,
            "panes": [pane, pane],
            "keep": sign,
            "fill": fill,
        }
        effect = explorer.effect(0)
        assert p[pane["rank"]] == pytest.approx(effect["probability"][1], rel=1e-3, abs=1e-12)
        assert p.sum() == pytest.approx(1, abs=1e-3)
        foils = pane["foils"] or [int(pane["rank"] == 0)]
        assert p[pane["rank"]] / p[[pane["rank"], *foils]].sum() == pytest.approx(
            effect["relative"][1], rel=2e-3
        )


def test_effects_are_those_of_the_evaluation_of_explain(explorer, networks):
    """From the maps of contrastlib.explain and the masks of the evaluation.

    The shown map is rounded by 4e-4 of its range, so up to one pixel in a thousand, where the map crosses 0,
    has the other sign. The recorded effect is that of the shown map.
    """
    network, image = networks[0], bird(31).tensor(networks[0])
    view = explorer.header["pictures"][0]["views"]["tiny"]
    indices = [each["index"] for each in view["classes"]]
    for contrast, foils in (("original", []), ("weighted", []), ("maximum", []), ("among", [2])):
        own = {"foils": [indices[foil] for foil in foils]} if foils else {}
        heat = contrastlib.explain(
            network, image[None], indices[0], "gradcam", contrast, "network.2", upsample=False, **own
        )
        full = upsample(heat.double(), tuple(image.shape[-2:]))
        pane = explorer.header["state"]["panes"][0] | {"contrast": contrast, "foils": foils}
        for sign, fill in SIGNS_AND_FILLS:
            masks = masked_pixels(full, sign, "by_sign")
            explorer.state = explorer.header["state"] | {"panes": [pane, pane], "keep": sign, "fill": fill}
            shown = masked.kept(explorer.map(0)[None], tuple(image.shape[-2:]))[:, masked.SIGNS.index(sign)]
            assert (shown == masks).double().mean() <= 1e-3
            p = relative_after(network, image[None], ~shown, range(30), masked.FILLS[fill])
            effect = explorer.effect(0)
            assert effect["probability"] == pytest.approx(p[:, indices[0]].tolist(), abs=2e-3)
            both = p[:, [indices[0], indices[foils[0] if foils else 1]]]
            assert effect["relative"] == pytest.approx((both[:, 0] / both.sum(dim=1)).tolist(), abs=2e-3)


def test_by_default_the_first_map_of_each_network_is_recorded(networks):
    explorer = Explorer([bird(31)], networks, methods=["gradcam", "lrp", "vit_gradcam"], classes=3)
    views = explorer.header["pictures"][0]["views"]
    assert [["masked" in entry for entry in view["maps"]] for view in views.values()] == [
        [True, False],
        [True, False, False],
    ]
    none = Explorer([bird(31)], networks[:1], methods=["gradcam"], classes=3, masked=[])
    assert "masked" not in none.header["pictures"][0]["views"]["tiny"]["maps"][0]


def test_the_lines_of_python_give_the_effect(explorer):
    pane = explorer.header["state"]["panes"][0]
    for sign in masked.SIGNS:
        explorer.state = explorer.header["state"] | {"panes": [pane, pane], "keep": sign, "fill": "zero"}
        assert f"range(30), '{masked.FILLS['zero']}')" in explorer.code()
    explorer.state = explorer.header["state"]
    assert "relative_after" not in explorer.code()


def test_equal_masks_are_evaluated_once(networks, monkeypatch):
    """The strongest rival of the first class is the second one: both contrasts mask the same."""
    evaluated = []
    function = masked.log_probabilities
    monkeypatch.setattr(
        masked,
        "log_probabilities",
        lambda network, image, masks, *rest: (
            evaluated.append(len(masks)),
            function(network, image, masks, *rest),
        )[1],
    )
    heat = np.stack([np.linspace(-1, 1, 16).reshape(4, 4)] * 2 + [np.linspace(1, -1, 16).reshape(4, 4)])
    masked.recorded(networks[0], torch.rand(3, 64, 64), heat, [0, 1])
    assert evaluated == [2, 2, 2]
