"""The head of most networks: global average pooling and a linear layer."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from contrastlib.autograd import forward
from contrastlib.explorer.heads.output import Output, WeightedHead, random_image, same
from contrastlib.models import Classifier

CHUNK = 50
"""Number of classes in one backward pass while a head is read."""


class PooledLinear(WeightedHead):
    """Global average pooling and a linear layer: y_s = sum_k W_sk mean_ij a^k_ij + b_s.

    The gradient of y_s is W_sk / (h w) at every position. So the maps of GradCAM, of the linear approximation
    and of XGradCAM are the same: phi^s = sum_k W_sk a^k / (h w). A map sums to y_s - b_s. Source: Zhou et al.
    2016, "Learning Deep Features for Discriminative Localization", and Selvaraju et al. 2017.

    Args:
        weight: The weights W (C, K).
        bias: The biases b (C,).

    Attributes:
        methods: Names of the methods of each tensor of maps.
        bits: Bits of the stored weights with which maps stay within 1e-3 of their range.

    >>> head = PooledLinear(torch.eye(3, 2), torch.ones(3))
    >>> logits, (maps,) = head(torch.ones(1, 2, 4, 4))
    >>> logits, maps.shape
    (tensor([[2., 2., 1.]]), torch.Size([1, 3, 4, 4]))
    """

    methods = (("gradcam", "linear_approximation", "xgradcam"),)
    bits = 16

    def forward(self, activation: Tensor) -> Output:
        """Compute logits and maps from activations (1, K, h, w)."""
        positions = activation.shape[-2] * activation.shape[-1]
        maps = nn.functional.conv2d(activation, self.weight[:, :, None, None]) / positions
        return Output(maps.sum(dim=(2, 3)) + self.bias, (maps,))

    @classmethod
    def of(cls, classifier: Classifier) -> PooledLinear | None:
        """Read the head of a classifier from its gradients.

        The gradients at the default layer, of all logits and for one image, give W. They must be the same at
        all positions. The logits of another image must then follow from its activations.

        Args:
            classifier: The classifier.

        Returns:
            The head, or None if the network has another one.
        """
        record = forward(classifier, random_image(classifier), classifier.layer)
        if record.activations[classifier.layer].ndim != 4:
            return None
        weights = []
        for units in torch.eye(len(classifier.class_names)).split(CHUNK):
            gradient = record.pull_back(units[:, None])[classifier.layer][:, 0].flatten(2)
            if gradient.shape[2] > 1 and not same(gradient, gradient[:, :, :1].expand_as(gradient)):
                return None
            weights.append(gradient.double().sum(dim=2))
        weight = torch.cat(weights)
        other = forward(classifier, random_image(classifier, seed=1), classifier.layer)
        means = [each.activations[classifier.layer].double().mean(dim=(2, 3)) for each in (record, other)]
        bias = record.logits.double()[0] - weight @ means[0][0]
        if not same(weight @ means[1][0] + bias, other.logits.double()[0]):
            return None
        return cls(weight.float(), bias.float())
