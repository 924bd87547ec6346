"""Intervals that cover, stay paired, and respect the unit of resampling."""

import numpy as np
import pandas as pd
import pytest

from contrastlib.evaluation.statistics import bootstrap, interval, means, paired_differences


def widths(samples, groups):
    low, high = interval(samples, groups)
    return high - low


def coverage(images, groups=None, truth=0.0):
    """Share of data sets (columns) whose interval holds the truth; draws differ from part to part."""
    held = []
    for seed, part in enumerate(np.array_split(images, 10, axis=1)):
        samples = bootstrap(part, groups, resamples=1000, seed=seed)
        low, high = interval(samples, len(images) if groups is None else len(set(groups)))
        held.append((low <= truth) & (truth <= high))
    return np.concatenate(held).mean()


# --- the bootstrap --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "draw",
    [
        lambda rng, shape: rng.normal(size=shape),
        lambda rng, shape: rng.exponential(size=shape) - 1,
        lambda rng, shape: (rng.random(shape) < 0.3) - 0.3,
    ],
)
@pytest.mark.parametrize("images", [16, 100])
def test_intervals_cover_the_truth(draw, images):
    skewed = images < 30 and draw(np.random.default_rng(1), (10_000,)).min() > -1.001  # no interval is exact
    assert (0.89 if skewed else 0.93) < coverage(draw(np.random.default_rng(0), (images, 1000))) < 0.97


def test_percentiles_of_few_images_would_not_cover():
    """Why they are expanded: 10 images of a normal distribution."""
    values, held = np.random.default_rng(0).normal(size=(10, 1000)), []
    for column in values.T:
        low, high = np.percentile(bootstrap(column, resamples=1000), [2.5, 97.5])
        held.append(low <= 0 <= high)
    assert np.mean(held) < 0.92 and 0.93 < coverage(values) < 0.97


def test_samples_in_which_a_quantity_is_not_defined_do_not_count():
    samples = np.array([[np.nan, np.nan], [0.0, np.nan], [1.0, np.nan]])
    low, high = interval(samples, 1000)
    assert 0 <= low[0] < 0.1 and 0.9 < high[0] <= 1 and np.isnan([low[1], high[1]]).all()


def photographs(crops=5, photos=60, sets=500, noise=0.1):
    """Crops of a photograph are nearly alike: (N, sets) values and the (N,) photographs."""
    rng = np.random.default_rng(0)
    values = np.repeat(rng.normal(size=(photos, sets)), crops, axis=0)
    return values + noise * rng.normal(size=values.shape), np.repeat(np.arange(photos), crops)


def test_intervals_of_crops_cover_only_when_photographs_are_resampled():
    values, groups = photographs()
    assert 0.91 < coverage(values, groups) < 0.97
    assert coverage(values) < 0.75


def test_crops_do_not_shrink_the_interval():
    values, groups = photographs(noise=0.0)
    one_crop = widths(bootstrap(values[::5, :20]), 60)
    np.testing.assert_allclose(widths(bootstrap(values[:, :20], groups), 60), one_crop)
    np.testing.assert_allclose(one_crop / widths(bootstrap(values[:, :20]), 300), np.sqrt(5), rtol=0.15)


def test_groups_of_different_sizes_are_drawn_whole():
    values, groups = np.array([0.0, 0.0, 0.0, 1.0]), np.array([7, 7, 7, 3])
    drawn = set(np.round(bootstrap(values, groups, resamples=200).ravel(), 10))
    assert drawn == {0.0, 0.25, 1.0}  # the large group twice, each once, the small one twice


def test_the_spread_is_that_of_the_mean():
    values = np.random.default_rng(1).normal(size=400)
    samples = bootstrap(values, resamples=4000)
    assert samples.std() == pytest.approx(values.std() / np.sqrt(400), rel=0.05)
    assert samples.mean() == pytest.approx(values.mean(), abs=0.005)


def test_columns_share_their_draws():
    values = np.random.default_rng(1).normal(size=(50, 1))
    samples = bootstrap(np.hstack([values, values + 1, 2 * values]))
    np.testing.assert_allclose(samples[:, 1], samples[:, 0] + 1)
    np.testing.assert_allclose(samples[:, 2], 2 * samples[:, 0], atol=1e-12)


def test_the_order_of_images_does_not_matter_when_groups_are_named():
    values, groups = np.random.default_rng(1).normal(size=30), np.repeat(np.arange(10), 3)
    order = np.random.default_rng(2).permutation(30)
    np.testing.assert_allclose(bootstrap(values, groups), bootstrap(values[order], groups[order]))


def test_a_seed_gives_the_same_draws():
    values = np.random.default_rng(1).normal(size=30)
    assert np.array_equal(bootstrap(values, seed=3), bootstrap(values, seed=3))
    assert not np.array_equal(bootstrap(values, seed=3), bootstrap(values, seed=4))


