"""Masking what speaks for a class or against it: which pixels go, what replaces them, what is measured."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from contrastlib import explain
from contrastlib.evaluation import masking, masking_effects, statistics
from contrastlib.evaluation.masking import baseline, masked_pixels, relative_probabilities
from contrastlib.models.classifier import Normalise

SETTING = ["rank", "method", "contrast", "baseline", "mask_rule", "kept_sign"]


class Normalised(nn.Module):
    """As contrastlib's classifiers: images in [0, 1], normalised inside."""

    def __init__(self, network):
        super().__init__()
        self.normalise, self.network, self.layer = (
            Normalise((0.4, 0.5, 0.6), (0.2, 0.2, 0.3)),
            network,
            "network.0",
        )
        self.passes = self.images = 0

    def forward(self, x):
        self.passes, self.images = self.passes + 1, self.images + len(x)
        return self.network(self.normalise(x))


@pytest.fixture
def model(network):
    return Normalised(network).double().eval()


def table_of(model, images, **options):
    return relative_probabilities(model, images, **{"threshold": 0.0, **options})


# --- which pixels are masked --------------------------------------------------------------------

# one row a map; the first has 3 positive and 2 negative pixels, the second 1 positive and 3 negative
MAPS = torch.tensor([[[5.0, -1.0, 2.0, -4.0, 1.0]], [[0.0, -3.0, -1.0, 2.0, -2.0]]])


def pixels(kept_sign, mask_rule, maps=MAPS):
    return [mask.flatten().nonzero().flatten().tolist() for mask in masked_pixels(maps, kept_sign, mask_rule)]


def test_by_sign_each_map_loses_its_own():
    assert pixels("positive", "by_sign") == [[1, 3], [1, 2, 4]]
    assert pixels("negative", "by_sign") == [[0, 2, 4], [3]]


def test_as_described_all_maps_lose_as_many_as_the_one_with_fewest():
    assert pixels("positive", "equal_as_described") == [[1, 3], [1, 4]]  # min(2, 3) lowest
    assert pixels("negative", "equal_as_described") == [[0], [3]]  # min(3, 1) highest


def test_as_coded_the_count_is_that_of_the_pixels_to_keep():
    assert pixels("positive", "equal_as_coded") == [
        [3],
        [1],
    ]  # min(3, 1) lowest: the positive ones were counted
    assert pixels("negative", "equal_as_coded") == [[0, 2], [0, 3]]  # max(2, 3) - 1 highest, a 0 among them


def test_as_coded_pixels_of_the_kept_sign_may_go():
    maps = torch.tensor([[[1.0, 2.0, 3.0, -1.0]], [[1.0, 2.0, 3.0, 4.0]]])
    assert pixels("positive", "equal_as_coded", maps) == [[0, 1, 3], [0, 1, 2]]


def test_zeros_are_of_neither_sign():
    zeros = torch.zeros(2, 2, 3)
    for kept_sign in masking.KEPT_SIGNS:
        for mask_rule in masking.MASK_RULES:
            assert not masked_pixels(zeros, kept_sign, mask_rule).any()


def test_equal_values_go_in_the_order_of_pixels():
    maps = torch.tensor([[[-1.0, -1.0, -1.0, 1.0]], [[-1.0, 1.0, 1.0, 1.0]]])
    assert pixels("positive", "equal_as_described", maps) == [[0], [0]]


@pytest.mark.parametrize("seed", range(20))
def test_the_same_pixels_as_by_a_stable_sort(seed):
    maps = torch.randint(-3, 4, (2, 8, 9), generator=torch.Generator().manual_seed(seed)).float()
    for kept_sign, sign in (("positive", -1), ("negative", 1)):
        for mask_rule in ("equal_as_described", "equal_as_coded"):
            masks = masked_pixels(maps, kept_sign, mask_rule).flatten(1)
            order = (sign * maps).flatten(1).argsort(dim=1, descending=True, stable=True)
            for mask, first in zip(masks, order):
                assert set(mask.nonzero().flatten().tolist()) == set(first[: mask.sum()].tolist())


