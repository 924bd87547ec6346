"""Maps in numbers, and what float32 loses."""

import numpy as np
import torch

from contrastlib import explain
from contrastlib.evaluation.similarity import describe


def test_similarity_and_negative_share_are_those_of_the_maps(network, images):
    network.layer = network.layers[0]
    table = describe(network, images).set_index(["method", "contrast", "image"]).sort_index()
    assert len(table) == 3 * 4 * 3
    classes = network(images).topk(2, dim=1).indices
    for method in ("gradcam", "linear_approximation", "xgradcam"):
        for contrast in ("original", "weighted"):
            one, two = (
                explain(network, images, t, method, contrast, upsample=False).flatten(1) for t in classes.T
            )
            rows = table.loc[(method, contrast)]
            np.testing.assert_allclose(rows["similarity"], torch.cosine_similarity(one, two), rtol=1e-9)
            np.testing.assert_allclose(rows["negative"], (one < 0).double().mean(dim=1))


def test_maps_of_the_top_two_are_opposite_under_maximum(network, images):
    table = describe(network, images, contrasts=["maximum"])
    np.testing.assert_allclose(table["similarity"], -1)


def test_probabilities_and_layers(network, images):
    table = describe(network, images, layers=network.layers)
    assert list(table["layer"].unique()) == network.layers
    p = network(images).softmax(dim=1).topk(3, dim=1).values.detach().numpy()
    for rank in range(3):
        np.testing.assert_allclose(table[f"p_{rank + 1}"], p[table["image"], rank])
    np.testing.assert_allclose(table["log_odds"], np.log(table["p_1"] / (1 - table["p_1"])))
