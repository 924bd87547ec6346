"""Experiments of the papers as records, and their execution on networks and image sets.

A :class:`Study` evaluates a network on a sample of an image set. :func:`run` returns a table with a row for
each image and setting, and its provenance in ``table.attrs["provenance"]``. The columns ``image`` (index in
the set), ``group`` (photograph, the unit of resampling) and ``label`` identify the rows.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import pandas as pd

from contrastlib.evaluation import (
    conservation,
    control_scores,
    corrections,
    deletion,
    dominance,
    explained_probability,
    fullgrad,
    grid_pointing,
    homogeneity,
    later_methods,
    masking,
    overwritten,
    path_contrasts,
    perturbation,
    pointing_game,
    precision,
    randomisation,
    relevance_entering,
    relevance_flow,
    relevance_mass,
    similarity,
    statements,
    three_classes,
    transformers,
)
from contrastlib.evaluation.masking_choices import gains as masking_gains
from contrastlib.report import batches, bird_interventions, dataset_evaluations
from contrastlib.report.kept_results import path_of, reusable
from contrastlib.report.provenance import summary
from contrastlib.report.shards import RESULTS, joined, load, save, sharded
from contrastlib.report.zebra_elephant import zebra_elephant as compare_animals

MASKING_CHOICES = {
    "as published": {},
    "align_corners=False": {"align_corners": False},
    "true class first": {"first": "label"},
}
PERTURBATION_CHOICES = {"as published": {}, "towards the predicted class": {"towards": "predicted"}}
SQUEEZED = {"whole photograph, squeezed": {"loading": {"resize": "squeeze"}}}
CROPPED = {"resized to 256, cropped": {"loading": {"resize": 256, "crop": 224}}}
OTHER_RESIZING = {"imagenet-sample": SQUEEZED, "imagenet-val": SQUEEZED, "cub200": CROPPED}


@dataclass(frozen=True, eq=False)
class Study:
    """An experiment: an evaluation and its options.

    Attributes:
        name: Name of its kept results and shards, and of its variable in this module.
        evaluation: Function of model, images, labels and options that returns a table.
        reproduces: Paper and section, or erratum.
        batch: Number of images in a batch. Contrasts multiply it, and batches that fit the cache of the
            processor are fastest.
        options: Options of the evaluation that differ from its defaults.
        choices: Choices that the papers leave open, as choice -> options. The study is computed for each of
            them, and for the other resizing of photographs of the set (``OTHER_RESIZING``). The table names
            them in its column ``choice``.
        version: Version, to be increased if the same parameters may give other results; see
            :mod:`contrastlib.report.versions`.
    """

    name: str
    evaluation: Callable[..., pd.DataFrame]
    reproduces: str
    batch: int
    options: Mapping = field(default_factory=dict)
    choices: Mapping[str, Mapping] = field(default_factory=dict)
    version: int = 1


WANG, ERIKSSON, GU = "Wang & Wang 2022", "Eriksson et al. 2025", "Gu et al. 2018"
GRADCAM = {"methods": ["gradcam"]}
GRADCAM_BLURRED = GRADCAM | {"baselines": ["blur"]}
ABLATED = [
    "random",
    "gradient",
    "guided_backpropagation",
    "lrp",
    "clrp1",
    "clrp2",
    "sglrp",
    "weighted_lrp",
    "gradcam/weighted",
]
POINTING = [*ABLATED[1:-1], "gradcam/original", "gradcam/weighted", "centre"]
LATER_BIRDS = {"loading": {"start": 300}}  # a trial with the first 150 suggested the claims
ACTIVATIONS = {"methods": ["gradcam", "vit_gradcam"]}
INTERVENTION_CHOICES = {
    "as planned": {},
    "one repainting": {"repaintings": 1},
    "eight repaintings": {"repaintings": 8},
    "parts from 1 pixel on": {"smallest": 1},
    "parts from 50 pixels on": {"smallest": 50},
    "mean over the mask": {"measure": "mean"},
    "corners aligned": {"upsampling": "corners"},
    "not interpolated": {"upsampling": "nearest"},
}
SOFTMAX = {"contrasts": ["weighted", "softmax"]}  # weighted contrast: exact, and through the softmax

sign_perturbation = Study("sign_perturbation", perturbation.changes, f"{WANG}, sec. 5.1 and Fig. 3", 4)
map_statistics = Study("map_statistics", similarity.describe, f"{WANG}, sec. 5.2.1 in numbers", 16)
differing_parts = Study("differing_parts", dataset_evaluations.energy_in_differing_parts, "ours", 16)
masking_table = Study("masking_table", masking.relative_probabilities, f"{WANG}, sec. 5.2.2 and Table 1", 16)
masking_at_equal_shares = Study(
    "masking_at_equal_shares",
    masking.relative_probabilities,
    "erratum 13",
    16,
    GRADCAM | {"baselines": list(masking.PAPERS_BASELINES), "mask_rules": list(masking.KEPT_SHARES)},
)
dominated_masking = Study(  # images with p_2 <= 0.1
    "dominated_masking",
    masking.relative_probabilities,
    f"{ERIKSSON}, Table 2",
    16,
    GRADCAM | {"above": False},
)
masking_scored_by_second_network = Study(  # the option "scoring_model"
    "masking_scored_by_second_network", masking.relative_probabilities, "erratum 21", 16, GRADCAM_BLURRED)
float32_perturbation = Study(
    "float32_perturbation",
    perturbation.changes,
    "erratum 10",
    4,
    SOFTMAX | {"iterations": [1, 10], "epsilons": [3e-3]},
)
float32_masking = Study(
    "float32_masking", masking.relative_probabilities, "erratum 10", 16,
    SOFTMAX | GRADCAM_BLURRED | {"mask_rules": ["by_sign"], "above": False})
masking_choices = Study(
    "masking_choices",
    masking.relative_probabilities,
    f"{WANG}, sec. 5.2.2",
    16,
    GRADCAM_BLURRED,
    MASKING_CHOICES,
)
perturbation_choices = Study(
    "perturbation_choices", perturbation.changes, f"{WANG}, sec. 5.1", 4,
    {"contrasts": ["original", "weighted"], "iterations": [1], "epsilons": [3e-3]}, PERTURBATION_CHOICES)
three_class_maps = Study("three_class_maps", three_classes.compare, f"{WANG}, sec. 5.3 and Fig. 5", 16)
mean_of_classes = Study("mean_of_classes", three_classes.mean_by_class_count, f"{WANG}, sec. 5.3", 4)
fullgrad_maps = Study("fullgrad_maps", fullgrad.describe, f"{ERIKSSON}, FullGrad", 4)
transformer_maps = Study(
    "transformer_maps", transformers.describe, f"{ERIKSSON}, sec. 3.4 and 3.5", 16, version=2)
transformer_energy = Study(
    "transformer_energy", dataset_evaluations.transformer_energy_on_birds, f"{ERIKSSON}, sec. 3.5", 16)
dominance_table = Study("dominance_table", dominance.agreement, f"{ERIKSSON}, sec. 4.3", 8)
gradient_norms = Study("gradient_norms", dominance.gradient_norms, f"{ERIKSSON}, Fig. 6", 4)
class_relevance = Study("class_relevance", conservation.class_similarity, f"{GU}, sec. 3.1", 8)
relevance_conservation = Study("relevance_conservation", conservation.conservation, f"{GU}, Definition 1", 8)
relevance_duals = Study("relevance_duals", conservation.duals, "erratum 23", 8)
ablation_table = Study(
    "ablation_table", dataset_evaluations.ablation_in, f"{GU}, Table 1", 8, {"methods": ABLATED})
relevance_received = Study("relevance_received", relevance_flow.received, f"{GU}, sec. 3.2", 30)
homogeneous_maps = Study("homogeneous_maps", homogeneity.compare, f"{WANG}, sec. 4", 2)
entering_relevance = Study("entering_relevance", relevance_entering.compare, f"{WANG}, sec. 4; {GU}", 4)
two_objects = Study("two_objects", relevance_mass.of_objects, f"{GU}, sec. 5.1", 20)
pointing = Study(
    "pointing", pointing_game.of_objects, f"{GU}, sec. 5.2 and Fig. 4", 20, {"methods": POINTING})
neuron_ablation = Study(
    "neuron_ablation", dataset_evaluations.neuron_ablation_in, f"{GU}, sec. 5.3 and Fig. 5", 8)
zebra_elephant = Study("zebra_elephant", compare_animals, f"{GU}, sec. 5.1", 4)
precision_table = Study("precision_table", precision.rounded_gradients, "erratum 10", 16, version=2)
integrated_readings = Study("integrated_readings", path_contrasts.compare, "erratum 8", 8)
sign_steps = Study("sign_steps", corrections.sign_steps, "errata 1 and 2", 4)
blur_draws = Study("blur_draws", corrections.blur_draws, "erratum 6", 16)
path_and_product = Study("path_and_product", corrections.path_and_product, "erratum 9", 4, version=2)
mean_factors = Study("mean_factors", corrections.mean_factors, "erratum 12", 16)
pixels_of_the_wrong_sign = Study(
    "pixels_of_the_wrong_sign", corrections.pixels_of_the_wrong_sign, "erratum 13", 16
)
index_ranges = Study("index_ranges", statements.index_ranges, "erratum 29", 16)
mean_and_clrp1 = Study("mean_and_clrp1", statements.mean_contrast_and_clrp1, "erratum 31", 8)
overwritten_tensors = Study("overwritten_tensors", overwritten.compare, "errata 4 and 15", 16)
xgradcam_normalisers = Study("xgradcam_normalisers", corrections.normalisers, "erratum 16", 16, version=2)
probability_maps = Study("probability_maps", explained_probability.compare, "erratum 40", 8)
later_drops = Study(
    "later_drops", later_methods.drops, "Zhang et al. 2025; Williamson et al. 2025", 8)
shared_evidence = Study("shared_evidence", later_methods.shared_evidence, "ours", 8)
mosaic_pointing = Study("mosaic_pointing", grid_pointing.localisation, "Walter et al. 2026", 16)
relevance_boxes = Study("relevance_boxes", conservation.boxes, "erratum 44", 8)
part_interventions = Study("part_interventions", bird_interventions.on_parts, "ours", 16, LATER_BIRDS)
slow_interventions = Study(  # with explainers that take several passes
    "slow_interventions", bird_interventions.on_parts, "ours", 16, LATER_BIRDS)
trial_interventions = Study("trial_interventions", bird_interventions.on_parts, "ours", 16)
intervention_choices = Study(
    "intervention_choices", bird_interventions.on_parts, "ours", 16, LATER_BIRDS | ACTIVATIONS,
    INTERVENTION_CHOICES)
crossed_masking = Study(
    "crossed_masking", masking_gains, f"{WANG}, sec. 5.2.2, every choice at once", 16)
crossed_interventions = Study(
    "crossed_interventions", bird_interventions.choices_on_parts, "ours, every choice at once", 16,
    LATER_BIRDS)
control_masking = Study("control_masking", control_scores.masking, f"{WANG}, sec. 5.2.2", 16)
control_parts = Study("control_parts", dataset_evaluations.controls_in_differing_parts, "ours", 32)
control_interventions = Study(
    "control_interventions", bird_interventions.controls_on_parts, "ours", 32, LATER_BIRDS)
deletion_curves = Study("deletion_curves", deletion.curves, "Petsiuk et al. 2018; Rong et al. 2022", 16)
parameter_randomisation = Study(
    "parameter_randomisation", randomisation.cascade, "Adebayo et al. 2018; Hedström et al. 2024", 16)

STUDIES: dict[str, Study] = {value.name: value for value in list(vars().values()) if isinstance(value, Study)}
"""All studies by name."""


def run(
    study: Study,
    networks: Mapping[str, Sequence],
    profile: str = "quick",
    force: bool = False,
    cache: Path | None = None,
    **options: Any,
) -> pd.DataFrame:
    """Run a study for several networks.

    Args:
        study: A study of this module.
        networks: Network -> [dataset, count] or [dataset, count, options of this network]. The count is the
            number of images that represent the set (:meth:`contrastlib.datasets.base.ImageSet.sample`), or
            None for all.
        profile: Results of any profile but "quick" are kept in data/results/<profile>, in a file for each
            network. A kept result is used, with a message, if study, version, parameters, data and libraries
            are the same (:func:`contrastlib.report.kept_results.reusable`).
        force: Compute kept results again.
        cache: Folder of the shards, see :func:`contrastlib.report.shards.sharded`.
        **options: Options of the evaluation for all networks that differ from its defaults, and ``loading``
            for options of the set (:func:`contrastlib.report.batches.load_dataset`).

    Returns:
        The table, with the columns network and dataset.

    Raises:
        DataError: Data or weights are missing or damaged. Results of finished networks are kept.
    """
    tables = []
    defaults = {name: each.default for name, each in inspect.signature(study.evaluation).parameters.items()}
    options = {key: value for key, value in options.items() if key not in defaults or defaults[key] != value}
    for network, (dataset, count, *changes) in networks.items():
        chosen = {**study.options, **options, **(changes[0] if changes else {})}
        variants = {**study.choices, **OTHER_RESIZING.get(dataset, {})} if study.choices else {None: {}}
        shards = {
            choice: batches.shards(
                study.evaluation, network, dataset, count, {**chosen, **variant}, study.batch)
            for choice, variant in variants.items()
        }
        data = batches.checksums(network, dataset, chosen)
        registry = batches.registered(network, dataset, chosen.get("scoring_model"))
        path = path_of(study.name, network, RESULTS / profile)
        keep = profile != "quick"
        table = (
            reusable(path, study.version, chain(*shards.values()), data, registry)
            if keep and not force
            else None
        )
        if table is not None:
            print(f"{study.name} of {network}: the kept {profile} result fits and is not computed again")
        else:
            table = _compute(study, shards, data, registry, cache, f"{network} on {dataset}")
            table = table.assign(network=network, dataset=dataset)
            if keep:
                save(table, path)
        tables.append(table)
    return _joined(tables)


def recorded_scale(profile: str) -> str:
    """Profile whose results are kept: quick keeps none, and its pages show those of real beside its own.

    >>> recorded_scale("quick"), recorded_scale("paper")
    ('real', 'paper')
    """
    return "real" if profile == "quick" else profile


def recorded(study: Study, profile: str = "real") -> pd.DataFrame:
    """Kept results of a study for all networks, with the summary of their provenances in ``attrs``.

    Args:
        study: A study of this module.
        profile: Name of the profile.

    Returns:
        The table, with the columns network and dataset.

    Raises:
        FileNotFoundError: No result is kept. The message has the command that creates it.
        DamagedResult: A result is damaged. The message names its file.
    """
    folder = RESULTS / profile
    sys.audit("contrastlib.file", folder)  # which may not exist, see contrastlib.report.staleness
    paths = sorted(folder.glob(path_of(study.name, "*", folder).name))
    if not paths:
        raise FileNotFoundError(f"no {profile} results of {study.name} in {folder}: run `make {profile}`")
    return _joined([load(path) for path in paths])


def measure(
    study: Study,
    networks: Mapping[str, Sequence],
    profile: str = "quick",
    beside: bool = True,
    **options: Any,
) -> dict[str, pd.DataFrame]:
    """Run a study at the scale of a profile.

    For the quick profile, the recorded results of the real scale are added.

    Args:
        study: As in :func:`run`.
        networks: As in :func:`run`. Without networks, nothing is run.
        profile: As in :func:`run`.
        beside: Whether recorded results are added. False for a study without recorded results.
        **options: As in :func:`run`.

    Returns:
        Scale -> table.
    """
    tables = {profile: run(study, networks, profile, **options)} if networks else {}
    return tables | ({"real": recorded(study)} if beside and profile == "quick" else {})


def measure_or_recall(
    study: Study, networks: Mapping[str, Sequence], profile: str = "quick", **options: Any
) -> dict[str, pd.DataFrame]:
    """:func:`measure`, with recorded results only if there are any; without both, no table.

    Args:
        study: As in :func:`measure`.
        networks: As in :func:`measure`.
        profile: As in :func:`measure`.
        **options: As in :func:`measure`.

    Returns:
        Scale -> table.
    """
    folder = RESULTS / "real"
    sys.audit("contrastlib.file", folder)
    found = any(folder.glob(path_of(study.name, "*", folder).name))
    return measure(study, networks, profile, beside=found, **options)


def _compute(
    study: Study,
    shards: Mapping[str | None, list[dict]],
    data: Mapping[str, str],
    registry: str,
    cache: Path | None,
    title: str,
) -> pd.DataFrame:
    work = partial(batches.evaluate, study.evaluation)
    tables = {
        choice: sharded(study.name, study.version, work, each, data, cache, title, registry)
        for choice, each in shards.items()
    }
    if not study.choices:
        return tables[None]
    return _joined([table.assign(choice=choice) for choice, table in tables.items()])


def _joined(tables: list[pd.DataFrame]) -> pd.DataFrame:
    records = [table.attrs["provenance"] for table in tables]
    together = joined([_bare(table) for table in tables])
    together.attrs["provenance"] = summary(records)
    return together


def _bare(table: pd.DataFrame) -> pd.DataFrame:
    table = table.copy(deep=False)
    table.attrs = {}  # pandas compares attrs when it concatenates
    return table
