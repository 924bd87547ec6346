"""Intervals of networks and of families cover, stay paired, and err on the wide side."""

import numpy as np
import pandas as pd
import pytest

from contrastlib.evaluation.statistics import means, paired_differences
from contrastlib.report.claims.estimates import Estimate, of_networks, over_families


def images(rng, cells, count=60, shared=1.0, noise=0.5, network="a"):
    """Cells of a network on the same images: part of the deviation of an image is the same in all cells."""
    own = shared * rng.normal(size=(count, 1)) + noise * rng.normal(size=(count, cells))
    return pd.DataFrame(
        [
            {"network": network, "cell": cell, "image": image, "group": image, "v": own[image, cell]}
            for image in range(count)
            for cell in range(cells)
        ]
    )


def covers(each, truth=0.0):
    return each.low <= truth <= each.high


@pytest.mark.parametrize("shared, noise", [(1.0, 0.0), (0.0, 1.0), (1.0, 0.5)])
def test_intervals_of_networks_cover(shared, noise):
    """Whether the cells of an image are alike, independent, or in between."""
    rng, count = np.random.default_rng(0), 100
    values = shared * rng.normal(size=(count, 1, 300)) + noise * rng.normal(size=(count, 3, 300))
    index = pd.MultiIndex.from_product(
        [range(count), range(3), range(300)], names=["image", "cell", "network"]
    )
    table = pd.DataFrame({"v": values.ravel()}, index).reset_index()
    found = of_networks(means(table.assign(group=table["image"]), "v", ["network", "cell"], samples=True))
    assert 0.91 <= np.mean([covers(each) for each in found.values()]) <= 0.98


def test_cells_of_the_same_images_are_paired():
    """Cells whose deviations cancel leave no spread; the average of their intervals would be wide."""
    table = images(np.random.default_rng(0), 2, noise=0.0)
    table.loc[table["cell"] == 1, "v"] *= -1
    cells = means(table, "v", ["network", "cell"], resamples=200, samples=True)
    paired, averaged = of_networks(cells)["a"], of_networks(cells.drop(columns=["samples", "draw"]))["a"]
    assert abs(paired.high - paired.low) < 1e-12 and averaged.high - averaged.low > 0.2


def test_cells_of_other_images_are_not():
    """Two halves of the images: their intervals are averaged."""
    table = images(np.random.default_rng(0), 2)
    halves = table[(table["cell"] == 0) == (table["image"] < 30)]
    cells = means(halves, "v", ["network", "cell"], resamples=200, samples=True)
    assert cells["draw"].nunique() == 2
    found = of_networks(cells)["a"]
    assert (found.low, found.high) == pytest.approx((cells["low"].mean(), cells["high"].mean()))


def test_one_cell_keeps_its_interval():
    cells = paired_differences(
        images(np.random.default_rng(0), 2), "v", ["network"], "cell", 0, 1, resamples=200, samples=True
    )
    found = of_networks(cells)["a"]
    assert (found.mean, *found.ends) == pytest.approx(tuple(cells[["mean", "low", "high"]].iloc[0]))


@pytest.mark.parametrize("ends", [{}, {"low": [0.1, 0.3], "high": [0.1, 0.3]}])
def test_the_worst_cell_counts_without_intervals(ends):
    """Also where all intervals are points, as of a quantity that is the same in all images."""
    cells = pd.DataFrame({"network": "a", "mean": [0.1, 0.3], **ends})
    assert of_networks(cells, min)["a"] == Estimate(0.1) and of_networks(cells, max)["a"] == Estimate(0.3)


def test_a_network_without_a_value():
    cells = pd.DataFrame(
        {"network": ["a", "b"], "mean": [1.0, np.nan], "low": [0.5, np.nan], "high": [1.5, np.nan]}
    )
    assert of_networks(cells) == {"a": Estimate(1.0, 0.5, 1.5), "b": None}


# --- over families --------------------------------------------------------------------------------


def drawn(rng, families, between, error, common=0.0):
    """Estimates of one network per family, with true errors; ``common`` is that of shared photographs."""
    values = between * rng.normal(size=families) + error * rng.normal(size=families) + common * rng.normal()
    half = 1.96 * np.hypot(error, common)
    return {str(i): Estimate(v, v - half, v + half) for i, v in enumerate(values)}


