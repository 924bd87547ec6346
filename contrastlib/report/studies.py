"""The papers' experiments on a network and an image set, in resumable shards.

A study evaluates a sample of a set with one network and returns a table with a
row for each image and setting, its provenance in ``table.attrs["provenance"]``. Columns
``image`` (index in the set), ``group`` (photograph, the unit of resampling) and ``label`` tell
the rows apart. All studies take the same arguments:

network, dataset
    names of the registries
count
    that many images that stand for the set (:meth:`contrastlib.datasets.base.ImageSet.sample`); all when None
cache
    see :func:`contrastlib.report.shards.sharded`
options
    keyword arguments of the evaluation; ``loading`` of the set (:func:`contrastlib.report.batches.load_dataset`)
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from contrastlib.evaluation import (
    conservation,
    dominance,
    fullgrad,
    masking,
    path_contrasts,
    perturbation,
    precision,
    similarity,
    three_classes,
    transformers,
)
from contrastlib.report import batches, dataset_evaluations
from contrastlib.report import zebra_elephant as animals
from contrastlib.report.batches import load_dataset
from contrastlib.report.provenance import summary
from contrastlib.report.shards import RESULTS, joined, load, save, sharded

SHARD = 64
MASKING_CHOICES = {"as published": {}, "align_corners=False": {"align_corners": False}, "true class first": {"first": "label"}}
PERTURBATION_CHOICES = {"as published": {}, "towards the predicted class": {"towards": "predicted"}}
SQUEEZED = {"whole photograph, squeezed": {"loading": {"resize": "squeeze"}}}
CROPPED = {"resized to 256, cropped": {"loading": {"resize": 256, "crop": 224}}}
OTHER_RESIZING = {"imagenet-sample": SQUEEZED, "imagenet-val": SQUEEZED, "cub200": CROPPED}


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
            save(table, RESULTS / profile / f"{study.__name__}-{network.replace('/', '-')}.parquet")
        tables.append(table)
    return _joined(tables)


def recorded(study: Callable, profile: str = "real") -> pd.DataFrame:
    """The kept results of a study, all networks in one; its provenance summed up in ``attrs``.

    Raises:
        FileNotFoundError: none is kept, with the command that makes them.
    """
    sys.audit("contrastlib.file", RESULTS / profile)  # which may be absent: see contrastlib.report.staleness
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


def sign_perturbation(network: str, dataset: str, count: int | None = None, cache: Path | None = None, **options):
    """Section 5.1: :func:`contrastlib.evaluation.perturbation.changes` towards the true label."""
    # few images at a time: contrasts multiply them, and what fits the processor's cache is fastest
    return _study(perturbation.changes, network, dataset, count, cache, options, batch=4)


def map_statistics(network: str, dataset: str, count: int | None = None, cache: Path | None = None, **options):
    """Section 5.2.1 in numbers: :func:`contrastlib.evaluation.similarity.describe`."""
    return _study(similarity.describe, network, dataset, count, cache, options, batch=16)


def masking_table(network: str, dataset: str, count: int | None = None, cache: Path | None = None, **options):
    """Section 5.2.2: :func:`contrastlib.evaluation.masking.relative_probabilities` of the top two classes."""
    return _study(masking.relative_probabilities, network, dataset, count, cache, options, batch=16)


def dominated_masking(network: str, dataset: str, count: int | None = None, cache: Path | None = None, **options):
    """Eriksson et al. 2025, Table 2: :func:`masking_table` of GradCAM over the images with p_2 <= 0.1."""
    return masking_table(network, dataset, count, cache, **{"methods": ["gradcam"], "above": False} | options)


def judged_masking(network: str, dataset: str, count: int | None = None, cache: Path | None = None, **options):
    """Erratum 21: :func:`masking_table` of GradCAM, scored by a second network, the option ``judge``."""
    return masking_table(network, dataset, count, cache, **{"methods": ["gradcam"], "baselines": ["blur"]} | options)


def float32_perturbation(network: str, dataset: str, count: int | None = None, cache: Path | None = None, **options):
    """Erratum 10: :func:`sign_perturbation` by the weighted contrast, exact and through the softmax."""
    options = {"contrasts": ["weighted", "softmax"], "iterations": [1, 10], "epsilons": [3e-3]} | options
    return sign_perturbation(network, dataset, count, cache, **options)


def float32_masking(network: str, dataset: str, count: int | None = None, cache: Path | None = None, **options):
    """Erratum 10: :func:`dominated_masking` by the weighted contrast, exact and through the softmax; by sign, blurred."""
    options = {"contrasts": ["weighted", "softmax"], "countings": ["sign"], "baselines": ["blur"]} | options
    return dominated_masking(network, dataset, count, cache, **options)


def masking_choices(network: str, dataset: str, count: int | None = None, cache: Path | None = None, **options):
    """What the papers leave open: :func:`masking_table` of GradCAM with a blur, under MASKING_CHOICES and OTHER_RESIZING (column choice)."""
    options = {"methods": ["gradcam"], "baselines": ["blur"]} | options
    return _choices(masking_table, MASKING_CHOICES, network, dataset, count, cache, options)


def perturbation_choices(network: str, dataset: str, count: int | None = None, cache: Path | None = None, **options):
    """The same for :func:`sign_perturbation`, one step of 0.003, under PERTURBATION_CHOICES and OTHER_RESIZING."""
    options = {"contrasts": ["original", "weighted"], "iterations": [1], "epsilons": [3e-3]} | options
    return _choices(sign_perturbation, PERTURBATION_CHOICES, network, dataset, count, cache, options)


def three_class_maps(network: str, dataset: str, count: int | None = None, cache: Path | None = None, **options):
    """Section 5.3: :func:`contrastlib.evaluation.three_classes.compare`."""
    return _study(three_classes.compare, network, dataset, count, cache, options, batch=16)


def mean_of_classes(network: str, dataset: str, count: int | None = None, cache: Path | None = None, **options):
    """Section 5.3: :func:`contrastlib.evaluation.three_classes.mean_by_class_count`."""
    return _study(three_classes.mean_by_class_count, network, dataset, count, cache, options, batch=4)


def fullgrad_maps(network: str, dataset: str, count: int | None = None, cache: Path | None = None, **options):
    """Eriksson et al. 2025, FullGrad: :func:`contrastlib.evaluation.fullgrad.describe`."""
    return _study(fullgrad.describe, network, dataset, count, cache, options, batch=4)


def transformer_maps(network: str, dataset: str, count: int | None = None, cache: Path | None = None, **options):
    """Eriksson et al. 2025, sec. 3.4 and 3.5: :func:`contrastlib.evaluation.transformers.describe`."""
    return _study(transformers.describe, network, dataset, count, cache, options, batch=16)


def dominance_table(network: str, dataset: str, count: int | None = None, cache: Path | None = None, **options):
    """Eriksson et al. 2025, sec. 4.3: :func:`contrastlib.evaluation.dominance.agreement`."""
    return _study(dominance.agreement, network, dataset, count, cache, options, batch=8)


def gradient_norms(network: str, dataset: str, count: int | None = None, cache: Path | None = None, **options):
    """Eriksson et al. 2025, Fig. 6: :func:`contrastlib.evaluation.dominance.gradient_norms`."""
    return _study(dominance.gradient_norms, network, dataset, count, cache, options, batch=4)


def class_relevance(network: str, dataset: str, count: int | None = None, cache: Path | None = None, **options):
    """Gu et al. 2018, sec. 3.1: :func:`contrastlib.evaluation.conservation.class_similarity`."""
    return _study(conservation.class_similarity, network, dataset, count, cache, options, batch=8)


def relevance_conservation(network: str, dataset: str, count: int | None = None, cache: Path | None = None, **options):
    """Gu et al. 2018, Definition 1: :func:`contrastlib.evaluation.conservation.conservation`."""
    return _study(conservation.conservation, network, dataset, count, cache, options, batch=8)


def relevance_duals(network: str, dataset: str, count: int | None = None, cache: Path | None = None, **options):
    """Erratum 23: :func:`contrastlib.evaluation.conservation.duals`."""
    return _study(conservation.duals, network, dataset, count, cache, options, batch=8)


def ablation_table(network: str, dataset: str, count: int | None = None, cache: Path | None = None, **options):
    """Gu et al. 2018, Table 1: :func:`contrastlib.report.dataset_evaluations.ablation_in` that set."""
    return _study(dataset_evaluations.ablation_in, network, dataset, count, cache, {"dataset": dataset} | options, batch=8)


def zebra_elephant(network: str, dataset: str = "zebra-elephant", count: None = None, cache: Path | None = None, **options):
    """Gu et al. 2018, sec. 5.1: :func:`contrastlib.report.zebra_elephant.zebra_elephant`."""
    return _study(animals.zebra_elephant, network, dataset, count, cache, options, batch=4)


def precision_table(network: str, dataset: str, count: int | None = None, cache: Path | None = None, **options):
    """What float32 loses: :func:`contrastlib.evaluation.precision.softmax_gradients`."""
    return _study(precision.softmax_gradients, network, dataset, count, cache, options, batch=16)


def integrated_readings(network: str, dataset: str, count: int | None = None, cache: Path | None = None, **options):
    """Erratum 8: :func:`contrastlib.evaluation.path_contrasts.compare`."""
    return _study(path_contrasts.compare, network, dataset, count, cache, options, batch=8)


def _choices(study: Callable, choices: Mapping, network, dataset, count, cache, options: Mapping) -> pd.DataFrame:
    choices = {**choices, **OTHER_RESIZING.get(dataset, {})}
    return _joined([
        study(network, dataset, count, cache, **options, **own).assign(choice=choice) for choice, own in choices.items()
    ])


def _study(
    evaluation: Callable, network: str, dataset: str, count: int | None, cache: Path | None, options: Mapping, batch: int
) -> pd.DataFrame:
    loading = {"loading": options["loading"]} if "loading" in options else {}
    model = batches.load_network(network)
    images = load_dataset(dataset, model.input_size, **loading.get("loading", {}))
    chosen = images.sample(count)
    module, name = evaluation.__module__, evaluation.__qualname__
    drawn = inspect.signature(evaluation).parameters.get("seed")
    seed = {"seed": options.get("seed", drawn.default)} if drawn else {}
    options = {option: value for option, value in options.items() if option not in ("seed", "loading")}
    shards = [
        {"module": module, "name": name, "network": network, "dataset": dataset, "images": chosen[i : i + SHARD],
         "options": options, "batch": batch, **seed, **loading}
        for i in range(0, len(chosen), SHARD)
    ]
    data = {network: model.checksum, dataset: images.checksum}
    if "judge" in options:
        data[options["judge"]] = batches.load_network(options["judge"]).checksum
    return sharded(batches.evaluate, shards, data, cache, title=f"{network} on {dataset}", modules=[module])
