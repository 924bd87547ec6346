"""Small Vision Transformers, instances of torchvision's own class.

Their patches come from a stem of 3 × 3 convolutions (Xiao et al., "Early convolutions help
transformers see better", NeurIPS 2021), without which a Transformer learns little from few pictures.
A token therefore sees a little more than its own patch.
"""

from __future__ import annotations

from torchvision.models.vision_transformer import ConvStemConfig, VisionTransformer


def birds_vit(num_classes: int) -> VisionTransformer:
    """Images of 112 pixels, 14 × 14 tokens as ViT-B/16 has, four blocks of four heads.

    >>> network = birds_vit(30)
    >>> network.seq_length - 1, sum(weights.numel() for weights in network.parameters())
    (196, 383382)
    """
    return _vit(112, 8, [(24, 2), (48, 2), (96, 2)], 4, num_classes)


def cifar10_vit(num_classes: int = 10) -> VisionTransformer:
    """Images of 32 pixels, 8 × 8 tokens, six blocks of four heads.

    >>> network = cifar10_vit()
    >>> network.seq_length - 1, sum(weights.numel() for weights in network.parameters())
    (64, 951850)
    """
    return _vit(32, 4, [(32, 1), (64, 2), (64, 1), (128, 2)], 6, num_classes)


def _vit(size: int, patch: int, stem: list[tuple[int, int]], blocks: int, classes: int) -> VisionTransformer:
    """The width of the tokens is that of the stem's last convolution; heads have a quarter of it each."""
    width = stem[-1][0]
    return VisionTransformer(
        size, patch, num_layers=blocks, num_heads=4, hidden_dim=width, mlp_dim=2 * width, num_classes=classes,
        conv_stem_configs=[ConvStemConfig(channels, 3, stride) for channels, stride in stem],
    )  # fmt: skip
