"""Three classes side by side: the identities of section 5.3, and the measures of its statements."""

import numpy as np
import pandas as pd
import pytest
import torch

from contrastlib import contrasts, explainers
from contrastlib.autograd import forward
from contrastlib.evaluation import three_classes
from contrastlib.explainers.all_classes import class_maps


@pytest.fixture
def table(network, images):
    return three_classes.compare(network, images, threshold=0.0, layer=network.layers[-1])


def test_a_row_for_each_image_contrast_and_ordered_pair(table):
    keys = table[["image", "contrast", "rank", "foil"]]
    assert len(table) == 3 * 4 * 6 and not keys.duplicated().any() and (table["rank"] != table["foil"]).all()
    assert list(table.columns) == list(three_classes.COLUMNS) and not table.isna().any(axis=None)


def test_maximum_maps_of_the_top_two_are_each_others_negative(table):
    top_two = table[
        (table["contrast"] == "maximum") & table["rank"].isin([1, 2]) & table["foil"].isin([1, 2])
    ]
    np.testing.assert_allclose(top_two["to_foil"], -1, atol=1e-10)
    others = table[(table["contrast"] == "maximum") & (table["rank"] == 3)]
    assert (others["to_foil"] > -1 + 1e-6).all()


def test_similarities_and_relative_probabilities_written_plainly(network, images, table):
    layer = network.layers[-1]
    record = forward(network, images, layer)
    classes = record.logits[1].topk(3).indices
    maps = {
        (c, r): explainers.gradcam(record, contrasts.cotangent(c, record.logits, classes[r].expand(3)))[
            1
        ].flatten()
        for c in three_classes.CONTRASTS
        for r in range(3)
    }
    for row in table[table["image"] == 1].itertuples():
        own = maps[row.contrast, row.rank - 1]
        for value, other in (
            (row.to_original, maps["original", row.rank - 1]),
            (row.to_foil, maps[row.contrast, row.foil - 1]),
        ):
            assert value == pytest.approx((own @ other / own.norm() / other.norm()).item(), abs=1e-10)
        pair = record.logits[1, classes[[row.rank - 1, row.foil - 1]]].softmax(0)[0].item()
        assert row.relative_probability_before == pytest.approx(pair, abs=1e-10)
    pairs = table.set_index(["image", "contrast", "rank", "foil"])["relative_probability_before"]
    for (image, contrast, rank, foil), value in pairs.items():
        assert value + pairs[image, contrast, foil, rank] == pytest.approx(1)


def test_what_is_masked_decides(network, images):
    by_sign = three_classes.compare(
        network, images, threshold=0.0, layer=network.layers[-1], mask_rule="by_sign", fill="black"
    )
    equal = three_classes.compare(
        network, images, threshold=0.0, layer=network.layers[-1], mask_rule="equal_as_described"
    )
    assert equal.groupby(["image", "rank"])["masked"].nunique().eq(1).all()
    assert by_sign.groupby(["image", "rank"])["masked"].nunique().gt(1).any()
    everything = by_sign[by_sign["masked"] == 0]
    np.testing.assert_allclose(everything["relative_probability"], everything["relative_probability_before"])
    assert (by_sign["relative_probability"] != by_sign["relative_probability_before"]).any()


def test_only_images_with_a_likely_third_class(network, images):
    third = network(images).softmax(1).topk(3).values[:, 2].detach()
    threshold = third.median().item()
    table = three_classes.compare(network, images, threshold=threshold, layer=network.layers[-1])
    assert set(table["image"]) == set((third > threshold).nonzero().flatten().tolist())
    none = three_classes.compare(network, images, threshold=1.0, layer=network.layers[-1])
    assert none.empty and list(none.columns) == list(three_classes.COLUMNS)


def test_mean_over_all_classes_is_the_mean_contrast(network, images):
    layer = network.layers[-1]
    table = three_classes.mean_by_class_count(network, images, draws=3, layer=layer)
    assert sorted(table["classes"].unique()) == [2, 3, 5, 6]
    record = forward(network, images, layer)
    target = record.logits.argmax(1)
    mean, own = (
        explainers.gradcam(record, f(record.logits, target)).flatten(1)
        for f in (contrasts.mean, contrasts.original)
    )
    last = table[table["classes"] == 6].set_index("image")
    np.testing.assert_allclose(last["similarity"], torch.cosine_similarity(mean, own).detach(), atol=1e-10)
    np.testing.assert_allclose(
        last["foil_cosine"], torch.cosine_similarity(own - mean, own).detach(), atol=1e-10
    )
    np.testing.assert_allclose(
        last["foil_norm"], ((own - mean).norm(dim=1) / own.norm(dim=1)).detach(), atol=1e-10
    )
    pd.testing.assert_frame_equal(
        table, three_classes.mean_by_class_count(network, images, draws=3, layer=layer)
    )
    alone = pd.concat(
        [
            three_classes.mean_by_class_count(network, image, draws=3, layer=layer).assign(image=i)
            for i, image in enumerate(images.split(1))
        ],
        ignore_index=True,
    )
    pd.testing.assert_frame_equal(table, alone, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("chunk", [1, 4, None])
def test_maps_of_all_classes(network, images, chunk):
    for layer in network.layers:
        record = forward(network, images, layer)
        for method in [each.function for each in explainers.select(space="layer", contrast=True).values()]:
            maps = class_maps(record, method, layer, chunk)
            one = torch.stack([method(record, torch.eye(6, dtype=torch.float64)[[s] * 3]) for s in range(6)])
            torch.testing.assert_close(maps, one, rtol=1e-10, atol=1e-10)


def test_maps_of_all_classes_need_a_positive_chunk(network, images):
    with pytest.raises(ValueError, match="at least one class"):
        class_maps(forward(network, images, "0"), explainers.gradcam, chunk=0)


@pytest.mark.parametrize("a", [0.0, 0.5, 1.0])
def test_exponents_of_norms_that_fall_like_a_power(a):
    rows = [
        {"network": name, "classes": n, "image": i, "foil_norm": scale * (n - 1.0) ** -a * (1 + i)}
        for name, counts, scale in (("many", [2, 100, 1000], 1.0), ("few", [2, 5, 10], 3.0))
        for n in counts
        for i in range(2)
    ]
    found = three_classes.falling_exponents(pd.DataFrame(rows).sample(frac=1, random_state=0)).set_index(
        "network"
    )["mean"]
    assert found.to_dict() == pytest.approx({"many": a, "few": a})


def test_no_exponent_of_one_number_of_classes():
    one = pd.DataFrame({"network": "two classes", "classes": 2, "image": [0, 1], "foil_norm": [0.5, 1.0]})
    assert three_classes.falling_exponents(one)["mean"].isna().all()


def test_distance_from_opposite_is_that_of_the_worst_pair(table):
    top_two = table[
        (table["contrast"] == "maximum") & table["rank"].isin([1, 2]) & table["foil"].isin([1, 2])
    ]
    both = pd.concat([top_two.assign(network="a"), top_two.assign(network="b", to_foil=-1.25)])
    found = three_classes.distances_from_opposite(both).set_index("network")["mean"]
    assert found["a"] < 1e-9 and found["b"] == 0.25
