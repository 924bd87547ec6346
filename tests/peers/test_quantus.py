"""Quantus judges our maps: its numbers are those of the formula where that is short.

Its records name what it has.
"""

import numpy as np
import pytest
import quantus
import torch

from contrastlib import models
from contrastlib.report.results.provenance import REPOSITORY


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    monkeypatch.syspath_prepend(REPOSITORY)


def test_records_name_a_measure_of_each_family():
    from benchmarks.second_opinion import METRICS

    assert len({metric.family for metric in METRICS}) == len(METRICS) == 5
    assert all(hasattr(quantus, metric.name) and metric.better in ("higher", "lower") for metric in METRICS)


@pytest.mark.slow
def test_localisation_and_complexity_are_those_of_the_formulas():
    from benchmarks.second_opinion import METRICS, SyntheticBirds, explainer, predict, table

    found = table("birds_alexnet", 2, tuple(m for m in METRICS if m.family in ("complexity", "localisation")))
    assert len(found) == 2 * 2 * 3 and found["value"].between(0, 1).all() and (found["seconds"] > 0).all()
    model = models.load("birds_alexnet")
    birds = SyntheticBirds("test", size=model.input_size)
    images = torch.stack([birds[i].image for i in range(2)])
    maps = np.abs(explainer("weighted")(model, images.numpy(), predict(model, images).argmax(dim=1).numpy()))
    for image, heat in enumerate(maps):
        seen = np.any(list(birds.annotations(image).parts.values()), axis=0)
        ordered, count = np.sort(heat.ravel()), heat.size
        gini = ((2 * np.arange(1, count + 1) - count - 1) * ordered).sum() / (count * ordered.sum())
        rows = found[(found["image"] == image) & (found["contrast"] == "weighted")].set_index("family")[
            "value"
        ]
        assert rows["localisation"] == pytest.approx(heat[0][seen].sum() / heat.sum(), rel=1e-4)
        assert rows["complexity"] == pytest.approx(gini, abs=1e-3)
