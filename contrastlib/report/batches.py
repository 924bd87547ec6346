"""Evaluate a network of the registry on images of a data set, a batch at a time."""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from contrastlib import datasets, models
from contrastlib.assets import records
from contrastlib.report.code_digest import code_digest
from contrastlib.report.shards import joined

SHARD = 64  # images
SMALL = 64  # pixels: of images no larger, sixteen times as many make a batch


def evaluate(
    evaluation: Callable[..., pd.DataFrame], network: str, dataset: str, images: Sequence[int], options: Mapping, batch: int,
    seed: int | None = None, loading: Mapping | None = None,
) -> pd.DataFrame:
    """Tables of an evaluation over batches, each row with the identity of its image.

    Args:
        evaluation: a function of model, images, labels and the options, which returns a table with a column
            ``image``, the index in the batch. One that has a parameter ``indices`` gets the images' indices in the set.
        network, dataset: names of the registries.
        images: indices in the set.
        options: keyword arguments of the evaluation; "scoring_model" is the name of a second network.
        batch: images at a time.
        seed: of an evaluation that draws; None for those that draw nothing.
        loading: options of the set, beside those that all studies use.

    Returns:
        The tables in one, with image (index in the set), group (unit of resampling) and label.
    """
    model = load_network(network)
    if seed is not None:
        options = {**options, "seed": seed}
    if "scoring_model" in options:
        options = {**options, "scoring_model": load_network(options["scoring_model"])}
    examples = load_dataset(dataset, model.input_size, **(loading or {}))
    size = min(64, 16 * batch) if model.input_size <= SMALL else batch
    knows_indices = "indices" in inspect.signature(evaluation).parameters
    tables = []
    for i in range(0, len(images), size):
        chosen = images[i : i + size]
        part = [examples[index] for index in chosen]
        pixels = torch.stack([example.image for example in part]).to(next(model.parameters()).device)
        labels = torch.tensor([example.label for example in part], device=pixels.device)
        own = {"indices": chosen} if knows_indices else {}
        table = evaluation(model, _fast_layout(pixels), labels, **own, **options)
        index = table["image"].to_numpy(dtype=int)
        tables.append(table.assign(
            image=np.asarray(chosen)[index],
            group=np.array([example.group for example in part])[index],
            label=labels.numpy(force=True)[index],
        ))
    return joined(tables)


def shards(
    evaluation: Callable[..., pd.DataFrame], network: str, dataset: str, count: int | None, options: Mapping, batch: int
) -> list[dict]:
    """Parameters of :func:`evaluate`, in shards of 64 images, for ``count`` images that stand for the set.

    Args:
        options: of the evaluation, "seed" among them, and "loading", options of the set. An evaluation that has a
            parameter ``dataset`` gets its name, one that draws its seed.
    """
    own = inspect.signature(evaluation).parameters
    asked = {"dataset": dataset, **options} if "dataset" in own else dict(options)
    loading = asked.pop("loading", None)
    seed = asked.pop("seed", own["seed"].default if "seed" in own else None)
    apart = {key: value for key, value in (("seed", seed), ("loading", loading)) if value is not None}
    images = load_dataset(dataset, load_network(network).input_size, **(loading or {})).sample(count)
    return [
        {"network": network, "dataset": dataset, "images": images[i : i + SHARD], "options": asked, "batch": batch, **apart}
        for i in range(0, len(images), SHARD)
    ]


def checksums(network: str, dataset: str, options: Mapping) -> dict[str, str]:
    """Name -> checksum of the networks and the data set that :func:`evaluate` reads."""
    model = load_network(network)
    images = load_dataset(dataset, model.input_size, **options.get("loading", {}))
    second = options.get("scoring_model")
    scoring = {second: load_network(second).checksum} if second else {}
    return {network: model.checksum, dataset: images.checksum, **scoring}


def registered(*names: str | None) -> str:
    """A hash of what decides numbers in the registry's entries of networks and data sets, and of the code that they name.

    Names that the registry does not know, as those of torchvision's networks, and None add nothing.

    >>> registered("birds_vit") == registered("birds_vit", "torchvision/vgg16", None)
    True
    """
    known = {**models.MODELS, **datasets.DATASETS}
    entries = [known[name].decisive() for name in names if name in known]
    code = [code_digest(module) for module in sorted(set().union(*map(records.modules, entries)))]
    return hashlib.sha256(json.dumps([entries, code], sort_keys=True).encode()).hexdigest()[:16]


@lru_cache(maxsize=2)
def load_network(name: str) -> models.Classifier:
    """The network in the layout and on the device that are fastest."""
    model = models.load(name)
    if model.input_size > SMALL:  # twice as fast on a CPU; small images gain nothing
        model = model.to(memory_format=torch.channels_last)
    return model.to("cuda" if torch.cuda.is_available() else "cpu")


@lru_cache(maxsize=4)
def load_dataset(name: str, size: int | None = None, **options) -> datasets.ImageSet:
    """The image set as the studies use it; the birds are drawn at ``size`` pixels where it is given.

    ``options`` of :func:`contrastlib.datasets.load` come before those that the studies use.
    """
    record = datasets.DATASETS.get(name)
    drawn = {"size": size} if size and record and record.drawn else {}
    return datasets.load(name, **{**(record.studies if record else {}), **drawn, **options})


def _fast_layout(tensor: Tensor) -> Tensor:
    return tensor.contiguous(memory_format=torch.channels_last) if tensor.shape[-1] > SMALL else tensor
