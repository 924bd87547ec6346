"""Convolutions that pad as TensorFlow does, and a network with them, for weights that were trained there."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional
from torchvision import models


class SamePadConv2d(nn.Conv2d):
    """A convolution with TensorFlow's SAME padding: ⌈n / stride⌉ outputs, an odd pixel right and below.

    >>> convolution = SamePadConv2d(1, 1, 3, stride=2)
    >>> convolution.padding_of(224), convolution.padding_of(225)
    ((0, 1), (1, 1))
    """

    def padding_of(self, length: int) -> tuple[int, int]:
        """Pixels to add before and after a side of the given length."""
        stride, kernel = self.stride[0], self.kernel_size[0]
        total = max((-(-length // stride) - 1) * stride + kernel - length, 0)
        return total // 2, total - total // 2

    def forward(self, images: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        return super().forward(functional.pad(images, self.padding_of(width) + self.padding_of(height)))


def mobilenet_v2(num_classes: int) -> models.MobileNetV2:
    """Torchvision's MobileNet V2 with TensorFlow's padding in the convolutions of stride 2.

    >>> import torch
    >>> mobilenet_v2(7).eval()(torch.rand(1, 3, 64, 64)).shape
    torch.Size([1, 7])
    """
    network = models.mobilenet_v2(num_classes=num_classes)
    strided = [(path, module) for path, module in network.named_modules()
               if isinstance(module, nn.Conv2d) and module.stride == (2, 2)]
    for path, old in strided:
        network.set_submodule(path, SamePadConv2d(old.in_channels, old.out_channels, old.kernel_size,
                                                  old.stride, groups=old.groups, bias=False))
    return network