def test_counts_on_random_maps():
    maps = torch.randn(2, 30, 40, generator=torch.Generator().manual_seed(0)) + 0.3
    positive, negative = (maps > 0).sum(dim=(1, 2)), (maps < 0).sum(dim=(1, 2))
    for kept_sign, mask_rule, expected in [
        ("positive", "equal_as_described", negative.min()),
        ("negative", "equal_as_described", positive.min()),
        ("positive", "equal_as_coded", positive.min()),
        ("negative", "equal_as_coded", negative.max() - 1),
    ]:
        masks = masked_pixels(maps, kept_sign, mask_rule)
        assert masks.sum(dim=(1, 2)).tolist() == [expected, expected]
        for values, mask in zip(maps, masks):
            gone, left = values[mask], values[~mask]
            assert gone.max() <= left.min() if kept_sign == "positive" else gone.min() >= left.max()
    masks = masked_pixels(-maps, "positive", "by_sign")
    assert torch.equal(masks, masked_pixels(maps, "negative", "by_sign"))


@pytest.mark.parametrize("mask_rule, share", masking.KEPT_SHARES.items())
@pytest.mark.parametrize("kept_sign", masking.KEPT_SIGNS)
def test_equal_shares_keep_the_ends_of_each_map(kept_sign, mask_rule, share):
    maps = (
        torch.randn(3, 7, 9, generator=torch.Generator().manual_seed(2))
        + torch.tensor([-3.0, 0.0, 3.0])[:, None, None]
    )
    kept = ~masked_pixels(maps, kept_sign, mask_rule).flatten(1)
    assert kept.sum(dim=1).tolist() == [round(share * 63)] * 3
    for heat, stays in zip(maps.flatten(1) if kept_sign == "positive" else -maps.flatten(1), kept):
        assert heat[stays].min() > heat[~stays].max()


def test_equal_shares_in_the_table(model, images):
    table = table_of(model, images, mask_rules=["keep_10", "keep_30", "keep_50"], baselines=["blur"])
    shares = table[table["method"] != "blank"].groupby("mask_rule")["masked"].agg(["min", "max"])
    for mask_rule, share in masking.KEPT_SHARES.items():
        assert shares.loc[mask_rule].tolist() == pytest.approx([1 - share] * 2, abs=0.01)


def test_unknown_rules():
    for kept_sign, mask_rule in [("both", "by_sign"), ("positive", "equal")]:
        with pytest.raises(ValueError, match="kept_sign must be one of.*mask_rule one of"):
            masked_pixels(MAPS, kept_sign, mask_rule)


# --- what takes their place ---------------------------------------------------------------------


def test_baselines(model, images):
    assert not baseline("black", model, images).any()
    normalised = model.normalise(baseline("zeros", model, images))
    torch.testing.assert_close(normalised, torch.zeros_like(images))
    torch.testing.assert_close(baseline("mean", model, images)[1, 2], images[1, 2].mean().expand(32, 32))
    assert not baseline(
        "zeros", model.network, images
    ).any()  # without a normalisation inside the two zeros agree
    for name in masking.BASELINES:
        assert baseline(name, model, images).shape == images.shape
    with pytest.raises(ValueError, match="unknown baseline 'noise'; choose one of blur"):
        baseline("noise", model, images)


def test_blur_is_gaussian_with_sigma_15_at_a_width_of_224():
    point = torch.zeros(1, 1, 224, 224)
    point[0, 0, 112, 112] = 1
    blurred = baseline("blur", nn.Identity(), point)[0, 0]
    profile = blurred[112] / blurred[112, 112]
    expected = torch.exp(-(torch.arange(-112, 112.0) ** 2) / (2 * 15**2))
    torch.testing.assert_close(profile[62:163], expected[62:163], rtol=1e-4, atol=1e-6)
    assert not profile[:62].any() and not profile[163:].any()  # 101 pixels wide
    torch.testing.assert_close(blurred.sum(), torch.tensor(1.0))


