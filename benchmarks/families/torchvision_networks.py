"""Families of torchvision's classifiers. Large members have fewer blocks than their name says."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from torch import nn
from torchvision import models
from torchvision.models.convnext import CNBlockConfig
from torchvision.models.efficientnet import FusedMBConvConfig, MBConvConfig
from torchvision.models.resnet import Bottleneck
from torchvision.models.swin_transformer import PatchMergingV2, SwinTransformerBlockV2

from benchmarks.families.record import CLASSES, Network

SWIN = {
    "patch_size": [4, 4], "embed_dim": 24, "depths": [1, 1, 2, 1], "num_heads": [1, 2, 2, 4],
    "window_size": [2, 2],
}  # fmt: skip


def _named(family: str, name: str, size: int = 64, **options: Any) -> Network:
    return _made(family, name, partial(models.get_model, name, weights=None, **options), size)


def _made(family: str, name: str, build: Callable[..., nn.Module], size: int = 64) -> Network:
    return Network("torchvision", family, name, partial(build, num_classes=CLASSES), size)


def _resnet(family: str, name: str, **options: int) -> Network:
    return _made(family, name, partial(models.ResNet, Bottleneck, [1, 1, 1, 1], **options))


def _vgg(build: Callable[..., nn.Module], num_classes: int) -> nn.Module:
    network = build(init_weights=False)
    network.classifier = nn.Sequential(
        nn.Linear(512 * 7 * 7, 64), nn.ReLU(True), nn.Dropout(), nn.Linear(64, num_classes)
    )
    return network


def _efficientnet_v2(num_classes: int) -> nn.Module:
    fused, gated = FusedMBConvConfig(4, 3, 2, 24, 32, 1), MBConvConfig(4, 3, 2, 32, 48, 2)
    return models.EfficientNet([fused, gated], 0.0, num_classes=num_classes, last_channel=96)


NETWORKS = [
    _named("AlexNet", "alexnet"),
    _made("VGG", "vgg11", partial(_vgg, models.vgg11)),
    _made("VGG-BN", "vgg11_bn", partial(_vgg, models.vgg11_bn)),
    _named("ResNet", "resnet18"),
    _resnet("ResNet, bottleneck", "resnet50"),
    _resnet("ResNeXt", "resnext50_32x4d", groups=32, width_per_group=4),
    _resnet("Wide ResNet", "wide_resnet50_2", width_per_group=128),
    _made("DenseNet", "densenet121", partial(models.DenseNet, 16, (2, 2, 2, 2), 32)),
    _named("Inception v3", "inception_v3", 160, init_weights=False),
    _named("GoogLeNet", "googlenet", 128, init_weights=False),
    _named("MobileNet v2", "mobilenet_v2"),
    _named("MobileNet v3", "mobilenet_v3_small"),
    _named("EfficientNet", "efficientnet_b0"),
    _made("EfficientNet v2", "efficientnet_v2_s", _efficientnet_v2),
    _named("ShuffleNet v2", "shufflenet_v2_x0_5"),
    _named("SqueezeNet", "squeezenet1_1"),
    _named("MNASNet", "mnasnet0_5"),
    _named("RegNet X", "regnet_x_400mf"),
    _named("RegNet Y", "regnet_y_400mf"),
    _made("ConvNeXt", "convnext_tiny", partial(
        models.ConvNeXt, [CNBlockConfig(24, 48, 1), CNBlockConfig(48, 96, 1), CNBlockConfig(96, None, 2)])),
    _made("Swin", "swin_t", partial(models.SwinTransformer, **SWIN)),
    _made("Swin v2", "swin_v2_t", partial(
        models.SwinTransformer, **SWIN, block=SwinTransformerBlockV2, downsample_layer=PatchMergingV2)),
    _made("MaxViT", "maxvit_t", partial(
        models.MaxVit, (64, 64), stem_channels=16, partition_size=2, block_channels=[16, 32],
        block_layers=[1, 1], head_dim=8, stochastic_depth_prob=0.0)),
    _made("ViT", "vit_b_16", partial(
        models.VisionTransformer, 64, 16, num_layers=3, num_heads=3, hidden_dim=48, mlp_dim=96)),
]  # fmt: skip
