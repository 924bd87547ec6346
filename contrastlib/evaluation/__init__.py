"""Evaluations: what explanations are worth, measured per image.

Each takes maps, networks and tensors, and knows no data set.
"""

__all__ = [
    "ablation", "conservation", "dominance", "energy", "fullgrad", "masking", "path_contrasts",
    "perturbation", "pointing_game", "precision", "relevance_mass", "saliency", "seeding",
    "similarity", "statistics", "three_classes", "transformers",
]  # fmt: skip
