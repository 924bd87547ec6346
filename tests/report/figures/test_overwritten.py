"""Tables of the tensor that an in-place ReLU overwrites."""

import pandas as pd
import pytest

from contrastlib.evaluation.overwritten import MAPS, READINGS
from contrastlib.report.figures import overwritten

AREAS = {"copy": 0.52, "reference": 0.17, "reference, gradient before the ReLU": 0.09}


def measured(p_2):
    rows = [
        {
            "network": name,
            "reading": reading,
            "method": method,
            "contrast": contrast,
            "image": i,
            "p_2": p_2[i],
            "negative": AREAS[reading] if p_2[i] > 0.1 else 1.0,
            "tensor_negative": 0.48 * (reading == "copy"),
            "changed": 0.48,
            "gap_recorded": 0.0,
        }
        for name in ("birds_alexnet", "vgg16, random weights")
        for reading in READINGS
        for method in MAPS
        for contrast in ("original", "weighted")
        for i in range(2)
    ]
    return {"quick": pd.DataFrame(rows)}


def test_tensors_inside_the_hook_and_after_the_pass():
    table = overwritten.tensors(measured([0.3, 0.2])).data
    assert table.loc[("quick", "small AlexNet")].tolist() == pytest.approx([0.48, 0.0, 0.48, 0.0])
    assert list(table.columns[:2]) == ["below 0 inside the hook", "below 0 after the pass"]
    assert [name for _, name in table.index] == ["small AlexNet", "VGG-16, random weights"]


def test_areas_of_images_above_the_threshold():
    table = overwritten.areas(measured([0.3, 0.05])).data
    assert table.shape == (2, 12)
    found = table.loc[("quick", "small AlexNet"), ("GC", "ori.")]
    assert found.tolist() == pytest.approx(list(AREAS.values()))
