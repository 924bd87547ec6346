"""The papers' experiments on a network and an image set, in resumable shards.

A study evaluates every ``count``-th image of a set with one network and returns a table with a
row for each image and setting, its provenance in ``table.attrs["provenance"]``. Columns
``image`` (index in the set), ``group`` (photograph, the unit of resampling) and ``label`` tell
the rows apart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from contrastlib import datasets, models
from contrastlib.evaluation import dominance, maps, masking, perturbation, precision, three_classes
from contrastlib.runs import RESULTS, joined, load, save, sharded, summary

SHARD = 64
OPTIONS = {"birds": {"split": "test"}, "imagenet-birds": {"crops": 5}}  # how studies load a set


def run(study: Callable, networks: Mapping[str, Sequence], profile: str = "quick", **options) -> pd.DataFrame:
    """A study of several networks, with columns network and dataset.

    Args:
        study: one of this module's studies.
        networks: network -> [dataset, count], or [dataset, count, options of this network alone]; a
            count of None takes all images.
        profile: results of any but "quick" are kept in data/results/<profile>, a file for each
            network, for the pages to show.
        options: of the study, for all networks.

    Raises:
        DataError: data or weights are missing or corrupt. Networks done before are kept.
    """
    tables = []
    for network, (dataset, count, *own) in networks.items():
        table = study(network, dataset, count, **options, **(own[0] if own else {}))
        table = table.assign(network=network, dataset=dataset)
        if profile != "quick":
            save(table, RESULTS / profile / f"{study.__name__}-{network}.parquet")
        tables.append(table)
    return _joined(tables)


def recorded(study: Callable, profile: str = "real") -> pd.DataFrame:
    """The kept results of a study, all networks in one; its provenance summed up in ``attrs``.

    Raises:
        FileNotFoundError: none is kept, with the command that makes them.
    """
    paths = sorted((RESULTS / profile).glob(f"{study.__name__}-*.parquet"))
    if not paths:
        raise FileNotFoundError(f"no {profile} results of {study.__name__} in {RESULTS / profile}: run `make {profile}`")
    return _joined([load(path) for path in paths])


def _joined(tables: list[pd.DataFrame]) -> pd.DataFrame:
    records = [table.attrs["provenance"] for table in tables]
    together = joined([_bare(table) for table in tables])
    together.attrs["provenance"] = summary(records)
    return together


def _bare(table: pd.DataFrame) -> pd.DataFrame:
    table = table.copy(deep=False)
    table.attrs = {}  # pandas compares attrs when it joins
    return table


def sign_perturbation(
    network: str, dataset: str, count: int | None = None, cache: Path | None = None, **options
) -> pd.DataFrame:
    """Section 5.1: :func:`contrastlib.evaluation.perturbation.changes` towards the true label.

    Args:
        network, dataset: names of the registries.
        count: that many images, evenly spread over the set (which is sorted by class); all when None.
        cache: see :func:`contrastlib.runs.sharded`.
        options: iterations, epsilons, contrasts, clamp, direction of ``changes``.
    """
    return _study(perturbation_shard, network, dataset, count, cache, options)


def perturbation_shard(network: str, dataset: str, images: list[int], options: Mapping) -> pd.DataFrame:
    """One shard of :func:`sign_perturbation`."""
    # few images at a time: contrasts multiply them, and what fits the processor's cache is fastest
    return _by_batches(perturbation.changes, network, dataset, images, options, batch=4, small_batch=64)


def masking_table(
    network: str, dataset: str, count: int | None = None, cache: Path | None = None, **options
) -> pd.DataFrame:
    """Section 5.2.2: :func:`contrastlib.evaluation.masking.relative_probabilities` of the top two classes.

    Arguments as for :func:`sign_perturbation`; images that do not pass the threshold have no rows.
    """
    return _study(masking_shard, network, dataset, count, cache, options)


def masking_shard(network: str, dataset: str, images: list[int], options: Mapping) -> pd.DataFrame:
    """One shard of :func:`masking_table`."""
    return _by_batches(masking.relative_probabilities, network, dataset, images, options, batch=16, small_batch=64)


def map_statistics(
    network: str, dataset: str, count: int | None = None, cache: Path | None = None, **options
) -> pd.DataFrame:
    """Section 5.2.1 in numbers: :func:`contrastlib.evaluation.maps.describe`; arguments as above."""
    return _study(maps_shard, network, dataset, count, cache, options)


def maps_shard(network: str, dataset: str, images: list[int], options: Mapping) -> pd.DataFrame:
    """One shard of :func:`map_statistics`."""
    return _by_batches(maps.describe, network, dataset, images, options, batch=16, small_batch=64)


def precision_table(network: str, dataset: str, count: int | None = None, cache: Path | None = None) -> pd.DataFrame:
    """What float32 loses: :func:`contrastlib.evaluation.precision.softmax_gradients`; arguments as above."""
    return _study(precision_shard, network, dataset, count, cache, {})


def precision_shard(network: str, dataset: str, images: list[int], options: Mapping) -> pd.DataFrame:
    """One shard of :func:`precision_table`."""
    return _by_batches(precision.softmax_gradients, network, dataset, images, options, batch=16, small_batch=64)


def dominated_masking(
    network: str, dataset: str, count: int | None = None, cache: Path | None = None, **options
) -> pd.DataFrame:
    """Eriksson et al. 2025, Table 2: :func:`masking_table` of GradCAM over the images with p_2 <= 0.1."""
    return masking_table(network, dataset, count, cache, **{"methods": ["gradcam"], "above": False} | options)


def three_class_maps(
    network: str, dataset: str, count: int | None = None, cache: Path | None = None, **options
) -> pd.DataFrame:
    """Section 5.3: :func:`contrastlib.evaluation.three_classes.compare`; arguments as above."""
    return _study(three_classes_shard, network, dataset, count, cache, options)


def three_classes_shard(network: str, dataset: str, images: list[int], options: Mapping) -> pd.DataFrame:
    """One shard of :func:`three_class_maps`."""
    return _by_batches(three_classes.compare, network, dataset, images, options, batch=16, small_batch=64)


def mean_of_classes(
    network: str, dataset: str, count: int | None = None, cache: Path | None = None, **options
) -> pd.DataFrame:
    """Section 5.3: :func:`contrastlib.evaluation.three_classes.mean_by_class_count`; arguments as above."""
    return _study(mean_shard, network, dataset, count, cache, options)


def mean_shard(network: str, dataset: str, images: list[int], options: Mapping) -> pd.DataFrame:
    """One shard of :func:`mean_of_classes`."""
    return _by_batches(three_classes.mean_by_class_count, network, dataset, images, options, batch=4, small_batch=16)


def dominance_table(
    network: str, dataset: str, count: int | None = None, cache: Path | None = None, **options
) -> pd.DataFrame:
    """Eriksson et al. 2025, sec. 4.3: :func:`contrastlib.evaluation.dominance.agreement`; arguments as above."""
    return _study(dominance_shard, network, dataset, count, cache, options)


def dominance_shard(network: str, dataset: str, images: list[int], options: Mapping) -> pd.DataFrame:
    """One shard of :func:`dominance_table`."""
    return _by_batches(dominance.agreement, network, dataset, images, options, batch=8, small_batch=64)


def gradient_norms(
    network: str, dataset: str, count: int | None = None, cache: Path | None = None, **options
) -> pd.DataFrame:
    """Eriksson et al. 2025, Fig. 6: :func:`contrastlib.evaluation.dominance.gradient_norms`; arguments as above."""
    return _study(norms_shard, network, dataset, count, cache, options)


def norms_shard(network: str, dataset: str, images: list[int], options: Mapping) -> pd.DataFrame:
    """One shard of :func:`gradient_norms`."""
    return _by_batches(dominance.gradient_norms, network, dataset, images, options, batch=4, small_batch=32)


def spread(total: int, count: int | None) -> list[int]:
    """``count`` indices evenly spread over range(total), all of them when None or more.

    >>> spread(10, 4)
    [1, 3, 6, 8]
    """
    if count is None or count >= total:
        return list(range(total))
    return ((np.arange(count) + 0.5) * total / count).astype(int).tolist()


def _study(work: Callable, network: str, dataset: str, count: int | None, cache: Path | None, options: dict):
    images = load_dataset(dataset)
    chosen = spread(len(images), count)
    shards = [
        {"network": network, "dataset": dataset, "images": chosen[i : i + SHARD], "options": options}
        for i in range(0, len(chosen), SHARD)
    ]
    data = {network: _network(network).checksum, dataset: images.checksum}
    return sharded(work, shards, data, cache, title=f"{network} on {dataset}")


def _by_batches(
    evaluate: Callable, network: str, dataset: str, images: list[int], options: Mapping, batch: int, small_batch: int
) -> pd.DataFrame:
    """Tables of ``evaluate(model, images, labels, **options)`` over batches, with the images' identity."""
    model, examples = _network(network), load_dataset(dataset)
    size = small_batch if model.input_size <= 64 else batch
    tables = []
    for i in range(0, len(images), size):
        part = [examples[index] for index in images[i : i + size]]
        pixels = torch.stack([example.image for example in part]).to(next(model.parameters()).device)
        labels = torch.tensor([example.label for example in part], device=pixels.device)
        table = evaluate(model, _fast_layout(pixels), labels, **options)
        place = table["image"].to_numpy(dtype=int)
        identity = {
            "image": np.asarray(images[i : i + size])[place],
            "group": np.array([example.group for example in part])[place],
            "label": labels.numpy(force=True)[place],
        }
        tables.append(table.assign(**identity))
    return joined(tables)


def _fast_layout(tensor: Tensor) -> Tensor:
    return tensor.contiguous(memory_format=torch.channels_last) if tensor.shape[-1] > 64 else tensor


@lru_cache(maxsize=2)
def _network(name: str) -> models.Classifier:
    model = models.load(name)
    if model.input_size > 64:  # twice as fast on a CPU; small images gain nothing
        model = model.to(memory_format=torch.channels_last)
    return model.to("cuda" if torch.cuda.is_available() else "cpu")


@lru_cache(maxsize=2)
def load_dataset(name: str) -> datasets.ImageSet:
    """The image set as the studies use it."""
    return datasets.load(name, **OPTIONS.get(name, {}))
