"""Training: small networks from scratch, and torchvision's classifiers fine-tuned on the papers' data sets.

- :mod:`~contrastlib.training.from_scratch`: the networks of the quick profile
- :mod:`~contrastlib.training.finetuning`: torchvision's classifiers
- :mod:`~contrastlib.training.augmentation`: random views of their photographs
- :mod:`~contrastlib.training.loop`: the epochs of both, on the devices that accelerate finds
- :mod:`~contrastlib.training.checkpoint`: the files that interrupted runs continue from
- :mod:`~contrastlib.training.recipe`: the settings of both
"""

__all__ = [
    "augmentation", "checkpoint", "finetuning", "from_scratch", "loop", "recipe",
]  # fmt: skip