def test_blur_shrinks_with_the_image(images):
    small = baseline("blur", nn.Identity(), images)
    assert small.var() < images.var() / 20 and small.isfinite().all()


# --- the table -----------------------------------------------------------------------------------


def test_a_row_for_each_setting_and_a_blank_image(model, images):
    table = table_of(model, images)
    masks = 3 * 2 * 3 * 2 * 2  # methods, ranks, mask rules, kept signs, contrasts
    assert len(table) == 3 * 4 * (masks + 2) and not table.isna().any(axis=None)
    assert not table.duplicated(["image", *SETTING]).any()
    assert (table["relative_probability"].between(0, 1)).all() and table["masked"].between(0, 1).all()
    assert (table.loc[table["method"] == "blank", "masked"] == 1).all()


def test_the_two_ranks_add_up_to_1_before_masking_and_when_blank(model, images):
    table = table_of(model, images)
    before = table.pivot_table(
        index=["image", *SETTING[1:]], columns="rank", values="relative_probability_before"
    )
    np.testing.assert_allclose(before[1] + before[2], 1)
    assert (before[1] >= before[2]).all()
    blank = table[table["method"] == "blank"]
    blank = blank.pivot_table(index=["image", "baseline"], columns="rank", values="relative_probability")
    np.testing.assert_allclose(blank[1] + blank[2], 1)


def test_before_masking_it_is_the_share_of_the_class_among_the_two(model, images):
    logits = model(images).detach()
    p = logits.softmax(dim=1).topk(2, dim=1).values.numpy()
    table = table_of(model, images)
    np.testing.assert_allclose(table["p_1"], p[table["image"], 0])
    np.testing.assert_allclose(table["p_2"], p[table["image"], 1])
    share = p[table["image"], table["rank"] - 1] / p[table["image"]].sum(axis=1)
    np.testing.assert_allclose(table["relative_probability_before"], share)


def test_every_value_is_that_of_the_masked_image(model, images):
    """The table again, one masked image after the other, from explain() and plain indexing."""
    options = {
        "methods": ["gradcam"],
        "contrasts": ["weighted"],
        "mask_rules": ["by_sign"],
        "align_corners": False,
    }
    table = table_of(model, images, **options).set_index(["image", *SETTING])
    classes = model(images).topk(2, dim=1).indices
    for rank in (0, 1):
        maps = explain(model, images, classes[:, rank], "gradcam", "weighted")
        for name in masking.BASELINES:
            fill = baseline(name, model, images)
            for kept, gone in (("positive", maps < 0), ("negative", maps > 0)):
                logits = model(torch.where(gone[:, None], fill, images)).detach()
                for i in range(3):
                    pair = logits[i, classes[i]].exp()
                    row = table.loc[(i, rank + 1, "gradcam", "weighted", name, "by_sign", kept)]
                    assert row["relative_probability"] == pytest.approx(
                        (pair[rank] / pair.sum()).item(), rel=1e-9
                    )
                    assert row["masked"] == pytest.approx(gone[i].double().mean().item())


def positive_network():
    """Its activations and the slopes of both classes are positive everywhere."""
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 4, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)
    ).double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.abs_()
    network.layer = "0"
    return network


def test_a_map_that_is_positive_everywhere(images):
    table = table_of(positive_network(), images, contrasts=["original"], mask_rules=["by_sign"])
    maps = table[table["method"] != "blank"]
    keep = maps[maps["kept_sign"] == "positive"]
    assert (keep["masked"] == 0).all()
    # batches of another size may round otherwise
    np.testing.assert_allclose(keep["relative_probability"], keep["relative_probability_before"], rtol=1e-12)
    lose = maps[maps["kept_sign"] == "negative"]
    assert (lose["masked"] == 1).all()
    blank = table[table["method"] == "blank"].set_index(["image", "rank", "baseline"])["relative_probability"]
    expected = blank.loc[list(zip(lose["image"], lose["rank"], lose["baseline"]))]
    np.testing.assert_allclose(lose["relative_probability"], expected)


