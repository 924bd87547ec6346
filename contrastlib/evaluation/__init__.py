"""Evaluations: what explanations are worth, measured per image.

Each takes maps, networks and tensors, and knows no data set.
"""

__all__ = [
    "ablation", "choices", "conservation", "correction_tables", "corrections", "dominance",
    "energy", "fullgrad", "homogeneity", "masking", "path_contrasts", "perturbation",
    "pointing_game", "precision", "rank_agreement", "relevance_flow", "relevance_mass", "saliency",
    "seeding", "similarity", "statistics", "theory", "three_classes", "transformers",
]  # fmt: skip