@pytest.mark.parametrize("families, between, error, common", [
    (3, 0.0, 1.0, 0.0), (3, 1.0, 1.0, 0.0),
    (5, 1.0, 0.1, 0.0), (5, 0.3, 1.0, 0.0), (5, 0.0, 0.1, 1.0), (5, 2.0, 0.3, 1.0),
])  # fmt: skip
def test_intervals_over_families_cover(families, between, error, common):
    """With and without variance between families, and where all networks see the same photographs."""
    rng = np.random.default_rng(0)
    found = [
        covers(over_families(drawn(rng, families, between, error, common), family=str)) for _ in range(400)
    ]
    assert np.mean(found) >= 0.92


def test_networks_of_one_family_count_as_one():
    """Ten ResNets that agree say no more of other architectures than one."""
    one = {"r": Estimate(1.0, 0.8, 1.2), "v": Estimate(0.0, -0.2, 0.2)}
    ten = {f"r{i}": Estimate(1.0, 0.8, 1.2) for i in range(10)} | {"v": Estimate(0.0, -0.2, 0.2)}
    few, many = (
        over_families(one, family=lambda name: name[0]),
        over_families(ten, family=lambda name: name[0]),
    )
    assert (
        (few.mean, *few.ends) == pytest.approx((many.mean, *many.ends)) and many.families == 2 and few.low < 0
    )


def test_it_is_never_narrower_than_shared_photographs_allow():
    alike = {str(i): Estimate(1.0, 0.5, 1.5) for i in range(8)}
    assert over_families(alike, family=str) == Estimate(1.0, 0.5, 1.5, 8)


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e6])
def test_the_unit_does_not_matter(scale):
    rng = np.random.default_rng(1)
    ones = drawn(rng, 4, 1.0, 0.5)
    scaled = {name: Estimate(e.mean * scale, e.low * scale, e.high * scale) for name, e in ones.items()}
    small, large = over_families(ones, family=str), over_families(scaled, family=str)
    np.testing.assert_allclose(
        np.array([small.mean, *small.ends]) * scale, [large.mean, *large.ends], rtol=1e-6
    )


def test_points_are_summarised():
    """Estimates without spread: equal ones give a point, others are as far apart as they are."""
    assert over_families({"a": Estimate(0.0), "b": Estimate(0.0)}, family=str).ends == (0.0, 0.0)
    found = over_families({"a": Estimate(0.0), "b": Estimate(1.0), "c": Estimate(2.0)}, family=str)
    assert found.mean == pytest.approx(1.0) and found.high - 1 == pytest.approx(4.303 / np.sqrt(3), rel=1e-3)


def test_p_values_agree_with_intervals():
    for families in (1, 2, 5):
        each = Estimate(1.0, 0.25, 3.0, families)
        assert each.p(0.25) == pytest.approx(0.05) and each.p(3.0) == pytest.approx(0.05)
        assert each.p(0.2) < 0.05 < each.p(0.3) and each.p(1.0) == 1.0


def test_few_photographs_have_the_tails_of_a_t_distribution():
    """Without them, p would be far too small beyond the interval, where Holm's correction looks."""
    few, many = Estimate(1.0, 0.0, 2.0, groups=10), Estimate(1.0, 0.0, 2.0, groups=100_000)
    assert few.p(0.0) == pytest.approx(0.05) and few.p(-1.0) > 10 * many.p(-1.0)
    assert many.p(-1.0) == pytest.approx(Estimate(1.0, 0.0, 2.0).p(-1.0), rel=1e-3)
    summary = over_families({"a": few, "b": many}, family=lambda name: "one")
    assert summary.groups == 10


def test_the_level_is_kept_by_few_photographs():
    """Nine true hypotheses on a page, 10 photographs, Holm's correction."""
    rng, wrong = np.random.default_rng(0), 0
    for _ in range(200):
        table = pd.DataFrame(rng.normal(size=(10, 9))).melt(ignore_index=False, var_name="claim")
        table = table.rename_axis("image").reset_index().assign(group=lambda t: t["image"], network="n")
        found = means(table, "value", ["network", "claim"], resamples=500)
        ps = [of_networks(part.dropna(axis=1))["n"].p(0.0) for _, part in found.groupby("claim")]
        wrong += min(ps) < 0.05 / 9
    assert wrong / 200 < 0.1
