"""Evaluations: measures of explanations, one row or more for each image.

Each function takes networks, images and maps as tensors, and returns a table. It does not depend on a data
set.
"""

__all__ = [
    "ablation", "choices", "conservation", "control_maps", "control_scores", "correction_tables",
    "corrections", "deletion", "dominance", "energy", "fullgrad", "grid_pointing", "homogeneity",
    "imputation", "intervention_effects", "interventions", "later_methods", "maps_of_contrasts",
    "masking", "masking_effects", "path_contrasts", "perturbation", "pointing_game", "precision",
    "randomisation", "rank_agreement", "relevance_flow", "relevance_mass", "saliency", "seeding",
    "similarity", "statistics", "theory", "three_classes", "transformers",
]  # fmt: skip
