"""Methods that give one and the same measurement."""

import numpy as np
import pandas as pd
import pytest

from contrastlib.evaluation.statistics import distinct_methods
from contrastlib.report import studies

ALL = ["gradcam", "linear_approximation", "xgradcam"]


@pytest.fixture
def methods():
    """Three methods on 50 images: one measurement in the network "pooled", three in "plain"."""
    rng = np.random.default_rng(0)
    parts = []
    for network, spread in (("pooled", 1e-6), ("plain", 0.01)):
        common = rng.random(50)
        for method in ("gradcam", "linear_approximation", "xgradcam"):
            values = common + spread * rng.normal(size=50)
            parts.append(
                pd.DataFrame({"network": network, "method": method, "image": range(50), "v": values})
            )
    return pd.concat(parts, ignore_index=True)


def names(distinct):
    return {network: part["method"].tolist() for network, part in distinct.groupby("network")}


def test_a_repeated_measurement_counts_once(methods):
    shuffled = methods.sample(frac=1, random_state=0)
    assert names(distinct_methods(shuffled, "v", ["image"])) == {"plain": ALL, "pooled": ALL[:1]}
    differences = methods.groupby(["network", "method"], as_index=False)["v"].mean()
    assert len(differences.merge(distinct_methods(methods, "v", ["image"]))) == 4


def test_methods_are_compared_row_by_row_at_any_scale(methods):
    """Equal means are no repetition; neither are values a thousandth in size."""
    reversed_images = methods["image"].where(methods["method"] != "gradcam", 49 - methods["image"])
    assert len(distinct_methods(methods.assign(image=reversed_images), "v", ["image"])) == 5
    assert len(distinct_methods(methods.assign(v=methods["v"] / 1000), "v", ["image"])) == 4


def test_a_row_that_one_method_lacks_makes_it_differ(methods):
    lacking = methods.drop(index=methods[methods["network"] == "pooled"].index[0])
    assert names(distinct_methods(lacking, "v", ["image"]))["pooled"] == ALL[:2]


def test_a_method_that_one_network_lacks(methods):
    fewer = methods[(methods["network"] == "pooled") | (methods["method"] == "xgradcam")]
    assert names(distinct_methods(fewer, "v", ["image"])) == {"plain": ALL[2:], "pooled": ALL[:1]}


def test_one_row_twice(methods):
    with pytest.raises(ValueError, match="duplicate"):
        distinct_methods(pd.concat([methods, methods[:1]]), "v", ["image"])


@pytest.mark.parametrize(
    "study, value, by",
    [
        (studies.map_statistics, "similarity", ["layer", "contrast", "image"]),
        (
            studies.masking_table,
            "relative_probability",
            ["rank", "baseline", "kept_sign", "mask_rule", "contrast", "image"],
        ),
    ],
    ids=["maps", "masking"],
)
def test_recorded_results_before_pooling(study, value, by):
    """One map where pooling follows the layer, three elsewhere; the tolerance is far from either."""
    table = studies.recorded(study)
    table = table[table["method"] != "blank"]
    if "layer" in table:
        table = table[table["layer"] == table.groupby("network")["layer"].transform("last")]
    for tolerance in (1e-4, 3e-4, 1e-3):
        for network, own in names(distinct_methods(table, value, by, tolerance)).items():
            assert own == (ALL if network.startswith("squeezenet") else ALL[:1]), network
