"""Architectures of networks, without weights.

- :mod:`~contrastlib.models.architectures.small_cnn`: small convolutional networks for the drawn birds
- :mod:`~contrastlib.models.architectures.small_vit`: small Vision Transformers
- :mod:`~contrastlib.models.architectures.cifar_resnet`: the ResNets for CIFAR-10
- :mod:`~contrastlib.models.architectures.efficientnet_lite`: EfficientNet-Lite
- :mod:`~contrastlib.models.architectures.padding`: convolutions with TensorFlow's padding, and a MobileNet V2
  with them
"""

__all__ = ["cifar_resnet", "efficientnet_lite", "padding", "small_cnn", "small_vit"]
