"""FullGrad in numbers: completeness seen from outside, and the sign that each post-processing leaves."""

import numpy as np
import pytest
import torch

from contrastlib import contrasts
from contrastlib.evaluation import fullgrad
from contrastlib.explainers.fullgrad import fullgrad as explain


@pytest.fixture
def table(network, images):
    return fullgrad.describe(network, images)


def test_only_the_whole_sum_is_complete(table):
    sums = table.set_index(["variant", "contrast"])
    np.testing.assert_allclose(sums.loc["identity", "sum"], sums.loc["identity", "score"], atol=1e-10)
    assert not np.allclose(sums.loc["input only", "sum"], sums.loc["input only", "score"], atol=1e-3)


def test_scores_and_maps_written_plainly(network, images, table):
    logits = network(images).detach()
    first, second = logits.topk(2).indices.T
    for contrast in ("original", "weighted"):
        w = contrasts.CONTRASTS[contrast].function(logits, first)
        rows = table[(table["variant"] == "identity") & (table["contrast"] == contrast)].set_index("image")
        np.testing.assert_allclose(rows["score"], (w * logits).sum(1), atol=1e-10)
        maps = [
            explain(
                network, images, lambda y, t=t, c=contrast: contrasts.CONTRASTS[c].function(y, t)
            ).map.flatten(1)
            for t in (first, second)
        ]
        np.testing.assert_allclose(rows["similarity"], torch.cosine_similarity(*maps), atol=1e-10)
        np.testing.assert_allclose(rows["negative"], (maps[0] < 0).double().mean(1), atol=1e-10)


def test_rescaling_leaves_no_sign(table):
    share = table.groupby("variant")["negative"].max()
    assert (share[["positive", "rescaled", "absolute"]] == 0).all() and share["identity"] > 0


def test_complete_for_every_contrast(network, images):
    """In float64, for all contrasts of the library; a network whose bias is forgotten is noticed."""
    gaps = fullgrad.completeness(network, images)
    assert set(gaps["contrast"]) == {
        name for name, each in contrasts.CONTRASTS.items() if each.is_of_one_class
    }
    assert gaps["gap"].max() < 1e-14
    assert fullgrad.gaps(gaps.assign(network="n"))["mean"].max() == gaps["gap"].max()


def test_rescaled_maps_of_opposite_cotangents_add_up_to_the_number_of_channels(network, images):
    pair = fullgrad.rescaled_pair(network, images)
    assert pair["channels N"] == pytest.approx(round(pair["channels N"]), abs=1e-9)
    assert pair["largest deviation of φ(w) + φ(−w) from N"] < 1e-9
    assert 0 < pair["mean of φ(w) / N"] < 1


def test_signs_of_a_table(table):
    """Means over images, and one sign only where no pixel has the other."""
    found = fullgrad.signs(table.assign(network="n")).set_index(["variant", "contrast"])
    whole = table[(table["variant"] == "identity") & (table["contrast"] == "original")]
    assert found.loc[("identity", "original"), "negative"] == pytest.approx(whole["negative"].mean())
    assert found.loc[("rescaled", "original"), "one_signed"] == 1
    assert found.loc[("identity", "original"), "one_signed"] < 1
    assert (fullgrad.one_sign_by_rescaling(table.assign(network="n"))["mean"] == 1).all()
    measure = fullgrad.sign_measure(table.assign(network="n"), "gap").set_index(["variant", "contrast"])[
        "mean"
    ]
    assert measure["identity", "original"] < 1e-9 < measure["input only", "original"]
