"""Evaluations: measures of explanations, one row or more for each image.

Each function takes networks, images and maps as tensors, and returns a table. It does not depend on a data
set. What a study runs takes a model, images and their labels. Many of these functions explain the predicted
classes, and do not use the labels.

Wang & Wang 2022, and Eriksson et al. 2025:

- :mod:`~contrastlib.evaluation.theory`: the sanity check and the propositions
- :mod:`~contrastlib.evaluation.statements`: statements and formulas compared with what holds
- :mod:`~contrastlib.evaluation.perturbation`: the sign perturbation in input space
- :mod:`~contrastlib.evaluation.rank_agreement`: agreement of a quantity with accuracy after it
- :mod:`~contrastlib.evaluation.similarity`: similarity of the maps of two classes
- :mod:`~contrastlib.evaluation.masking`: relative probability of a class when the rest of a map is masked
- :mod:`~contrastlib.evaluation.masking_effects`: differences of contrasts or methods in this measure
- :mod:`~contrastlib.evaluation.masking_choices`: the same under every combination of open choices
- :mod:`~contrastlib.evaluation.three_classes`: contrasts where three classes are probable
- :mod:`~contrastlib.evaluation.dominance`: the weighted contrast where one class dominates
- :mod:`~contrastlib.evaluation.fullgrad`: FullGrad maps of the two most probable classes
- :mod:`~contrastlib.evaluation.transformers`: GradCAM of each block, and attention rollouts

Gu et al. 2018:

- :mod:`~contrastlib.evaluation.conservation`: whether relevance discriminates classes and is conserved
- :mod:`~contrastlib.evaluation.relevance_entering`: the relevance that enters LRP
- :mod:`~contrastlib.evaluation.relevance_flow`: the relevance of units and layers
- :mod:`~contrastlib.evaluation.relevance_mass`: images with two objects
- :mod:`~contrastlib.evaluation.pointing_game`: the pointing game over energy thresholds
- :mod:`~contrastlib.evaluation.ablation`: the activation that is lost with the most relevant position

Errors in print or in code:

- :mod:`~contrastlib.evaluation.corrections`: their effects on maps
- :mod:`~contrastlib.evaluation.correction_tables`: their effects on tables of other evaluations
- :mod:`~contrastlib.evaluation.path_contrasts`: meanings of integrated gradients of a contrast
- :mod:`~contrastlib.evaluation.homogeneity`: methods that are one in networks without biases
- :mod:`~contrastlib.evaluation.precision`: the gradient of a probability close to 1
- :mod:`~contrastlib.evaluation.overwritten`: hooks whose tensors an operation in place overwrites
- :mod:`~contrastlib.evaluation.receptive_fields`: the pixels that can influence a unit
- :mod:`~contrastlib.evaluation.explained_probability`: maps of a probability beside those of its log-odds

Interventions, controls and later measures:

- :mod:`~contrastlib.evaluation.interventions`: the rank of parts in a map and by repainting them
- :mod:`~contrastlib.evaluation.intervention_effects`: its effects with intervals
- :mod:`~contrastlib.evaluation.intervention_choices`: the same under every combination of choices
- :mod:`~contrastlib.evaluation.control_maps`: maps that know less than an explanation should
- :mod:`~contrastlib.evaluation.control_scores`: measures of maps and of these controls
- :mod:`~contrastlib.evaluation.deletion`: deletion and insertion along a map
- :mod:`~contrastlib.evaluation.randomisation`: maps of a network whose parameters become random
- :mod:`~contrastlib.evaluation.grid_pointing`: the grid pointing game
- :mod:`~contrastlib.evaluation.later_methods`: measures of later papers
- :mod:`~contrastlib.evaluation.energy`: share of a map inside a region

What they have in common:

- :mod:`~contrastlib.evaluation.maps_of_contrasts`: maps by several methods and contrasts
- :mod:`~contrastlib.evaluation.saliency`: maps by any method, and baselines without a network
- :mod:`~contrastlib.evaluation.imputation`: removed pixels filled smoothly
- :mod:`~contrastlib.evaluation.statistics`: confidence intervals of means
- :mod:`~contrastlib.evaluation.choices`: whether a result depends on open choices
- :mod:`~contrastlib.evaluation.specification`: specification curves
- :mod:`~contrastlib.evaluation.seeding`: seeds that depend on the image
"""

__all__ = [
    "ablation", "choices", "conservation", "control_maps", "control_scores", "correction_tables",
    "corrections", "deletion", "dominance", "energy", "explained_probability", "fullgrad", "grid_pointing",
    "homogeneity", "imputation", "intervention_choices", "intervention_effects", "interventions",
    "later_methods", "maps_of_contrasts", "masking", "masking_choices", "masking_effects", "overwritten",
    "path_contrasts", "perturbation", "pointing_game", "precision", "randomisation", "rank_agreement",
    "receptive_fields", "relevance_entering", "relevance_flow", "relevance_mass", "saliency", "seeding",
    "similarity", "specification", "statements", "statistics", "theory", "three_classes", "transformers",
]  # fmt: skip
