"""Interventions under every combination of choices agree with the measurement that varies one at a time."""

import numpy as np
import pytest
import torch

from contrastlib import models
from contrastlib.autograd import predict
from contrastlib.datasets.birds import SyntheticBirds
from contrastlib.evaluation import interventions
from contrastlib.evaluation.intervention_choices import ASKED, SETTING, differences, thinned
from contrastlib.report.studies.bird_interventions import choices_on_parts, repainted_birds

INDICES = [300, 301, 302, 303]


@pytest.fixture(scope="module")
def birds():
    model, birds = models.load("birds_resnet"), SyntheticBirds("test", 128)
    images = torch.stack([birds[index].image for index in INDICES])
    return (
        model,
        repainted_birds(birds, images, INDICES, repaintings=2),
        predict(model, images).topk(2, dim=1).indices,
    )


@pytest.fixture(scope="module")
def crossed(birds):
    return differences(
        *birds, layers={"last": None, "earlier": "network.layer2"}, smallest=(10, 50), repaintings=(1, 2)
    )


def test_every_combination_once(crossed):
    counted = crossed.groupby("image")[list(SETTING)].agg(lambda each: each.nunique())
    assert (counted == [2, 3, 2, 2, 2, 3]).all(axis=None) and len(crossed) == 144 * len(counted) > 144


@pytest.mark.parametrize(
    "layer, module, upsampling, measure, smallest",
    [("last", None, "centres", "sum", 10), ("earlier", "network.layer2", "corners", "mean", 50)],
)
def test_it_is_the_difference_of_the_correlations_compared_one_by_one(
    birds, crossed, layer, module, upsampling, measure, smallest
):
    table = interventions.compare(
        *birds,
        methods=["gradcam"],
        contrasts=list(ASKED),
        layer=module,
        upsampling=upsampling,
        measure=measure,
        smallest=smallest,
    )
    wide = table.pivot(index=["contrast", "image"], columns="question", values="correlation")
    own = crossed[
        (crossed["layer"] == layer)
        & (crossed["upsampling"] == upsampling)
        & (crossed["measure"] == measure)
        & (crossed["smallest"] == smallest)
        & (crossed["repaintings"] == 2)
    ].set_index(["contrast", "image"])["difference"]
    for contrast, (asked, other) in ASKED.items():
        found = own.loc[contrast]
        expected = wide.loc[contrast].loc[found.index]
        np.testing.assert_allclose(found, expected[asked] - expected[other], atol=1e-9)


def test_fewer_versions_of_each_part(birds):
    _, repainted, _ = birds
    fewer = thinned(repainted, 1)
    assert len({tuple(each) for each in fewer.of.tolist()}) == len(fewer.of) < len(repainted.of)
    assert torch.equal(thinned(repainted, 2).versions, repainted.versions)
    first = next(i for i, each in enumerate(repainted.of.tolist()) if each == fewer.of[3].tolist())
    assert torch.equal(fewer.versions[3], repainted.versions[first])


def test_birds_with_rivals(birds):
    model, repainted, _ = birds
    table = choices_on_parts(
        model,
        repainted.images,
        torch.zeros(4),
        "birds",
        INDICES,
        repaintings=(1,),
        threshold=0.005,
        smallest=(10,),
    )
    p_2 = predict(model, repainted.images).softmax(1).topk(2).values[:, 1]
    assert set(table["image"]) <= set((p_2 > 0.005).nonzero().flatten().tolist()) and len(table)
