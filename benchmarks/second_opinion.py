"""``python -m benchmarks.second_opinion``: measures of Quantus on maps of contrasts, for page 16.

One measure of each of its families judges the GradCAM maps of drawn birds, as Quantus computes it. The
results are kept in ``data/results/second_opinion.parquet``, so that the page does not need the package.
It comes by ``pip install --no-deps quantus==0.6.0 cachetools==8.0.2``. Its requirement opencv-python would
overwrite the files of opencv-python-headless.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

import contrastlib
from contrastlib import models
from contrastlib.autograd import predict
from contrastlib.datasets.birds import SyntheticBirds
from contrastlib.report.results.provenance import provenance
from contrastlib.report.results.storage import RESULTS, save

KEPT = RESULTS / "second_opinion.parquet"
CONTRASTS = ("original", "maximum", "weighted")
QUIET = {"disable_warnings": True, "display_progressbar": False, "return_aggregate": False}


@dataclass(frozen=True)
class Metric:
    """A measure of Quantus.

    Attributes:
        family: Its family, in the words of Quantus.
        name: Name of its class.
        better: "higher" or "lower".
        options: Options that differ from its defaults.
        softmax: Whether it reads probabilities instead of logits.
    """

    family: str
    name: str
    better: str
    options: dict[str, Any]
    softmax: bool = False


METRICS = (
    Metric(
        "faithfulness",
        "FaithfulnessCorrelation",
        "higher",
        {"nr_runs": 50, "subset_size": 4096, "perturb_baseline": "mean"},
    ),
    Metric(
        "robustness", "MaxSensitivity", "lower", {"nr_samples": 10, "lower_bound": 0.05, "normalise": True}
    ),
    Metric("complexity", "Sparseness", "higher", {}),
    Metric("randomisation", "EfficientMPRT", "higher", {}, softmax=True),
    Metric("localisation", "RelevanceMassAccuracy", "higher", {"abs": True}),
)


def explainer(contrast: str) -> Callable[..., np.ndarray]:
    """Function that makes GradCAM maps (B, 1, H, W) of a contrast, as Quantus calls it."""

    def explain(model: nn.Module, inputs: np.ndarray, targets: np.ndarray, **_: Any) -> np.ndarray:
        images, classes = torch.as_tensor(inputs, dtype=torch.float32), torch.as_tensor(targets).reshape(-1)
        made = contrastlib.explain(model, images, classes, "gradcam", contrast, layer=model.layer)
        return made[:, None].numpy(force=True)

    return explain


def table(network: str, count: int, metrics: tuple[Metric, ...] = METRICS) -> pd.DataFrame:
    """Measure the maps of each contrast on the first drawn birds of the test set.

    Args:
        network: Name of a network that knows the birds.
        count: Number of images.
        metrics: Measures.

    Returns:
        A row for each image, metric and contrast, with family, metric, better, value, and seconds (of the
        metric, per image).
    """
    import quantus

    model = models.load(network)
    birds = SyntheticBirds("test", size=model.input_size)
    images = torch.stack([birds[i].image for i in range(count)])
    target = predict(model, images).argmax(dim=1).numpy()
    seen = np.stack([np.any(list(birds.annotations(i).parts.values()), axis=0) for i in range(count)])
    tables = []
    for metric in metrics:
        for contrast in CONTRASTS:
            np.random.seed(0)  # Quantus draws from it
            explain, began = explainer(contrast), time.perf_counter()
            judge = getattr(quantus, metric.name)(**QUIET, **metric.options)
            found = judge(
                model=model,
                x_batch=images.numpy(),
                y_batch=target,
                s_batch=seen[:, None],
                a_batch=explain(model, images.numpy(), target),
                explain_func=explain,
                device="cpu",
                channel_first=True,
                softmax=metric.softmax,
            )
            seconds = (time.perf_counter() - began) / count
            tables.append(
                pd.DataFrame(
                    {
                        "image": range(count),
                        "group": range(count),
                        "family": metric.family,
                        "metric": metric.name,
                        "better": metric.better,
                        "contrast": contrast,
                        "value": np.asarray(found, dtype=float),
                        "seconds": seconds,
                    }
                )
            )
    return pd.concat(tables, ignore_index=True).assign(network=network)


def main(arguments: list[str] | None = None) -> None:
    """Measure, save and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.second_opinion")
    parser.add_argument("--network", default="birds_vgg", help="a network that knows the birds")
    parser.add_argument("--images", type=int, default=24, help="number of images")
    options = parser.parse_args(arguments)
    began = time.perf_counter()
    found = table(options.network, options.images)
    found.attrs["provenance"] = provenance(
        time.perf_counter() - began,
        "cpu",
        study="second_opinion",
        parameters=vars(options),
        seed=0,
        data={options.network: models.load(options.network).checksum},
    )
    save(found, KEPT)
    print(found.groupby(["metric", "contrast"])["value"].mean().unstack().round(3))


if __name__ == "__main__":
    main()
