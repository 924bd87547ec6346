"""Families of Hugging Face's Transformers, at a small scale that their configurations describe."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.families.record import CLASSES, Network

VIT = {
    "hidden_size": 48, "num_hidden_layers": 3, "num_attention_heads": 3, "intermediate_size": 96,
    "image_size": 64, "patch_size": 16,
}  # fmt: skip
STAGES = {"depths": [1, 1, 2, 1], "hidden_sizes": [16, 24, 32, 48]}
SWIN = {
    "image_size": 64, "embed_dim": 16, "depths": [1, 1, 2, 1], "num_heads": [1, 2, 2, 4], "window_size": 2,
}  # fmt: skip
FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "BEiT": ("Beit", VIT),
    "BiT": ("Bit", STAGES | {"embedding_size": 16, "num_groups": 8}),
    "ConvNeXt": ("ConvNext", STAGES),
    "ConvNeXt v2": ("ConvNextV2", STAGES),
    "CvT": ("Cvt", {"embed_dim": [16, 24, 32], "num_heads": [1, 2, 2], "depth": [1, 2, 3]}),
    "DeiT": ("DeiT", VIT),
    "DINOv2": ("Dinov2", VIT),
    "DINOv2, registers": ("Dinov2WithRegisters", VIT),
    "EfficientNet": ("EfficientNet", {"image_size": 64, "width_coefficient": 0.5, "hidden_dim": 640}),
    "FocalNet": ("FocalNet", {"image_size": 64, "embed_dim": 16, "depths": [1, 1, 2, 1]}),
    "MobileNet v1": ("MobileNetV1", {"image_size": 64, "depth_multiplier": 0.5}),
    "MobileNet v2": ("MobileNetV2", {"image_size": 64, "depth_multiplier": 0.5}),
    "MobileViT": ("MobileViT", {"image_size": 64, "hidden_sizes": [24, 32, 48]}),
    "PoolFormer": ("PoolFormer", {"depths": [1, 1, 2, 1], "hidden_sizes": [16, 24, 32, 48]}),
    "PVT v2": ("PvtV2", {"image_size": 64, "depths": [1, 1, 2, 1], "hidden_sizes": [16, 32, 40, 64]}),
    "RegNet": ("RegNet", STAGES | {"embedding_size": 16, "groups_width": 8}),
    "ResNet": ("ResNet", STAGES | {"embedding_size": 16}),
    "SegFormer": ("Segformer", STAGES),
    "SigLIP": ("Siglip", {"vision_config": VIT}),
    "Swin": ("Swin", SWIN),
    "Swin v2": ("Swinv2", SWIN),
    "ViT": ("ViT", VIT),
    "ViT-MSN": ("ViTMSN", VIT),
}
"""Family -> prefix of its classes, and options of its configuration."""
CLIP = {
    "vision_config": VIT | {"projection_dim": 32},
    "text_config": {"hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 3, "vocab_size": 99,
                    "intermediate_size": 96, "eos_token_id": 98, "bos_token_id": 97, "pad_token_id": 1},
    "projection_dim": 32,
}  # fmt: skip


class PromptedClip(nn.Module):
    """CLIP as a classifier, whose classes are prompts.

    Args:
        clip: A ``CLIPModel``.
        prompts: Tokens (C, T) of a prompt for each class.
    """

    def __init__(self, clip: nn.Module, prompts: Tensor) -> None:
        super().__init__()
        self.clip = clip
        self.register_buffer("prompts", prompts)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits (B, C) of images (B, 3, H, W)."""
        return self.clip(input_ids=self.prompts, pixel_values=images).logits_per_image


def _builder(prefix: str, options: dict[str, Any]) -> Callable[[], nn.Module]:
    def build() -> nn.Module:
        import transformers

        configuration = getattr(transformers, f"{prefix}Config")(num_labels=CLASSES, **options)
        return getattr(transformers, f"{prefix}ForImageClassification")(configuration)

    return build


def _clip() -> nn.Module:
    from transformers import CLIPConfig, CLIPModel

    prompts = torch.randint(2, 97, (CLASSES, 6))
    prompts[:, -1] = 98  # the end of the text, whose output stands for the prompt
    return PromptedClip(CLIPModel(CLIPConfig(**CLIP)), prompts)


NETWORKS = [
    *(Network("transformers", family, f"{prefix}ForImageClassification", _builder(prefix, options))
      for family, (prefix, options) in FAMILIES.items()),
    Network("transformers", "CLIP, prompts as classes", "CLIPModel", _clip),
]  # fmt: skip
