"""Experiments of the papers as records: a :class:`Study` is an evaluation of a network, with its options.

:mod:`contrastlib.report.studies.execution` runs them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

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
from contrastlib.report.studies import bird_interventions, dataset_evaluations
from contrastlib.report.studies.animal_positions import zebra_elephant as compare_animals

MASKING_CHOICES = {
    "as published": {},
    "align_corners=False": {"align_corners": False},
    "true class first": {"first": "label"},
}
PERTURBATION_CHOICES = {"as published": {}, "towards the predicted class": {"towards": "predicted"}}


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
            them, and for the other resizings of the set (``other_resizings`` in ``datasets.yaml``). The table
            names them in its column ``choice``.
        whole_batches: Whether rows depend on which images share a batch. The batch is then never halved.
        version: Version, to be increased if the same parameters may give other results; see
            :mod:`contrastlib.report.studies.versions`.
    """

    name: str
    evaluation: Callable[..., pd.DataFrame]
    reproduces: str
    batch: int
    options: Mapping = field(default_factory=dict)
    choices: Mapping[str, Mapping] = field(default_factory=dict)
    version: int = 1
    whole_batches: bool = False


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
    "masking_scored_by_second_network", masking.relative_probabilities, "erratum 21", 16, GRADCAM_BLURRED
)
float32_perturbation = Study(
    "float32_perturbation",
    perturbation.changes,
    "erratum 10",
    4,
    SOFTMAX | {"iterations": [1, 10], "epsilons": [3e-3]},
)
float32_masking = Study(
    "float32_masking",
    masking.relative_probabilities,
    "erratum 10",
    16,
    SOFTMAX | GRADCAM_BLURRED | {"mask_rules": ["by_sign"], "above": False},
)
masking_choices = Study(
    "masking_choices",
    masking.relative_probabilities,
    f"{WANG}, sec. 5.2.2",
    16,
    GRADCAM_BLURRED,
    MASKING_CHOICES,
)
perturbation_choices = Study(
    "perturbation_choices",
    perturbation.changes,
    f"{WANG}, sec. 5.1",
    4,
    {"contrasts": ["original", "weighted"], "iterations": [1], "epsilons": [3e-3]},
    PERTURBATION_CHOICES,
)
three_class_maps = Study("three_class_maps", three_classes.compare, f"{WANG}, sec. 5.3 and Fig. 5", 16)
mean_of_classes = Study("mean_of_classes", three_classes.mean_by_class_count, f"{WANG}, sec. 5.3", 4)
fullgrad_maps = Study("fullgrad_maps", fullgrad.describe, f"{ERIKSSON}, FullGrad", 4)
transformer_maps = Study(
    "transformer_maps", transformers.describe, f"{ERIKSSON}, sec. 3.4 and 3.5", 16, version=2
)
transformer_energy = Study(
    "transformer_energy", dataset_evaluations.transformer_energy_on_birds, f"{ERIKSSON}, sec. 3.5", 16
)
dominance_table = Study("dominance_table", dominance.agreement, f"{ERIKSSON}, sec. 4.3", 8)
gradient_norms = Study("gradient_norms", dominance.gradient_norms, f"{ERIKSSON}, Fig. 6", 4)
class_relevance = Study("class_relevance", conservation.class_similarity, f"{GU}, sec. 3.1", 8, version=2)
relevance_conservation = Study(
    "relevance_conservation", conservation.conservation, f"{GU}, Definition 1", 8, version=2
)
relevance_duals = Study("relevance_duals", conservation.duals, "erratum 23", 8, version=2)
ablation_table = Study(
    "ablation_table", dataset_evaluations.ablation_in, f"{GU}, Table 1", 8, {"methods": ABLATED}
)
relevance_received = Study("relevance_received", relevance_flow.received, f"{GU}, sec. 3.2", 30, version=2)
homogeneous_maps = Study("homogeneous_maps", homogeneity.compare, f"{WANG}, sec. 4", 2)
entering_relevance = Study("entering_relevance", relevance_entering.compare, f"{WANG}, sec. 4; {GU}", 4)
two_objects = Study("two_objects", relevance_mass.of_objects, f"{GU}, sec. 5.1", 20, version=2)
pointing = Study(
    "pointing", pointing_game.of_objects, f"{GU}, sec. 5.2 and Fig. 4", 20, {"methods": POINTING}
)
neuron_ablation = Study(
    "neuron_ablation", dataset_evaluations.neuron_ablation_in, f"{GU}, sec. 5.3 and Fig. 5", 8
)
zebra_elephant = Study("zebra_elephant", compare_animals, f"{GU}, sec. 5.1", 4, version=2)
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
later_drops = Study("later_drops", later_methods.drops, "Zhang et al. 2025; Williamson et al. 2025", 8)
shared_evidence = Study("shared_evidence", later_methods.shared_evidence, "ours", 8)
mosaic_pointing = Study(  # mosaics of images of one batch
    "mosaic_pointing", grid_pointing.localisation, "Walter et al. 2026", 16, version=2, whole_batches=True
)
relevance_boxes = Study("relevance_boxes", conservation.boxes, "erratum 44", 8, version=2)
part_interventions = Study("part_interventions", bird_interventions.on_parts, "ours", 16, LATER_BIRDS)
slow_interventions = Study(  # with explainers that take several passes
    "slow_interventions", bird_interventions.on_parts, "ours", 16, LATER_BIRDS
)
trial_interventions = Study("trial_interventions", bird_interventions.on_parts, "ours", 16)
intervention_choices = Study(
    "intervention_choices",
    bird_interventions.on_parts,
    "ours",
    16,
    LATER_BIRDS | ACTIVATIONS,
    INTERVENTION_CHOICES,
)
crossed_masking = Study("crossed_masking", masking_gains, f"{WANG}, sec. 5.2.2, every choice at once", 16)
crossed_interventions = Study(
    "crossed_interventions",
    bird_interventions.choices_on_parts,
    "ours, every choice at once",
    16,
    LATER_BIRDS,
)
# a control of an image is the map of the next one in its batch
control_masking = Study(
    "control_masking", control_scores.masking, f"{WANG}, sec. 5.2.2", 16, whole_batches=True
)
control_parts = Study(
    "control_parts", dataset_evaluations.controls_in_differing_parts, "ours", 32, whole_batches=True
)
control_interventions = Study(
    "control_interventions",
    bird_interventions.controls_on_parts,
    "ours",
    32,
    LATER_BIRDS,
    whole_batches=True,
)
deletion_curves = Study(
    "deletion_curves", deletion.curves, "Petsiuk et al. 2018; Rong et al. 2022", 16, whole_batches=True
)
parameter_randomisation = Study(
    "parameter_randomisation", randomisation.cascade, "Adebayo et al. 2018; Hedström et al. 2024", 16
)
data_randomisation = Study(  # the option "compared_with"
    "data_randomisation", randomisation.likeness_to_networks, "Adebayo et al. 2018", 16
)

STUDIES: dict[str, Study] = {value.name: value for value in list(vars().values()) if isinstance(value, Study)}
"""All studies by name."""
