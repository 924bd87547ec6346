"""Small Vision Transformers, built with torchvision's class.

Their tokens are computed by a stem of 3 x 3 convolutions (Xiao et al. 2021, "Early convolutions help
transformers see better", NeurIPS). Without it a Transformer learns little from few images. So a token depends
on a few pixels around its patch as well.
"""

from __future__ import annotations

from torchvision.models.vision_transformer import ConvStemConfig, VisionTransformer


def birds_vit(num_classes: int) -> VisionTransformer:
    """Build the Transformer for the drawn birds.

    It takes images of 112 x 112 pixels and has 14 x 14 patches, as ViT-B/16 has, and four blocks of four
    heads.

    Args:
        num_classes: The number of classes, C.

    Returns:
        The network. It maps normalised images (B, 3, 112, 112) to logits (B, C).

    >>> network = birds_vit(30)
    >>> network.seq_length - 1, sum(weights.numel() for weights in network.parameters())
    (196, 383382)
    """
    return _vit(112, 8, [(24, 2), (48, 2), (96, 2)], 4, num_classes)


def cifar10_vit(num_classes: int = 10) -> VisionTransformer:
    """Build the Transformer for CIFAR-10.

    It takes images of 32 x 32 pixels and has 8 x 8 patches and six blocks of four heads.

    Args:
        num_classes: The number of classes, C.

    Returns:
        The network. It maps normalised images (B, 3, 32, 32) to logits (B, C).

    >>> network = cifar10_vit()
    >>> network.seq_length - 1, sum(weights.numel() for weights in network.parameters())
    (64, 951850)
    """
    return _vit(32, 4, [(32, 1), (64, 2), (64, 1), (128, 2)], 6, num_classes)


def _vit(size: int, patch: int, stem: list[tuple[int, int]], blocks: int, classes: int) -> VisionTransformer:
    """Build a Transformer whose tokens have the features of the last convolution of the stem.

    Args:
        size: Height and width of the images, in pixels.
        patch: Height and width of a patch, in pixels.
        stem: Channels and stride of each convolution of the stem.
        blocks: The number of blocks.
        classes: The number of classes, C.
    """
    width = stem[-1][0]
    return VisionTransformer(
        size, patch, num_layers=blocks, num_heads=4, hidden_dim=width, mlp_dim=2 * width, num_classes=classes,
        conv_stem_configs=[ConvStemConfig(channels, 3, stride) for channels, stride in stem],
    )  # fmt: skip
