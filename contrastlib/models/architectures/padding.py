"""Convolutions that pad as TensorFlow's do, and a network with them, for weights that were trained there."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional
from torchvision import models


class SamePadConv2d(nn.Conv2d):
    """A convolution with TensorFlow's "same" padding.

    A side of n pixels gives ceil(n / stride) outputs. If the padding is odd, the extra pixel is on the right
    or below. The arguments are those of ``torch.nn.Conv2d``, without ``padding``.

    >>> convolution = SamePadConv2d(1, 1, 3, stride=2)
    >>> convolution.padding_of(224), convolution.padding_of(225)
    ((0, 1), (1, 1))
    """

    def padding_of(self, length: int, axis: int = 0) -> tuple[int, int]:
        """Return the padding before and after a side, in pixels.

        Args:
            length: The length of the side, in pixels.
            axis: 0 for the height, 1 for the width.

        Returns:
            The two numbers of pixels.
        """
        stride, kernel = self.stride[axis], self.dilation[axis] * (self.kernel_size[axis] - 1) + 1
        total = max((-(-length // stride) - 1) * stride + kernel - length, 0)
        return total // 2, total - total // 2

    def forward(self, images: Tensor) -> Tensor:
        """Apply the convolution to images (B, K, H, W)."""
        height, width = images.shape[-2:]
        return super().forward(functional.pad(images, self.padding_of(width, 1) + self.padding_of(height, 0)))


def mobilenet_v2(num_classes: int) -> models.MobileNetV2:
    """Build torchvision's MobileNet V2 with TensorFlow's padding in the convolutions of stride 2.

    Args:
        num_classes: The number of classes, C.

    Returns:
        The network. It maps normalised images (B, 3, H, W) to logits (B, C).

    >>> import torch
    >>> mobilenet_v2(7).eval()(torch.rand(1, 3, 64, 64)).shape
    torch.Size([1, 7])
    """
    network = models.mobilenet_v2(num_classes=num_classes)
    strided = [
        (path, module)
        for path, module in network.named_modules()
        if isinstance(module, nn.Conv2d) and module.stride == (2, 2)
    ]
    for path, old in strided:
        network.set_submodule(
            path,
            SamePadConv2d(
                old.in_channels, old.out_channels, old.kernel_size, old.stride, groups=old.groups, bias=False
            ),
        )
    return network
