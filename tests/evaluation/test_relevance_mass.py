"""Two objects in one picture: whose region the map of either class lies in."""

import pandas as pd
import pytest
import torch
from torch import nn

from contrastlib.evaluation import relevance_mass
from contrastlib.evaluation.saliency import PAPERS_OPTIONS, saliency


@pytest.fixture
def small():
    torch.manual_seed(0)
    return (
        nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8 * 49, 6))
        .double()
        .eval()
    )


@pytest.fixture
def images():
    return torch.rand(3, 3, 16, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


TARGETS = torch.tensor([[0, 1, 2], [5, 4, 3]])


def halves(count):
    """The left half is the first object's, a corner of the right one the second's."""
    regions = torch.zeros(2, count, 16, 16, dtype=torch.bool)
    regions[0, :, :, :8] = True
    regions[1, :, :5, 8:] = True
    return regions


def test_energy_and_similarity_written_plainly(small, images):
    table = relevance_mass.compare(small, images, TARGETS, halves(3), ["lrp", "clrp1", "gradient/weighted"])
    assert len(table) == 3 * 2 * 3
    rows, logits = table.set_index(["method", "object", "image"]), small(images).detach()
    for which, targets in enumerate(TARGETS):
        for method, phi in saliency(
            small, images, targets, ["lrp", "clrp1", "gradient/weighted"], options=PAPERS_OPTIONS
        ).items():
            opposite = saliency(small, images, TARGETS[1 - which], [method], options=PAPERS_OPTIONS)[method]
            for i, target in enumerate(targets.tolist()):
                row, positive = rows.loc[(method, which, i)], phi[i].clamp(min=0)
                shares = [
                    (positive[:, :8].sum() / positive.sum()).item(),
                    (positive[:5, 8:].sum() / positive.sum()).item(),
                ]
                assert (row["own"], row["other"]) == pytest.approx((shares[which], shares[1 - which]))
                cosine = (phi[i] * opposite[i]).sum() / phi[i].norm() / opposite[i].norm()
                assert row["similarity"] == pytest.approx(cosine.item())
                assert (row["target"], row["y_t"]) == (target, pytest.approx(logits[i, target].item()))
                assert row["p_t"] == pytest.approx(logits[i].softmax(0)[target].item())


def test_maps_of_several_targets_are_those_of_each(small, images):
    methods = ["lrp", "clrp2", "gradient", "gradcam/weighted", "random", "centre"]
    together = saliency(small, images, TARGETS, methods)
    each = [saliency(small, images, target, methods) for target in TARGETS]
    assert list(together) == methods
    for method, maps in together.items():
        torch.testing.assert_close(maps, torch.stack([one[method] for one in each]), rtol=1e-10, atol=1e-10)


def test_a_map_without_energy_lies_nowhere(small, images):
    for parameter in small[-1].parameters():
        parameter.data.zero_()
    table = relevance_mass.compare(small, images, TARGETS, halves(3), ["clrp1"])
    assert (table[["own", "other"]] == 0).all(axis=None)


def test_what_does_not_fit_is_refused(small, images):
    with pytest.raises(ValueError, match="need classes"):
        relevance_mass.compare(small, images, TARGETS[:, :2], halves(3))
    with pytest.raises(ValueError, match="holds no pixel"):
        relevance_mass.compare(small, images, TARGETS, torch.zeros_like(halves(3)))


def objects(count):
    """The two halves of :func:`halves` with their classes, for each image."""
    regions = halves(count)
    return [[(int(TARGETS[which, i]), regions[which, i]) for which in range(2)] for i in range(count)]


def test_objects_of_images_are_compared_as_targets_and_regions_are(small, images):
    table = relevance_mass.of_objects(small, images, None, objects(3), ["lrp", "weighted_lrp"])
    expected = relevance_mass.compare(small, images, TARGETS, halves(3), ["lrp", "weighted_lrp"])
    assert table[expected.columns].equals(expected)
    logits = small(images).detach()
    for row in table.itertuples():
        y, t = logits[row.image], row.target
        others = torch.cat([y[:t], y[t + 1 :]])
        assert row.initial_relevance == pytest.approx((y[t] - (others.softmax(0) * others).sum()).item())
    with pytest.raises(ValueError, match="two objects"):
        relevance_mass.of_objects(small, images, None, [each[:1] for each in objects(3)])


def of_method(method, own, sums=(1.0, -1.0, 1.0, -1.0)):
    """Two images with two objects each."""
    return pd.DataFrame(
        {
            "network": "n",
            "method": method,
            "image": [0, 0, 1, 1],
            "object": [0, 1, 0, 1],
            "group": [0, 0, 1, 1],
            "own": own,
            "other": 0.0,
            "y_t": [2.0, -1.0, 1.0, 3.0],
            "initial_relevance": sums,
        }
    )


def test_every_object_is_paired_with_itself():
    table = pd.concat([of_method("clrp1", [0.5, 0.5, 1.0, 1.0]), of_method("lrp", [0.25, 0.5, 0.5, 0.75])])
    row = relevance_mass.differences(table, "clrp1", "lrp", resamples=10).iloc[0]
    assert (row["mean"], row["images"], row["groups"]) == (0.25, 4, 2)


def test_weighted_lrp_by_the_sign_of_its_initial_relevance():
    table = pd.concat(
        [of_method("weighted_lrp", [0.5, 0.0, 0.25, 0.5]), of_method("lrp", [0.5, 0.25, 1.0, 0.75])]
    )
    row = relevance_mass.by_sign_of_initial_relevance(table).iloc[0]
    assert (row["maps"], row["negative_logit"], row["negative_sum"], row["empty"]) == (4, 1, 2, 1)
    assert (row["positive"], row["lrp"], row["negative"]) == (0.375, 0.75, 0.25)
