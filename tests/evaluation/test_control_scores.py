"""Maps beside their controls: a perfect map scores best, controls like chance, plain references."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats
from torch import nn

from contrastlib import explain
from contrastlib.evaluation import control_scores
from contrastlib.evaluation.control_maps import CONTROLS, OURS, Material, edges
from contrastlib.evaluation.interventions import QUESTIONS, Repainted, falls
from contrastlib.evaluation.later_methods import highest
from contrastlib.evaluation.masking import baseline

SIDE, CLASSES = 12, 5


def linear(seed=0):
    """A linear network, of which Input x Gradient is the effect of each pixel."""
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * SIDE * SIDE, CLASSES, bias=False)).double()


def pictures(count=40, seed=1):
    return torch.randn(
        count, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )


PIXELS = {"methods": ["input_x_gradient"], "contrasts": ["original", "maximum"]}


def mean(table, value, control, contrast="maximum"):
    return table[(table["control"] == control) & (table["contrast"] == contrast)][value].mean()


# --- masking -------------------------------------------------------------------------------------


def test_what_is_the_same_for_both_classes_keeps_one_half():
    table = control_scores.masking(linear(), pictures(), threshold=0, fill="black", **PIXELS)
    blind = table[table["control"].isin(["noise", "centre", "edges"])]
    assert (blind["relative_probability"] - 0.5).abs().max() < 1e-12 and len(blind) == 40 * 2 * 3


def test_the_right_map_keeps_more_than_every_control():
    table = control_scores.masking(linear(), pictures(), threshold=0, fill="black", **PIXELS)
    assert mean(table, "relative_probability", OURS) > 0.9
    assert all(mean(table, "relative_probability", control) < 0.65 for control in CONTROLS)


def test_masking_written_plainly():
    network, images = linear(), pictures(6)
    table = control_scores.masking(network, images, share=0.25, fill="mean", threshold=0.1, **PIXELS)
    y = network(images).detach()
    expected = {i for i, p in enumerate(y.softmax(1).topk(2).values[:, 1]) if p > 0.1}
    assert set(table["image"]) == expected and expected
    for image in expected:
        pair = y[image].topk(2).indices
        values = []
        for rank in (0, 1):
            phi = explain(network, images, pair[rank].item(), "input_x_gradient", "maximum")[image]
            kept = highest(phi, 0.25)
            seen = torch.where(kept, images[image], baseline("mean", network, images)[image])
            values.append(network(seen[None])[0, pair].softmax(0)[rank].item())
        row = table[
            (table["image"] == image) & (table["contrast"] == "maximum") & (table["control"] == OURS)
        ].iloc[0]
        assert [row["first"], row["second"]] == pytest.approx(values, abs=1e-12)
        assert row["relative_probability"] == pytest.approx(np.mean(values), abs=1e-12)


# --- regions -------------------------------------------------------------------------------------


def test_a_map_inside_the_region_has_all_its_energy_there():
    network, images = linear(), pictures(8)
    with torch.no_grad():
        network[1].weight.view(CLASSES, 3, SIDE, SIDE)[..., 3:] = 0
    regions = torch.zeros(8, SIDE, SIDE, dtype=torch.bool)
    regions[..., :3] = True
    table = control_scores.in_regions(network, images, regions, **PIXELS)
    assert mean(table, "energy", OURS) == pytest.approx(1) and mean(
        table, "energy", "other_picture"
    ) == pytest.approx(1)
    assert mean(table, "energy", "noise") == pytest.approx(0.25, abs=0.05) and (table["area"] == 0.25).all()


# --- interventions -------------------------------------------------------------------------------


def scene(network, count=60):
    """Images of six bands, each a part, which is repainted black."""
    images = pictures(count)
    masks = torch.eye(6, dtype=torch.bool).repeat_interleave(2, dim=1)[:, :, None].expand(6, SIDE, SIDE)
    of = torch.cartesian_prod(torch.arange(count), torch.arange(6))
    versions = images[of[:, 0]] * ~masks[of[:, 1], None]
    classes = network(images).detach().topk(2, dim=1).indices
    return Repainted(images, masks.expand(count, *masks.shape), tuple("abcdef"), versions, of, 6), classes


def test_the_right_map_ranks_all_parts_and_noise_none():
    network = linear()
    table = control_scores.ranking(network, *scene(network), **PIXELS)
    for contrast in PIXELS["contrasts"]:
        assert mean(table, "correlation", OURS, contrast) == pytest.approx(1, abs=1e-12)
    assert abs(mean(table, "correlation", "noise")) < 4 / np.sqrt(60 * 5)
    assert (
        set(table["control"]) == {OURS, *CONTROLS}
        and table.groupby(["contrast", "control"]).size().eq(60).all()
    )


def test_a_control_is_asked_the_question_of_the_contrast():
    network = linear()
    repainted, classes = scene(network, 3)
    table = control_scores.ranking(network, repainted, classes, **PIXELS)
    fall = falls(network, repainted, *classes.T)
    for contrast, question in (("original", "logit"), ("maximum", "pair")):
        row = table[
            (table["image"] == 1) & (table["contrast"] == contrast) & (table["control"] == "edges")
        ].iloc[0]
        found = edges(Material(repainted.images, repainted.images[None, :, 0], repainted.images[None, :, 0]))[
            1
        ]
        expected = stats.spearmanr(
            found.view(6, -1).sum(dim=1), fall[1, :, QUESTIONS.index(question)]
        ).statistic
        assert row["correlation"] == pytest.approx(expected, abs=1e-10)


# --- all -----------------------------------------------------------------------------------------


def test_a_single_image_has_no_rows():
    network = linear()
    repainted, classes = scene(network, 1)
    for table in (
        control_scores.masking(network, pictures(1), threshold=0),
        control_scores.ranking(network, repainted, classes),
        control_scores.in_regions(network, pictures(1), torch.ones(1, SIDE, SIDE, dtype=torch.bool)),
    ):
        assert table.empty and "image" in table


def test_differences_from_controls_are_paired():
    rng = np.random.default_rng(0)
    base = rng.normal(size=50)
    rows = [
        pd.DataFrame(
            {"image": range(50), "group": range(50), "v": base + shift, "control": name, "network": "n"}
        )
        for name, shift in ((OURS, 1.0), ("noise", 0.0), ("edges", 0.5))
    ]
    found = control_scores.against_controls(pd.concat(rows), "v", ["network"], resamples=100).set_index(
        "control"
    )
    assert found.loc["noise", ["mean", "low", "high"]].tolist() == pytest.approx([1, 1, 1])
    assert found.loc["edges", "mean"] == pytest.approx(0.5)
