"""Energy of maps in regions, against maps whose energy is known."""

import numpy as np
import pytest
import torch

from contrastlib import explain
from contrastlib.evaluation.energy import energy_in, energy_in_regions


def test_energy_of_known_maps():
    region = torch.tensor([[True, False], [False, True]])
    maps = torch.tensor(
        [[[1.0, 1], [1, 1]], [[2, 0], [0, -2]], [[0, -5], [5, 0]], [[-1, 0], [3, 0]], [[0, 0], [0, 0]]]
    )
    np.testing.assert_array_equal(energy_in(maps, region), [0.5, 1, 0, 0.25, np.nan])


def test_energy_in_regions_is_that_of_the_maps_of_the_predicted_class(network, images):
    regions = torch.zeros(len(images), *images.shape[-2:], dtype=torch.bool)
    regions[:, :10, 5:25] = True
    regions[1, 20:] = True
    network.layer = network.layers[0]
    table = (
        energy_in_regions(network, images, regions).set_index(["method", "contrast", "image"]).sort_index()
    )
    assert len(table) == 3 * 2 * len(images)
    probabilities, classes = network(images).softmax(dim=1).sort(dim=1, descending=True)
    for method, contrast in (("gradcam", "original"), ("xgradcam", "weighted")):
        rows = table.loc[(method, contrast)]
        maps = explain(network, images, classes[:, 0], method, contrast)
        np.testing.assert_allclose(rows["energy"], energy_in(maps, regions), rtol=1e-6)
        np.testing.assert_allclose(rows["area"], regions.double().mean(dim=(1, 2)))
        np.testing.assert_allclose(rows[["p_1", "p_2"]], probabilities[:, :2].detach())


@pytest.mark.parametrize("regions", [torch.ones(3, 8, 8), torch.zeros(3, 32, 32)], ids=["size", "empty"])
def test_regions_that_do_not_fit(make_network, regions):
    with pytest.raises(ValueError, match="none empty"):
        energy_in_regions(make_network(), make_network.images(), regions > 0)