def test_equal_counts_are_equal_among_the_contrasts(model, images):
    table = table_of(model, images, baselines=["black"], mask_rules=["equal_as_coded", "equal_as_described"])
    table = table[table["method"] != "blank"]
    assert (
        table.groupby(["image", "rank", "method", "mask_rule", "kept_sign"])["masked"].nunique() == 1
    ).all()


def test_batches_are_their_images(model, images):
    options = {"baselines": ["blur", "mean"], "mask_rules": ["by_sign"]}
    whole = table_of(model, images, **options).set_index(["image", *SETTING]).sort_index()
    for i in range(3):
        alone = table_of(model, images[i : i + 1], **options, batch=5).assign(image=i)
        alone = alone.set_index(["image", *SETTING]).sort_index()
        np.testing.assert_allclose(alone, whole.loc[[i]][alone.columns], rtol=1e-9)


def test_the_threshold_divides_the_images(model, images):
    images = torch.cat([images, images.flip(-1), images.flip(-2)])
    second = model(images).softmax(dim=1).topk(2, dim=1).values[:, 1]
    threshold = second.median().item()
    options = {"baselines": ["black"], "mask_rules": ["by_sign"], "threshold": threshold}
    above, below = (set(table_of(model, images, **options, above=side)["image"]) for side in (True, False))
    assert above == set((second > threshold).nonzero().flatten().tolist()) and below == set(range(9)) - above
    none = table_of(model, images, threshold=1.0)
    assert none.empty and set(none.columns) == set(masking.COLUMNS)


def test_one_forward_pass_for_the_maps_and_one_for_each_masked_image(model, images, monkeypatch):
    backward, passes = torch.autograd.grad, []
    monkeypatch.setattr(torch.autograd, "grad", lambda *a, **k: passes.append(1) or backward(*a, **k))
    table = table_of(model, images, batch=32)
    assert model.images == 3 + len(table)
    assert model.passes == 1 + 3 * 4 * -(-(3 * 2 * 3 * 2 * 2 + 2) // 32)
    assert len(passes) == 1


def test_layers_and_corners_are_parameters(model, images):
    options = {"baselines": ["black"], "mask_rules": ["by_sign"]}
    default = table_of(model, images, **options)
    assert table_of(model, images, layer="network.0", align_corners=True, **options).equals(default)
    other = model.network.layers[-1]
    assert not table_of(model, images, layer=f"network.{other}", **options).equals(default)
    assert not table_of(model, images, align_corners=False, **options).equals(default)


def test_the_true_class_may_come_first(model, images):
    """Where it is the predicted one nothing changes; where it is the second, the ranks change places."""
    options = {"baselines": ["mean"], "mask_rules": ["by_sign"], "methods": ["gradcam"]}
    top, second = model(images).topk(2).indices.T
    predicted = table_of(model, images, **options)
    assert table_of(model, images, labels=top, first="label", **options).equals(predicted)
    swapped = table_of(model, images, labels=second, first="label", **options)
    keys = ["image", *SETTING]
    turned = swapped.assign(rank=3 - swapped["rank"]).sort_values(keys, ignore_index=True)
    pd.testing.assert_frame_equal(turned, predicted.sort_values(keys, ignore_index=True))


def test_the_rival_of_a_class_that_is_not_among_the_top_two_is_the_predicted_one(model, images):
    last = model(images).argmin(dim=1)
    table = table_of(model, images, labels=last, first="label", baselines=["black"], mask_rules=["by_sign"])
    logits = model(images)
    pair = logits.gather(1, torch.stack([last, logits.argmax(dim=1)], dim=1)).softmax(dim=1).detach()
    before = table.drop_duplicates(["image", "rank"]).set_index(["image", "rank"])[
        "relative_probability_before"
    ]
    for (image, rank), value in before.items():
        assert value == pytest.approx(pair[image, rank - 1].item(), abs=1e-6)


def test_labels_that_are_missing_or_no_class(model, images):
    with pytest.raises(ValueError, match='"label" needs labels'):
        table_of(model, images, first="label")
    with pytest.raises(IndexError, match="target 99"):
        table_of(model, images, labels=torch.full((len(images),), 99), first="label")


def test_unknown_names(model, images):
    for options, says in [
        ({"first": "guessed"}, "first must be one of"),
        ({"baselines": ["grey"]}, "unknown baseline"),
        ({"mask_rules": ["none"]}, "mask_rule one of"),
        ({"contrasts": ["wtd"]}, "unknown contrast"),
        ({"layer": "network.O"}, "nearest names: network"),
    ]:
        with pytest.raises(ValueError, match=says):
            table_of(model, images, **options)


def small_network(seed):
    torch.manual_seed(seed)
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 3)
    )
    network.layer = "1"
    return network


