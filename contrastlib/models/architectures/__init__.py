"""Networks without their weights: the small ones of the project, and those whose weights come from elsewhere.

- :mod:`~contrastlib.models.architectures.small_cnn`, :mod:`~contrastlib.models.architectures.small_vit`: the small networks
- :mod:`~contrastlib.models.architectures.cifar_resnet`: the ResNets for CIFAR-10
- :mod:`~contrastlib.models.architectures.efficientnet_lite`: EfficientNet-Lite, with the convolutions of
  :mod:`~contrastlib.models.architectures.padding`, which has a MobileNet V2 with them too
"""

__all__ = [
    "cifar_resnet", "efficientnet_lite", "padding", "small_cnn", "small_vit",
]  # fmt: skip
