"""Evaluation of a network of the registry on images of a data set, in batches."""

from __future__ import annotations

import hashlib
import inspect
import json
import os
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from contrastlib import assets, datasets, models
from contrastlib.assets import CorruptFile, records
from contrastlib.report.computing.code_digest import code_digest
from contrastlib.report.machines import devices
from contrastlib.report.results.storage import joined

SHARD = 64
"""Number of images in a shard."""
SKIP_UNREADABLE = "CONTRASTLIB_SKIP_UNREADABLE"
"""Environment variable that is 1 if images that cannot be read are skipped."""
SMALL = 64
"""Size in pixels. Batches of images up to this size have more images, see :func:`shards`."""


def evaluate(
    evaluation: Callable[..., pd.DataFrame],
    network: str,
    dataset: str,
    images: Sequence[int],
    options: Mapping,
    batch: int,
    seed: int | None = None,
    loading: Mapping | None = None,
    skip_unreadable: bool = False,
) -> pd.DataFrame:
    """Evaluate a network on images of a data set, in batches.

    Args:
        evaluation: Function of model, images, labels and the options. It returns a table with a column
            ``image``, the index in the batch. If it has a parameter ``objects``, it gets the objects of each
            image (:meth:`contrastlib.datasets.base.ImageSet.objects`). If it has a parameter ``indices``, it
            gets the indices of the images in the set.
        network: Name of a network of the registry.
        dataset: Name of a data set of the registry.
        images: Indices of the images in the set.
        options: Keyword arguments of the evaluation. "scoring_model" is the name of a second network, and
            "compared_with" maps what networks stand for to their names. The evaluation gets the networks.
        batch: Number of images in a batch.
        seed: Seed of the evaluation. None if it does not draw random numbers.
        loading: Options of the set that replace those of all studies.
        skip_unreadable: Whether images that cannot be read are skipped. The other images remain in their
            batches.

    Returns:
        The tables of all batches, with image (index in the set), group (unit of resampling) and label. The
        messages about skipped images, if any, are in ``table.attrs["skipped"]``.

    Raises:
        CorruptFile: An image cannot be read, and is not skipped, or none can be read. The message has its
            name.
    """
    model = load_network(network)
    if seed is not None:
        options = {**options, "seed": seed}
    options = _with_networks(options, load_network)
    examples = load_dataset(dataset, model.input_size, **(loading or {}))
    wanted = {"objects", "indices"} & set(inspect.signature(evaluation).parameters)
    device, tables, skipped = next(model.parameters()).device, [], []
    read = partial(_read, examples, "objects" in wanted, skipped if skip_unreadable else None, device)
    for part in devices.ahead(read, [images[i : i + batch] for i in range(0, len(images), batch)]):
        if not part.chosen:
            continue
        own = {"indices": part.chosen} if "indices" in wanted else {}
        if "objects" in wanted:
            own["objects"] = part.objects
        pixels, labels = part.pixels.to(device, non_blocking=True), part.labels.to(device, non_blocking=True)
        table = evaluation(model, pixels, labels, **own, **options)
        index = table["image"].to_numpy(dtype=int)
        tables.append(
            table.assign(
                image=np.asarray(part.chosen)[index],
                group=np.array(part.groups)[index],
                label=part.labels.numpy()[index],
            )
        )
    if not tables and skipped:
        raise CorruptFile(f"none of {len(images)} images can be read: {skipped[0]}")
    table = joined(tables)
    if skipped:
        table.attrs["skipped"] = skipped
    return table


def _with_networks(options: Mapping, load: Callable[[str], Any]) -> dict[str, Any]:
    """Options with ``load(name)`` in place of each name of a network."""
    loaded = dict(options)
    if options.get("scoring_model"):
        loaded["scoring_model"] = load(options["scoring_model"])
    if "compared_with" in options:
        loaded["compared_with"] = {key: load(name) for key, name in options["compared_with"].items()}
    return loaded


class _Batch(NamedTuple):
    """Images that can be read, in the memory of the processor."""

    chosen: list[int]
    pixels: Tensor
    labels: Tensor
    groups: list[int]
    objects: list | None


def _read(
    examples: datasets.ImageSet,
    objects: bool,
    skipped: list[str] | None,
    device: torch.device,
    indices: Sequence[int],
) -> _Batch:
    """Read images. Messages about those that cannot be read are appended to a list, if there is one."""
    read = {}
    for index in indices:
        try:
            read[index] = examples[index]
        except CorruptFile as error:
            if skipped is None:
                raise
            skipped.append(str(error))
    images, labels, groups, _ = zip(*read.values()) if read else ((), (), (), ())
    pixels = _fast_layout(torch.stack(images)) if images else torch.empty(0)
    found = [examples.objects(index) for index in read] if objects else None
    return _Batch(list(read), *devices.pinned(device, pixels, torch.tensor(labels)), list(groups), found)


