"""Interventions on drawn birds: which images count, and that nothing depends on batches."""

import numpy as np
import pandas as pd
import pytest
import torch

from contrastlib import models
from contrastlib.autograd import predict
from contrastlib.datasets.birds import SyntheticBirds
from contrastlib.evaluation.interventions import QUESTIONS
from contrastlib.report.computing import batches
from contrastlib.report.studies.bird_interventions import on_parts

OPTIONS = {
    "dataset": "birds",
    "repaintings": 1,
    "methods": ["gradcam", "vit_gradcam"],
    "contrasts": ["original", "among"],
}


@pytest.mark.parametrize("name", ["birds_alexnet", "birds_vit"])
def test_images_with_rivals_count_and_batches_do_not(name):
    images = list(range(150, 160))
    small, large = (batches.evaluate(on_parts, name, "birds", images, OPTIONS, size) for size in (3, 10))
    numbers = ["correlation", "fall_bird", "fall_background", "map_bird", "map_background", "p_2"]
    keys = ["image", "method", "contrast", "question"]
    a, b = (each.sort_values(keys).reset_index(drop=True) for each in (small, large))
    pd.testing.assert_frame_equal(a[[*keys, "parts"]], b[[*keys, "parts"]])
    assert (
        np.allclose(a[numbers[1:]], b[numbers[1:]], atol=1e-3)
        and (a["correlation"] - b["correlation"]).abs().mean() < 0.01
    )
    model = models.load(name)
    birds = SyntheticBirds("test", model.input_size)
    p_2 = predict(model, torch.stack([birds[i].image for i in images])).softmax(1).topk(2).values[:, 1]
    assert set(large["image"]) == {i for i, p in zip(images, p_2.tolist()) if p > 0.1}
    assert set(large["question"]) == set(QUESTIONS) and len(large) == large["image"].nunique() * 2 * len(
        QUESTIONS
    )
    assert ((large["map_bird"] + large["map_background"]) - 1).abs().max() < 1e-5 and large[
        "correlation"
    ].abs().max() <= 1


def test_without_rivals_there_is_no_row():
    images = torch.stack([SyntheticBirds("test", 128)[150].image])
    table = on_parts(
        models.load("birds_alexnet"), images, torch.tensor([0]), indices=[150], threshold=0.49, **OPTIONS
    )
    assert table.empty and list(table) == ["image"]
