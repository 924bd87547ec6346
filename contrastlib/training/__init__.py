"""Training: the small networks from scratch, and torchvision's classifiers fine-tuned on the papers' data sets.

- :mod:`~contrastlib.training.from_scratch`: the networks of the quick profile
- :mod:`~contrastlib.training.finetuning`: torchvision's classifiers, with :mod:`~contrastlib.training.recipe` and
  :mod:`~contrastlib.training.augmentation`
"""

__all__ = [
    "augmentation", "finetuning", "from_scratch", "recipe",
]  # fmt: skip