def test_a_scoring_model_scores_what_another_network_masks():
    """The masks are the model's, the probabilities the scoring model's."""
    model, scoring_model = (small_network(seed) for seed in (0, 1))
    images = torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(5))
    options = {"methods": ["gradcam"], "baselines": ["black"], "mask_rules": ["by_sign"], "threshold": 0.0}
    own, scored = (
        relative_probabilities(model, images, scoring_model=m, **options) for m in (None, scoring_model)
    )
    keys = ["image", "method", "contrast", "rank", "mask_rule", "kept_sign", "baseline"]
    assert own[[*keys, "masked"]].equals(scored[[*keys, "masked"]])
    top = model(images).topk(2).indices
    pairs = scoring_model(images).gather(1, top).softmax(1).detach()
    for row in scored.itertuples():
        assert row.relative_probability_before == pytest.approx(
            pairs[row.image, row.rank - 1].item(), abs=1e-6
        )
    blank = scoring_model(torch.zeros_like(images)).gather(1, top).softmax(1).detach()
    for row in scored[scored["method"] == "blank"].itertuples():
        assert row.relative_probability == pytest.approx(blank[row.image, row.rank - 1].item(), abs=1e-6)
    assert not own["relative_probability"].equals(scored["relative_probability"])


def test_a_scoring_model_of_other_classes():
    scoring_model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 5))
    with pytest.raises(ValueError, match="scoring model gives 5 logits.*same classes"):
        relative_probabilities(
            small_network(0), torch.rand(2, 3, 16, 16), threshold=0.0, scoring_model=scoring_model
        )


def test_advantages_turn_the_interval_where_a_lower_value_is_claimed():
    draws = np.random.default_rng(0)
    rows = [
        {"image": i, "group": i, "kept_sign": kept, "contrast": contrast, "relative_probability": value}
        for i in range(20)
        for kept in masking.KEPT_SIGNS
        for contrast, value in (("original", 0.5), ("weighted", 0.6 + 0.1 * draws.random()))
    ]
    found = masking_effects.advantages(pd.DataFrame(rows), ["kept_sign"], resamples=200).set_index(
        "kept_sign"
    )
    plain = statistics.paired_differences(
        pd.DataFrame(rows), "relative_probability", ["kept_sign"], resamples=200
    ).set_index("kept_sign")
    assert (
        0.1
        < found.loc["positive", "low"]
        < found.loc["positive", "mean"]
        < found.loc["positive", "high"]
        < 0.2
    )
    assert (
        -0.2
        < found.loc["negative", "low"]
        < found.loc["negative", "mean"]
        < found.loc["negative", "high"]
        < -0.1
    )
    assert found.loc["negative", "low"] == -plain.loc["negative", "high"]