def shards(
    evaluation: Callable[..., pd.DataFrame],
    network: str,
    dataset: str,
    count: int | None,
    options: Mapping,
    batch: int,
) -> list[dict]:
    """Parameters of :func:`evaluate` for shards of 64 images that represent a set.

    If the environment variable ``CONTRASTLIB_SKIP_UNREADABLE`` is 1, images that cannot be read are skipped.

    Args:
        evaluation: Function as in :func:`evaluate`. If it has a parameter ``dataset``, it gets the name of
            the set. If it has a parameter ``seed``, it gets the seed.
        network: Name of a network of the registry.
        dataset: Name of a data set of the registry.
        count: Number of images. None for all.
        options: Options of the evaluation. They may include "seed", and "loading" for options of the set.
        batch: Number of images in a batch; of small ones, of up to ``SMALL`` pixels, sixteen times as many,
            but no more than a shard has.

    Returns:
        Parameters of each shard.
    """
    accepted = inspect.signature(evaluation).parameters
    passed = {"dataset": dataset, **options} if "dataset" in accepted else dict(options)
    loading = passed.pop("loading", None)
    seed = passed.pop("seed", accepted["seed"].default if "seed" in accepted else None)
    skip = os.environ.get(SKIP_UNREADABLE) == "1" or None
    apart = {"seed": seed, "loading": loading, "skip_unreadable": skip}
    apart = {key: value for key, value in apart.items() if value is not None}
    size = load_network(network).input_size
    images = load_dataset(dataset, size, **(loading or {})).sample(count)
    batch = min(SHARD, 16 * batch) if size <= SMALL else batch
    return [
        {
            "network": network,
            "dataset": dataset,
            "images": images[i : i + SHARD],
            "options": passed,
            "batch": batch,
            **apart,
        }
        for i in range(0, len(images), SHARD)
    ]


def other_networks(options: Mapping) -> list[str]:
    """Names of the networks, besides the evaluated one, that the options of a study name.

    >>> other_networks({"scoring_model": "efficientnet_lite1", "steps": 4})
    ['efficientnet_lite1']
    """
    names: list[str] = []
    _with_networks(options, names.append)
    return names


def checksums(
    evaluation: Callable[..., pd.DataFrame], network: str, dataset: str, options: Mapping
) -> dict[str, str]:
    """Name -> checksum of the networks and the data set that :func:`evaluate` reads.

    Args:
        evaluation: Function as in :func:`evaluate`. If it has a parameter ``objects``, it reads annotations.
        network: Name of the network.
        dataset: Name of the data set.
        options: Options of the study; ``loading`` and :func:`other_networks` are read.

    Returns:
        Name -> checksum. Other networks that the options name are among them.
    """
    model = load_network(network)
    images = load_dataset(dataset, model.input_size, **options.get("loading", {}))
    others = {name: load_network(name).checksum for name in other_networks(options)}
    read = "objects" in inspect.signature(evaluation).parameters and images.annotation_checksum
    boxes = {f"boxes of {dataset}": images.annotation_checksum} if read else {}
    return {network: model.checksum, dataset: images.checksum, **boxes, **others}


def registered(*names: str) -> str:
    """Hash of registry entries of networks and data sets and of the code that they name.

    Only fields that affect numbers count.

    Names that are not in the registry, such as those of torchvision networks, do not affect the hash.

    >>> registered("birds_vit") == registered("birds_vit", "torchvision/vgg16")
    True
    """
    known = [assets.network(name) or datasets.DATASETS.get(name) for name in names]
    entries = [record.decisive() for record in known if record]
    code = [code_digest(module) for module in sorted(set().union(*map(records.modules, entries)))]
    return hashlib.sha256(json.dumps([entries, code], sort_keys=True).encode()).hexdigest()[:16]


@lru_cache(maxsize=4)  # a shard of data_randomisation uses four networks
def load_network(name: str) -> models.Classifier:
    """Load a network with the memory layout and on the device that are fastest, and exact products."""
    model = models.load(name)
    if model.input_size > SMALL:  # twice as fast on a CPU, except for small images
        model = model.to(memory_format=torch.channels_last)
    devices.without_tf32()
    return model.to(devices.fastest())


@lru_cache(maxsize=4)
def load_dataset(name: str, size: int | None = None, **options: Any) -> datasets.ImageSet:
    """Load an image set with the options of the studies.

    Args:
        name: Name of a data set of the registry.
        size: Size in pixels of images that are drawn, such as the birds.
        **options: Options of :func:`contrastlib.datasets.load`, which replace those of the studies.

    Returns:
        The image set.
    """
    record = datasets.DATASETS.get(name)
    drawn = {"size": size} if size and record and record.drawn else {}
    return datasets.load(name, **{**(record.studies if record else {}), **drawn, **options})


def _fast_layout(tensor: Tensor) -> Tensor:
    return tensor.contiguous(memory_format=torch.channels_last) if tensor.shape[-1] > SMALL else tensor