@pytest.mark.parametrize(
    "values, groups, says",
    [
        ([1.0, np.nan], None, "no NaN"),
        ([], None, "at least one value"),
        ([1.0, 2.0], [0], "2 values but 1 groups"),
    ],
)
def test_bad_values(values, groups, says):
    with pytest.raises(ValueError, match=says):
        bootstrap(np.array(values), groups)


def test_levels():
    samples = np.random.default_rng(0).normal(size=(100_000, 1))
    np.testing.assert_allclose(interval(samples, 100_000, 0.95).ravel(), [-1.96, 1.96], atol=0.03)
    np.testing.assert_allclose(interval(samples, 100_000, 0.5).ravel(), [-0.674, 0.674], atol=0.02)


# --- tables -------------------------------------------------------------------------------------------


@pytest.fixture
def table():
    """Two contrasts on the same 80 images (40 photographs): an image's difficulty enters both."""
    rng = np.random.default_rng(0)
    rows = []
    for n, gain in ((1, 0.2), (10, -0.2)):
        difficulty = np.repeat(rng.normal(size=40), 2)
        for contrast, shift in (("original", 0.0), ("weighted", gain)):
            values = difficulty + shift + 0.05 * rng.normal(size=80)
            rows.append(
                pd.DataFrame(
                    {
                        "image": range(80),
                        "group": np.repeat(range(40), 2),
                        "n": n,
                        "contrast": contrast,
                        "v": values,
                    }
                )
            )
    return pd.concat(rows, ignore_index=True)


def test_means_of_each_setting(table):
    result = means(table, "v", ["n", "contrast"]).set_index(["n", "contrast"])
    expected = table.groupby(["n", "contrast"])["v"].mean()
    np.testing.assert_allclose(result["mean"], expected.loc[result.index])
    assert (result["low"] < result["mean"]).all() and (result["mean"] < result["high"]).all()
    assert (result["images"] == 80).all() and (result["groups"] == 40).all()


def test_paired_differences_are_differences_of_means_with_a_narrower_interval(table):
    paired = paired_differences(table, "v", ["n"]).set_index("n")
    unpaired = means(table, "v", ["n", "contrast"]).set_index(["n", "contrast"])
    for n in (1, 10):
        first, second = unpaired.loc[(n, "weighted")], unpaired.loc[(n, "original")]
        assert paired.loc[n, "mean"] == pytest.approx(first["mean"] - second["mean"])
        as_if_independent = np.hypot(first["high"] - first["low"], second["high"] - second["low"])
        assert paired.loc[n, "high"] - paired.loc[n, "low"] < 0.1 * as_if_independent
    assert paired.loc[1, "low"] > 0 > paired.loc[10, "high"]


def test_either_contrast_can_come_first(table):
    there = paired_differences(table, "v", ["n"])
    back = paired_differences(table, "v", ["n"], first="original", second="weighted")
    np.testing.assert_allclose(there[["low", "mean", "high"]], -back[["high", "mean", "low"]])


def test_truth_values_are_averaged(table):
    table["correct"] = table["v"] > 0
    assert means(table, "correct", ["n"] + ["contrast"])["mean"].between(0, 1).all()
    assert paired_differences(table, "correct", ["n"])["mean"].iloc[0] > 0


def test_the_order_of_rows_does_not_matter(table):
    shuffled = table.sample(frac=1, random_state=0)
    one = paired_differences(table, "v", ["n"]).set_index("n").sort_index()
    two = paired_differences(shuffled, "v", ["n"]).set_index("n").sort_index()
    pd.testing.assert_frame_equal(one, two)


def test_settings_on_different_images(table):
    fewer = table[(table["n"] == 1) | (table["image"] < 20)]
    result = paired_differences(fewer, "v", ["n"]).set_index("n")
    assert result["images"].to_dict() == {1: 80, 10: 20} and result["groups"].to_dict() == {1: 40, 10: 10}
    alone = paired_differences(table[(table["n"] == 10) & (table["image"] < 20)], "v", ["n"])
    columns = ["mean", "low", "high"]
    np.testing.assert_allclose(result.loc[10, columns].astype(float), alone[columns].iloc[0])


def test_a_missing_partner(table):
    with pytest.raises(ValueError, match="have 'weighted' but not 'original'"):
        paired_differences(table.drop(index=3), "v", ["n"])
    with pytest.raises(ValueError, match="nothing to pair"):
        paired_differences(table[table["contrast"] == "weighted"], "v", ["n"])
    with pytest.raises(ValueError, match="nothing to pair"):
        paired_differences(table, "v", ["n"], first="mean")


def test_an_image_twice(table):
    with pytest.raises(ValueError, match="duplicate"):
        paired_differences(pd.concat([table, table[:1]]), "v", ["n"])


def test_nan_in_a_table(table):
    table.loc[5, "v"] = np.nan
    with pytest.raises(ValueError, match="NaN in 1 rows"):
        means(table, "v", ["n", "contrast"])
    with pytest.raises(ValueError, match="NaN in 1 rows"):
        paired_differences(table, "v", ["n"])
