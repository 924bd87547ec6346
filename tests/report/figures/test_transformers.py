"""Tables and figures of the page on Transformers, on tables and images whose answer is known."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch

from contrastlib import models
from contrastlib.evaluation.transformers import ROLLOUTS, energy_on_regions
from contrastlib.report.computing import batches
from contrastlib.report.figures import transformers
from contrastlib.report.studies.dataset_evaluations import transformer_energy_on_birds

BLOCKS = {"block 0": 0.2, "block 1": 0.4, "after block 0": 0.3}


def measured():
    """Two images, one with p_2 above 0.1; each map and contrast has one value, the other image twice that."""
    values = (
        BLOCKS
        | {name: 0.6 for name in ROLLOUTS}
        | {"attention x gradient": 0.5, "rollout without gradients": 0.1}
    )
    contrasts = {
        name: ["original", "weighted", *(["probability"] if name in ROLLOUTS else [])] for name in values
    }
    contrasts["rollout without gradients"] = ["none"]
    rows = [
        {
            "network": "birds_vit",
            "image": i,
            "group": i,
            "p_2": (0.2, 0.05)[i],
            "map": name,
            "contrast": contrast,
        }
        | {
            column: (1 + i) * value * (0.5 if contrast == "probability" else 1)
            for column in ("coherence", "to_original", "to_repaired", "similarity", "negative")
        }
        for i in (0, 1)
        for name, value in values.items()
        for contrast in contrasts[name]
    ]
    return {"quick": pd.DataFrame(rows)}


def energies():
    values = BLOCKS | {"review": 0.5, "repaired": 0.6}
    return pd.DataFrame(
        [
            {"network": "birds_vit", "image": i, "group": i, "map": name, "energy": value, "area": 0.1}
            for i in (0, 1)
            for name, value in values.items()
        ]
    )


def test_numbers_are_ranges_of_blocks_and_means_of_the_rest():
    shown = transformers.numbers(measured(), 0.1).data.droplevel(["scale", "network"])
    assert shown.loc["GradCAM, tokens that enter", "coherence"] == "+0.20 to +0.40"
    assert shown.loc["GradCAM, output", "below 0"] == "30%"
    assert shown.loc["rollout as the review coded it", "to original"] == "+0.30"  # from the probability
    assert shown.loc["repaired rollout", "to original"] == "+0.60"
    assert transformers.counts(measured(), 0.1).startswith("Images with $p_2 > 0.1$ count: 1 of 2 (")


def test_what_the_contrast_changes():
    shown = transformers.change_table(measured(), 0.1).data.iloc[0]
    assert shown.to_dict() == pytest.approx(
        {"rollout from the log-odds": 0.6, "rollout from pₜ": 0.3, "GradCAM of t₁ and t₂, original": 0.4}
    )


def test_repairs_and_classes_less_alike():
    repairs = transformers.repairs_table(measured()).data.droplevel(["scale", "network"])
    assert list(repairs.index) == list(ROLLOUTS)
    assert repairs.loc["review", ("cosine with the repaired map", "probability")] == pytest.approx(
        0.45
    )  # all images count
    alike = transformers.less_alike_table(measured(), 0.1, 20).data.iloc[0]
    assert (
        alike["images"] == 1 and alike["original − weighted"].replace("\xa0", " ") == "+0.00 [+0.00, +0.00]"
    )


def test_energy_table():
    shown = transformers.energy_table({"quick": energies()}, 20).data.droplevel(["scale", "network"])
    assert shown.loc["GradCAM, output of block 0", "on the bird"] == pytest.approx(0.3)
    assert shown.loc["GradCAM, tokens that enter block 1", "rollout as coded minus it"].startswith("+10.0% [")
    assert pd.isna(shown.loc["repaired rollout", "rollout as coded minus it"])


def test_no_drawn_birds():
    assert transformers.energy_table({}, 20).data.startswith(
        "None of these networks was measured on drawn birds"
    )


def test_energy_on_birds_row_by_row():
    """The region of each image is its own bird, whatever the batch."""
    birds, network = batches.load_dataset("birds", 112), models.load("birds_vit")
    table = batches.evaluate(
        transformer_energy_on_birds, "birds_vit", "birds", [3, 31], {"dataset": "birds"}, 8
    )
    for index in (3, 31):
        bird = np.any(list(birds.annotations(index).parts.values()), axis=0)
        alone = energy_on_regions(network, birds[index].image[None], torch.from_numpy(bird)[None])
        rows = table[table["image"] == index]
        assert rows["map"].tolist() == alone["map"].tolist()
        np.testing.assert_allclose(rows[["energy", "area"]], alone[["energy", "area"]], rtol=1e-3)


def test_figures_show_split_decisions():
    birds, network = batches.load_dataset("birds", 112), models.load("birds_vit")
    found = transformers.split_decisions(network, birds, 1, 0.1)
    assert network(birds[found[0]].image[None]).softmax(1).topk(2).values[0, 1] > 0.1
    with pytest.raises(ValueError, match="no image of birds has a second probability above 0.6"):
        transformers.split_decisions(network, Few(birds), 1, 0.6)
    figure = transformers.one_image(network, birds, found[0])()
    assert [ax.get_ylabel() for ax in figure.axes if ax.get_ylabel()] == [
        "GradCAM\nblock 0",
        "rollout\ninventor",
    ]
    plt.close(figure)
    assert transformers.depth(network, birds) == 4


class Few:
    """The first two images of a set."""

    def __init__(self, images):
        self.images, self.name = images, images.name

    def __len__(self):
        return 2

    def __getitem__(self, index):
        return self.images[index]
