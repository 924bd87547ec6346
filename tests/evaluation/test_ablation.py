"""Ablation of the pixel that a map points at."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from contrastlib.contrasts import original
from contrastlib.evaluation.ablation import (
    ablated,
    ablation,
    differences,
    mean_image,
    neuron_ablation,
    neuron_similarities,
    own_patches,
    position_of_maximum,
    relative_drops,
)
from contrastlib.evaluation.saliency import PAPERS_OPTIONS, saliency
from contrastlib.explainers.lrp import lrp


@pytest.fixture
def small():
    torch.manual_seed(0)
    return (
        nn.Sequential(
            nn.Conv2d(3, 8, 3),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(8 * 49, 10),
            nn.ReLU(),
            nn.Linear(10, 6),
        )
        .double()
        .eval()
    )


@pytest.fixture
def images():
    return torch.rand(4, 3, 16, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


FILL = torch.zeros(3, 16, 16, dtype=torch.float64)


def test_a_patch_is_where_the_map_is_highest(images):
    maps = torch.zeros(4, 16, 16)
    positions = [(0, 0), (15, 15), (7, 3), (2, 14)]
    for phi, (row, column) in zip(maps, positions):
        phi[row, column] = 1
    assert position_of_maximum(maps).tolist() == [list(each) for each in positions]
    changed = (ablated(images, position_of_maximum(maps), FILL, 5) != images).any(1)
    for mask, (row, column) in zip(changed, positions):
        expected = torch.zeros(16, 16, dtype=torch.bool)
        expected[max(0, row - 2) : row + 3, max(0, column - 2) : column + 3] = True
        assert torch.equal(mask, expected)


def test_scores_written_plainly(small, images):
    labels = torch.tensor([0, 1, 2, 3])
    table = ablation(small, images, labels, FILL, ["lrp", "random"], sizes=[3, 7])
    rows = table.set_index(["method", "size", "image"])
    positions = position_of_maximum(saliency(small, images, labels, ["lrp"], options=PAPERS_OPTIONS)["lrp"])
    for size in (3, 7):
        after, before = (small(x).detach() for x in (ablated(images, positions, FILL, size), images))
        for i, label in enumerate(labels.tolist()):
            row = rows.loc[("lrp", size, i)]
            assert (row["row"], row["column"]) == tuple(positions[i].tolist())
            assert (row["y_t"], row["y_t_before"]) == pytest.approx(
                (after[i, label].item(), before[i, label].item())
            )
            assert (row["p_t"], row["p_t_before"]) == pytest.approx(
                tuple(y.softmax(1)[i, label].item() for y in (after, before))
            )
    again = ablation(small, images, labels, FILL, ["lrp", "random"], sizes=[3], seed=1).set_index(
        ["method", "size", "image"]
    )
    assert again.loc["lrp"].equals(rows.loc["lrp"].loc[[3]])
    assert not again.loc["random"][["row", "column"]].equals(rows.loc["random"].loc[[3]][["row", "column"]])


def test_the_mean_image(images):
    torch.testing.assert_close(mean_image(list(images)), images.mean(0))
    with pytest.raises(ValueError, match="needs at least one image"):
        mean_image([])


def test_neurons_lose_what_their_patch_held(small, images):
    table = neuron_ablation(small, images, None, FILL, "4", count=3, size=5, methods=["lrp"])
    assert (
        len(table) == 4 * 9
        and (table[table["ablated"] == table["neuron"]]["similarity"].round(10) == 1).all()
    )
    before = small[:5](images).detach()
    top = before.topk(3, dim=1)
    for row in table.itertuples():
        assert (row.neuron_index, row.before) == (
            top.indices[row.image, row.neuron],
            pytest.approx(top.values[row.image, row.neuron].item()),
        )
        assert row.ablated_index == top.indices[row.image, row.ablated]
    for (image, lost), rows in table.groupby(["image", "ablated"]):
        one, neuron = images[image : image + 1], top.indices[image, lost].item()
        phi = lrp(small, one, lambda y, neuron=neuron: y * original(y, neuron), layer="4").sum(dim=1)
        patched = small[:5](ablated(one, position_of_maximum(phi), FILL, 5)).detach()[0, top.indices[image]]
        torch.testing.assert_close(torch.tensor(rows.sort_values("neuron")["after"].to_numpy()), patched)
    after = table.pivot(index="image", columns=["ablated", "neuron"], values="after")
    assert any(not np.allclose(after[i, j], after[j, i]) for i in range(3) for j in range(i))
    with pytest.raises(ValueError, match="neurons of"):
        neuron_ablation(small, images, None, FILL, "4", count=11)


@pytest.mark.parametrize("mean, size", [(FILL[:, :8], 3), (FILL, 0)])
def test_bad_input(images, mean, size):
    with pytest.raises(ValueError, match="mean image must be"):
        ablated(images, torch.zeros(4, 2, dtype=torch.long), mean, size)


def losses(**methods):
    """What two images lost, of 4 before, at one size of the patch."""
    return pd.DataFrame(
        [
            {
                "network": "n",
                "size": 9,
                "method": method,
                "image": i,
                "group": i,
                "y_t_before": 4.0,
                "y_t": 4 - lost,
                "p_t_before": 1.0,
                "p_t": 0.5,
            }
            for method, each in methods.items()
            for i, lost in enumerate(each)
        ]
    )


def test_drops_are_compared():
    table = losses(random=[0.5, 0.5], lrp=[1.0, 3.0], clrp1=[0.0, 3.0])
    assert differences(table, "clrp1", "lrp", resamples=20)["mean"].tolist() == [-0.5]
    assert relative_drops(table, "random", "lrp")["mean"].tolist() == [0.25]
    assert relative_drops(losses(random=[0.5, 0.5], lrp=[-1.0, 0.0]), "random", "lrp")["mean"].tolist() == [
        np.inf
    ]


def of_neurons(after, similarity=1.0):
    """Activations of three neurons, 1 before, after the patch of each was ablated (a row for each patch)."""
    return pd.DataFrame(
        [
            {
                "network": "n",
                "image": 0,
                "ablated": i,
                "neuron": j,
                "before": 1.0,
                "after": value,
                "similarity": 1.0 if i == j else similarity,
            }
            for i, row in enumerate(after)
            for j, value in enumerate(row)
        ]
    )


def test_the_largest_loss_of_a_neuron_and_of_a_patch():
    table = of_neurons(
        [[0.25, 0.5, 0.5], [0.5, 0.0, 0.0], [0.5, 0.5, 0.5]]
    )  # neuron 2 loses most by the patch of 1
    row = own_patches(table).iloc[0]
    assert (row["mean"], row["chance"]) == pytest.approx((2 / 3, 3 / 9))
    row = own_patches(table, over="ablated").iloc[0]  # patch 2 costs all the same
    assert (row["mean"], row["chance"]) == pytest.approx((1, (1 + 2 + 3) / 9))


def test_similarity_is_of_different_neurons():
    assert neuron_similarities(of_neurons([[0.5] * 3] * 3, similarity=0.25))["mean"].tolist() == [0.25]
