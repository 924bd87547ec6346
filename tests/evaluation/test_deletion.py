"""Deletion, insertion and imputation: known answers, plain references, another implementation."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from contrastlib import explain
from contrastlib.evaluation import deletion
from contrastlib.evaluation.control_maps import CONTROLS, OURS
from contrastlib.evaluation.imputation import imputed
from contrastlib.evaluation.later_methods import highest
from contrastlib.evaluation.masking import baseline

SIDE, CLASSES = 16, 5
OPTIONS = {"methods": ["input_x_gradient"], "contrasts": ["original", "maximum"], "threshold": 0}


def linear(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * SIDE * SIDE, CLASSES)).double()


def pictures(count=12):
    return torch.randn(count, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def with_names(table):
    return table.assign(network="n", group=table["image"])


def gap(table, control, contrast="maximum"):
    found = deletion.areas(with_names(table))
    return found[(found["control"] == control) & (found["contrast"] == contrast)]["gap"]


def test_the_map_of_the_difference_has_the_largest_gap_and_noise_about_none():
    table = deletion.curves(linear(), pictures(60), removals=["blur"], **OPTIONS)
    best = gap(table, OURS)
    assert best.mean() > gap(table, OURS, "original").mean() > 0 and (best > 0).all()
    noise = gap(table, "noise")
    assert abs(noise.mean()) < 4 * noise.std() / np.sqrt(60)
    for control in CONTROLS:
        assert best.mean() > 3 * gap(table, control).mean()


def test_both_curves_written_plainly_with_two_judges():
    network, other, images = linear(), linear(7), pictures(4)
    table = deletion.curves(network, images, shares=[0.2, 0.8], scoring_model=other, **OPTIONS)
    t, s = network(images)[2].topk(2).indices.tolist()
    phi = explain(network, images[2:3], t, "input_x_gradient", "maximum")[0]
    for removal, fill in (("blur", baseline("blur", network, images)[2]), ("imputation", None)):
        for share in (0.2, 0.8):
            high = highest(phi, share)
            for judge, model in (("itself", network), ("second network", other)):
                row = table[
                    (table["image"] == 2)
                    & (table["contrast"] == "maximum")
                    & (table["control"] == OURS)
                    & (table["removal"] == removal)
                    & (table["share"] == share)
                    & (table["judge"] == judge)
                ]
                for name, gone in (("deletion", high), ("insertion", ~high)):
                    version = (
                        imputed(images[2:3], gone[None])[0]
                        if fill is None
                        else torch.where(gone, fill, images[2])
                    )
                    y = model(version[None])[0]
                    assert row[name].item() == pytest.approx((y[t] - y[s]).item(), abs=1e-5)


def test_the_opposite_map_has_the_opposite_gap():
    network, images = linear(), pictures(1)
    phi = torch.rand(SIDE, SIDE, dtype=torch.float64)
    classes = torch.tensor([[0, 1]])
    gaps = []
    for each in (phi, -phi):
        masks = torch.stack([highest(each, share) for share in deletion.SHARES])[:, None]
        down, up = (
            deletion.margins(network, images * ~gone[:, :, None], classes) for gone in (masks, ~masks)
        )
        gaps.append((up - down).mean().item())
    assert gaps[0] == pytest.approx(-gaps[1], abs=0.05 * abs(gaps[0]) + 0.05)


def test_effects_are_paired_over_images():
    rows = [
        (contrast, control, image, value)
        for image in range(6)
        for contrast, control, value in (
            ("maximum", OURS, 3),
            ("original", OURS, 2),
            ("maximum", "noise", 1),
            ("original", "noise", 1),
        )
    ]
    table = pd.DataFrame(rows, columns=["contrast", "control", "image", "insertion"]).assign(
        network="n", method="m", removal="blur", judge="itself", share=0.5, deletion=0.5
    )
    table["group"] = table["image"]
    table["insertion"] += table["image"]
    controls = deletion.gaps_against_controls(table, resamples=50).set_index("contrast")
    assert controls.loc["maximum", "mean"] == 2 and controls.loc["original", ["low", "high"]].tolist() == [
        1,
        1,
    ]
    assert deletion.gaps_between_contrasts(table, resamples=50).set_index("control").loc[OURS, "mean"] == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"shares": [0.1, 0.5]}, "not symmetric around 0.5"),
        ({"shares": [0.0, 1.0]}, "not symmetric"),
        ({"removals": ["grey"]}, "unknown removal 'grey'; choose one of blur, imputation"),
    ],
)
def test_what_is_wrong_is_said(options, words):
    with pytest.raises(ValueError, match=words):
        deletion.curves(linear(), pictures(2), **options)


def test_without_rivals_there_is_no_row():
    assert deletion.curves(linear(), pictures(3), **{**OPTIONS, "threshold": 0.499}).empty


# --- imputation ----------------------------------------------------------------------------------


def smooth_masks(side, count, seed=0):
    coarse = torch.randn(count, 1, 7, 7, generator=torch.Generator().manual_seed(seed))
    return nn.functional.interpolate(coarse, side, mode="bilinear")[:, 0]


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_the_imputation_is_that_of_pytorch_grad_cam(share):
    road = pytest.importorskip("pytorch_grad_cam.metrics.road")
    side = 48
    image = nn.functional.interpolate(
        torch.rand(1, 3, 12, 12, generator=torch.Generator().manual_seed(2)), side, mode="bicubic"
    )
    gone = highest(smooth_masks(side, 1), share)
    theirs = road.NoisyLinearImputer(noise=0)(image[0], (~gone[0]).float())
    ours = imputed(image, gone, noise=0)[0]
    assert (ours - theirs).abs().mean() < 0.003 and torch.equal(ours[:, ~gone[0]], image[0][:, ~gone[0]])
    exact = imputed(image, gone, noise=0, cycles=30)[0]
    assert (exact - theirs).abs().max() < 1e-4


def test_constant_images_stay_constant_and_noise_has_its_size():
    image, gone = torch.full((1, 3, 33, 20), 0.4, dtype=torch.float64), highest(torch.rand(1, 33, 20), 0.6)
    assert (imputed(image, gone, noise=0) - 0.4).abs().max() < 1e-10
    noisy = imputed(image, gone, noise=0.01)
    assert (noisy - image)[0][:, gone[0]].std().item() == pytest.approx(0.01, rel=0.1) and torch.equal(
        noisy, imputed(image, gone)
    )


def test_many_masks_at_once_and_nothing_left():
    images = torch.rand(2, 3, 16, 16)
    masks = torch.stack([highest(smooth_masks(16, 2, seed), 0.3) for seed in range(3)])
    together = imputed(images, masks)
    assert together.shape == (3, 2, 3, 16, 16) and torch.allclose(together[1], imputed(images, masks[1]))
    with pytest.raises(ValueError, match="all pixels of an image are removed"):
        imputed(images, torch.ones(2, 16, 16, dtype=torch.bool))
